"""Runs of the project: the list, and what each logged."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from corespot.errors import TrackingError
from corespot.explain.markers import Marker
from corespot.explain.profile import SensitivityProfile
from corespot.report.audit_shown import AuditView
from corespot.review.project import Project
from corespot.review.run_record import RunRecord, read_markers
from corespot.tracking.reading import (
    MODEL_LEVELS,
    LoggedRun,
    child_runs,
    database_stamp,
    find_runs,
    read_run,
    reading_client,
)
from corespot.tracking.run_files import RunFiles
from corespot.tracking.store import project_root

__all__ = ["LoggedRun"]  # what views may know of tracking

#: Seconds after which the list of runs, and the files of one, are looked at again.
RUNS_FRESH, FILES_FRESH = 10, 60
#: Seconds after which a list of runs is not shown any more, not even while it is read again.
_OLDEST = 120
#: Where a list is kept of which one run was read again.
_PATCHED = ()
# SQLAlchemy and MLflow make their engine at the first call; two threads at once make two.
_first = threading.Lock()


def project() -> Project:
    """The project folder that the app was started in."""
    return _project(str(project_root()))


def client() -> Any:
    """MLflow client of the project's store, for what lies in this folder."""
    return _client(project().tracking_uri)


def runs() -> list[LoggedRun]:
    """All runs of whole models, newest first; not to be changed in place."""
    return _runs(project().tracking_uri, int(time.time() // _OLDEST))


def run_of(run_id: str) -> LoggedRun:
    """One run as it stands in the list, or, where it is not there, as the store knows it.

    Raises
    ------
    TrackingError
        If the store does not know it, or it is a part of another, a fold for example.
    """
    listed = next((run for run in runs() if run.run_id == run_id), None)
    found = listed or read_run(client(), run_id)
    if found.tags.get("level") not in MODEL_LEVELS:
        raise TrackingError(f"run {run_id} ({found.name}) is not the run of a whole model")
    return found


def folds_of(run: LoggedRun) -> list[LoggedRun]:
    """The runs of its folds."""
    return child_runs(client(), run)


def record(run: LoggedRun) -> RunRecord:
    """Reader of a run's files; not cached, cheap to make."""
    return RunRecord(run, RunFiles(client(), run))


def read(run: LoggedRun, what: str, *arguments: str) -> Any:
    """What a method of `RunRecord` reads of a run, cached; not to be changed in place.

    Parameters
    ----------
    run : LoggedRun
        The run.
    what : str
        Name of the method.
    arguments : str
        Its arguments.
    """
    return _read(project().tracking_uri, run.run_id, run.status, what, arguments, run)


def audit(run: LoggedRun) -> AuditView:
    """The audit of a run."""
    view: AuditView = read(run, "audit")
    return view


def sensitivity(run: LoggedRun) -> SensitivityProfile:
    """Mean sensitivity profile of a run."""
    profile: SensitivityProfile = read(run, "sensitivity")
    return profile


def class_means(run: LoggedRun) -> npt.NDArray[np.float64] | None:
    """Mean spectrum of every class, shape (n_classes, n_bins), where the run kept it."""
    means: npt.NDArray[np.float64] | None = read(run, "class_means")
    return means


def spots(run: LoggedRun) -> pd.DataFrame:
    """Spots of a run's task with what its out-of-fold models say; see `RunRecord.spots`."""
    table: pd.DataFrame = read(run, "spots")
    return table


def table(run: LoggedRun, name: str) -> pd.DataFrame:
    """A table that training logged; see `RunRecord.table`."""
    found: pd.DataFrame = read(run, "table", name)
    return found


def markers() -> tuple[Marker, ...]:
    """The project's marker table."""
    return read_markers(Path(project().root) / "data" / "ingest" / "markers.csv")


def look_again(run_id: str) -> None:
    """Have the list of runs hold one as it is now, after something was written to it."""
    try:
        now = read_run(client(), run_id)
        listed = [now if one.run_id == run_id else one for one in runs()]
        _last_read(project().tracking_uri)[_PATCHED] = listed
    except TrackingError:
        pass  # All are read again.
    _runs.clear()


@st.cache_resource(show_spinner=False)
def _project(root: str) -> Project:
    return Project(Path(root))


@st.cache_resource(show_spinner=False)
def _client(uri: str) -> Any:
    with _first:
        return reading_client(uri)


# Read again beside whoever looks, so that nobody waits for it, but never shown when it is old.
@st.cache_resource(ttl=RUNS_FRESH, show_spinner="Reading the runs …", refresh_mode="background")
def _runs(uri: str, epoch: int) -> list[LoggedRun]:
    # Before the reading: what is written meanwhile is read the next time.
    stamp, kept = (epoch, *database_stamp(uri)), _last_read(uri)
    if _PATCHED in kept:
        # Until it is fresh no more: somebody else may have written to others.
        return kept.pop(_PATCHED)
    if len(stamp) > 1 and stamp in kept:
        return kept[stamp]
    known = _client(uri)
    with _first:
        found = find_runs(known)
    kept.clear()
    kept[stamp] = found
    return found


@st.cache_resource(show_spinner=False)
def _last_read(uri: str) -> dict[tuple[int, ...], list[LoggedRun]]:
    """The runs, by what the store's file was like; reading 500 again takes half a second."""
    return {}


@st.cache_resource(ttl=FILES_FRESH, max_entries=64, show_spinner="Reading the run …")
def _read(
    uri: str, run_id: str, status: str, what: str, arguments: tuple[str, ...], _run: LoggedRun
) -> Any:
    return getattr(RunRecord(_run, RunFiles(_client(uri), _run)), what)(*arguments)
