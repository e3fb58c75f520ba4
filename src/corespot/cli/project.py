"""The project folder: checked, set up, moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corespot.cli.apps import app

if TYPE_CHECKING:
    pass


@app.command()
def validate() -> None:
    """Check params.yaml: every key, every model's settings, and that the cohort is there."""
    from corespot.params import check_everything, load_params

    params = load_params()
    check_everything(params)
    typer.echo(
        f"params.yaml is sound: {params.cohort}; tasks {', '.join(params.tasks)}; "
        f"models {', '.join(params.models)}"
    )


@app.command()
def init() -> None:
    """Prepare the project once: DVC without git if need be, and the MLflow store."""
    from corespot.tracking.project import initialise

    for line in initialise(Path.cwd()):
        typer.echo(line)


@app.command()
def relocate(
    old: Annotated[str, typer.Argument(help="Absolute path the project had before.")],
    new: Annotated[str | None, typer.Argument(help="Path it has now; default: here.")] = None,
) -> None:
    """Mend the MLflow store of a project folder that was moved."""
    from corespot.tracking.store import relocate as rewrite

    database = Path("mlruns/mlflow.db")
    count = rewrite(database, old, new or str(Path.cwd()))
    typer.echo(f"{database}: {count} artifact paths rewritten")
