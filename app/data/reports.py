"""The report of runs as a file to take away."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from app.data.runs import LoggedRun, project, run_of
from corespot.review.run_report import MOST_RUNS, report_bytes, report_name

__all__ = ["MOST_RUNS", "file_name", "report_file"]
# A report holds all figures of a run at once; two at a time are enough for a small machine.
_making = threading.Semaphore(2)


def report_file(run_ids: Sequence[str]) -> bytes:
    """One HTML file of a run, or of a comparison of up to six; it needs no network.

    Raises
    ------
    TrackingError
        If the store does not know a run, or there are too many.
    """
    with _making:
        return report_bytes(project(), [run_of(run_id) for run_id in run_ids])


def file_name(runs: Sequence[LoggedRun]) -> str:
    """Name under which it is saved."""
    return report_name(runs)
