"""A button that gives the report of the runs looked at."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.data import reports as data
from app.data.runs import LoggedRun


def report_button(runs: Sequence[LoggedRun], key: str = "report") -> None:
    """Offer one HTML file of a run or a comparison; it is made when the button is pressed.

    Parameters
    ----------
    runs : sequence of LoggedRun
        One to six runs; nothing is shown for none.
    key : str
        Names the button within the page.
    """
    if not 1 <= len(runs) <= data.MOST_RUNS:
        return
    run_ids = [run.run_id for run in runs]
    st.download_button(
        "Report" if len(runs) == 1 else "Report of the comparison",
        lambda: data.report_file(run_ids),
        data.file_name(runs),
        "text/html",
        key=key,
        icon=":material/description:",
        on_click="ignore",
        help="One HTML file that needs no network: to be read, printed or sent. It takes some "
        "seconds to make.",
    )
