"""What speaks for and against a model: its exhibits, its task's design, its mitigated runs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import plotly.graph_objects as go
import streamlit as st

from app.data.runs import LoggedRun, audit, project, read, run_of, runs
from corespot.errors import CorespotError, StoreError, TrackingError
from corespot.report.audit_figures import audit_drawings
from corespot.report.captioned import Captioned, captioned
from corespot.report.mitigation_record import MitigationRecord

Drawing: TypeAlias = Callable[[], Captioned | None]
#: Height in pixels of exhibits that stand side by side; others keep their own.
_BESIDE = {"audit_shares": 320, "audit_scores": 320, "audit_negative_controls": 320}


def exhibits(run: LoggedRun) -> Mapping[str, Drawing]:
    """The figures of a run's audit with their words, by name, each drawn when it is called for.

    What a drawing gives is not to be changed in place, and None where the figure does not apply.

    Raises
    ------
    StoreError
        If it has no audit that can be read.
    """
    known = (project().tracking_uri, run.run_id, read(run, "audit_digest"))
    return {
        name: partial(_exhibit, *known, name, draw)
        for name, draw in audit_drawings(audit(run)).items()
    }


def design(task: str) -> dict[str, Any]:
    """The audit of a task's design, of the data that the project holds now.

    Raises
    ------
    StoreError
        If it was not made, or cannot be read.
    """
    return project().design(task)


def data_is_that_of(run: LoggedRun) -> bool:
    """Whether the project still holds the spectra that a run has read."""
    try:
        return run.tags.get("dvc.store", "unknown") == project().data_hash() != "unknown"
    except StoreError:
        return False


def mitigated_from(run: LoggedRun) -> list[LoggedRun]:
    """Runs that trained the model of `run` again with ways out, the newest first."""
    return [one for one in runs() if one.tags.get("mitigation.of") == run.run_id]


def plain_run_of(run: LoggedRun) -> LoggedRun | None:
    """The run that a mitigated one was made from, if it is still known."""
    try:
        return run_of(run.tags.get("mitigation.of", ""))
    except TrackingError:
        return None


def before_after(run: LoggedRun) -> MitigationRecord:
    """What the ways of a mitigated run changed.

    Raises
    ------
    StoreError
        If its record is missing or damaged.
    """
    found = read(run, "mitigation")
    if found is None:
        raise StoreError(f"run {run.run_id} ({run.name}) was trained without a way out")
    return MitigationRecord.of(found)


@st.cache_data(ttl=600, show_spinner=False)
def mitigate_command(task: str, model: str, ways: tuple[str, ...]) -> str:
    """The command that trains a model again with the first two of `ways` that it can take."""
    # Imports torch, and only who asks should wait for it.
    from corespot.mitigate.way import why_not_for

    usable = [way for way in ways if _can(why_not_for, way, model)][:2]
    words = ["corespot", "mitigate", task, model]
    for way in usable:
        words += ["--with", way]
    return shlex.join(words)


def _can(why_not_for: Any, way: str, model: str) -> bool:
    try:
        return why_not_for(way, model) is None
    except CorespotError:
        return False


@st.cache_resource(ttl=600, max_entries=128, show_spinner=False)
def _exhibit(
    uri: str, run_id: str, digest: str, name: str, _draw: Callable[[], go.Figure | None]
) -> Captioned | None:
    figure = _draw()
    return None if figure is None else captioned(figure, height=_height(figure, name))


def _height(figure: go.Figure, name: str) -> int | None:
    """Several classes have a panel each, which need the room."""
    return None if (figure.layout.height or 0) > 500 else _BESIDE.get(name)
