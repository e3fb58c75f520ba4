"""A run, or a comparison of runs, as one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from corespot.errors import TrackingError
from corespot.report.drawn import Drawn
from corespot.report.html import Section, write_page
from corespot.review.comparison_parts import comparison_sections
from corespot.review.project import Project
from corespot.review.reported_run import ReportedRun
from corespot.review.run_parts import run_sections
from corespot.review.run_record import RunRecord
from corespot.tracking.reading import LoggedRun, reading_client
from corespot.tracking.run_files import RunFiles

#: Most runs that are compared on one page.
MOST_RUNS = 6
_USE = "research use only"


def write_report(path: Path, project: Project, runs: Sequence[LoggedRun]) -> None:
    """Write the report of a run, or of a comparison of up to six.

    Parameters
    ----------
    path : Path
        The HTML file, written whole or not at all.
    project : Project
        Where the runs are looked at from.
    runs : sequence of LoggedRun
        One, or those compared.

    Raises
    ------
    TrackingError
        If there is none, or more than six.
    """
    unique = list({run.run_id: run for run in runs}.values())
    if not 1 <= len(unique) <= MOST_RUNS:
        raise TrackingError(f"a report holds one to {MOST_RUNS} runs, got {len(unique)}")
    client = reading_client(project.tracking_uri)
    reported = [ReportedRun(RunRecord(run, RunFiles(client, run)), project) for run in unique]
    write_reported(path, reported)


def write_reported(path: Path, reported: Sequence[ReportedRun]) -> None:
    """Write the report of runs whose files can be read; see `write_report`."""
    title, subtitle, sections, lead = _content(reported)
    write_page(path, title, sections, subtitle=subtitle, lead=lead)


def report_bytes(project: Project, runs: Sequence[LoggedRun]) -> bytes:
    """The same page, not written to the project.

    Raises
    ------
    TrackingError
        As `write_report`.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        write_report(path, project, runs)
        return path.read_bytes()


def report_name(runs: Sequence[LoggedRun]) -> str:
    """File name of a report: task, model and the beginning of the identifier of each run."""
    if len(runs) == 1:
        (run,) = runs
        parts = [run.task or "run", run.model or "model", run.run_id[:8]]
    else:
        tasks = list(dict.fromkeys(run.task or "run" for run in runs))
        parts = [*tasks[:2], "comparison", *(run.run_id[:8] for run in runs)]
    return "-".join(re.sub(r"[^\w.]+", "_", part).strip("._") or "run" for part in parts) + ".html"


def _content(
    reported: Sequence[ReportedRun],
) -> tuple[str, str, list[Section], Drawn | None]:
    if len(reported) > 1:
        tasks = ", ".join(dict.fromkeys(one.record.run.task for one in reported))
        title = f"Comparison of {len(reported)} runs: {tasks}"
        return title, _USE, comparison_sections(reported), None
    (one,) = reported
    run = one.record.run
    started = f"started {run.started:%d %b %Y}, " if run.started else ""
    state = "" if run.status == "FINISHED" else f"{run.status.lower()}, "
    deleted = "deleted in MLflow, " if run.deleted else ""
    title = f"{run.task or run.name}: {run.model or 'unknown model'}"
    named = f"run “{run.name}” ({run.run_id[:8]}), {started}{state}{deleted}{_USE}"
    return title, named, run_sections(one), one.verdict_card()
