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


@app.command("app")
def review_app(
    port: Annotated[int, typer.Option(help="Port.", min=1, max=65535)] = 8501,
    address: Annotated[
        str, typer.Option(help="Where to listen. Whoever reaches it can decide on models.")
    ] = "127.0.0.1",
) -> None:
    """Open the review app on the runs of this project; only this machine can reach it."""
    import socket
    import subprocess
    import sys

    from corespot.errors import ParamsError

    if not Path("app/serve.py").is_file():
        raise ParamsError("there is no app/ here; run this in the project's folder")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise ParamsError(
                f"{address}:{port} cannot be opened ({error.strerror}); give another: "
                "`corespot app --port 8502`, or PORT=8502 make app"
            ) from None
    typer.echo(f"review app: http://{address}:{port}   (Ctrl-C ends it)")
    if address not in ("127.0.0.1", "localhost", "::1"):
        typer.echo("it is open to others: it asks nobody for a password", err=True)
    command = [sys.executable, "-m", "app.serve", "--port", str(port), "--address", address]
    raise typer.Exit(subprocess.call(command))


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
