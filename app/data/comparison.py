"""The table of all runs, and runs against each other: what costs is computed once."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.data.runs import LoggedRun, project, record, runs
from corespot.review.comparison import PairedRuns, compare_runs
from corespot.review.run_table import run_table


def table_of_runs() -> pd.DataFrame:
    """All runs as a table, newest first; see `run_table`. Not to be changed in place."""
    listed = runs()
    return _table_of_runs(id(listed), listed)[1]


@st.cache_resource(max_entries=2, show_spinner=False)
def _table_of_runs(made: int, _runs: list[LoggedRun]) -> tuple[list[LoggedRun], pd.DataFrame]:
    # The list is kept, too: as long as it lives no other one bears its number.
    return _runs, run_table(_runs)


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
    return compare_runs(record(_reference), record(_run))
