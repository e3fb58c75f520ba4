"""The table of all runs, and runs against each other: what costs is computed once."""

from __future__ import annotations

from typing import TypeAlias

import pandas as pd
import streamlit as st

from app.data.runs import RUNS_FRESH, LoggedRun, client, project, record, runs
from corespot.errors import TrackingError
from corespot.evaluate.paired import Resamples
from corespot.review.comparison import PairedRuns, compare_runs
from corespot.review.run_table import run_table
from corespot.tracking.registry import standings

#: Runs of which resamples are kept; one takes about 200 kB.
_MOST_KEPT = 64
_Standings: TypeAlias = dict[str, tuple[str, ...]]


def table_of_runs() -> pd.DataFrame:
    """All runs as a table, newest first; see `run_table`. Not to be changed in place."""
    listed, standing = runs(), _standings(project().tracking_uri)
    return _table_of_runs(id(listed), id(standing), listed, standing)[2]


@st.cache_resource(max_entries=2, show_spinner=False)
def _table_of_runs(
    made: int, standing: int, _runs: list[LoggedRun], _standing: _Standings
) -> tuple[list[LoggedRun], _Standings, pd.DataFrame]:
    # What it was made from is kept, too: as long as that lives nothing else bears its number.
    return _runs, _standing, run_table(_runs, _standing)


@st.cache_resource(ttl=RUNS_FRESH, show_spinner=False)
def _standings(uri: str) -> _Standings:
    try:
        return standings(client())
    except TrackingError:
        # Some stores have no registry; the runs can be looked at all the same.
        return {}


def paired(reference: LoggedRun, run: LoggedRun) -> PairedRuns:
    """A run against a reference; see `compare_runs`. Computed once for each two runs.

    Raises
    ------
    CorespotError
        If the two cannot be compared; says why.
    """
    uri = project().tracking_uri
    return _paired(uri, reference.run_id, reference.status, run.run_id, run.status, reference, run)


@st.cache_resource(ttl=600, max_entries=128, show_spinner="Comparing the runs …")
def _paired(
    uri: str,
    reference_id: str,
    reference_status: str,
    run_id: str,
    run_status: str,
    _reference: LoggedRun,
    _run: LoggedRun,
) -> PairedRuns:
    kept = _resamples(uri)
    if len(kept) >= _MOST_KEPT:
        kept.clear()
    return compare_runs(record(_reference), record(_run), kept=kept)


@st.cache_resource(show_spinner=False)
def _resamples(uri: str) -> dict[str, Resamples]:
    """What every run reaches under resampling, which serves against any reference."""
    return {}
