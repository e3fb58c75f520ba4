"""Reports to hand on: one HTML file of a run or a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corespot.cli.apps import app


@app.command()
def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...",
            help="A run's identifier, its first six characters or more, or TASK/MODEL; up to six.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; default: reports/review/<task>-<model>-<run>.html."),
    ] = None,
) -> None:
    """Write one HTML file of a run, or of a comparison: offline, to be printed or sent."""
    from corespot.review.find_run import find_run
    from corespot.review.project import Project
    from corespot.review.run_report import report_name, write_report
    from corespot.tracking.store import project_root

    project = Project(project_root())
    found = [find_run(project, text) for text in runs]
    path = out or project.root / "reports" / "review" / report_name(found)
    write_report(path, project, found)
    typer.echo(f"{path} written")
