"""Models: listed, tuned, compared, tried on another cohort."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from corespot.cli.apps import AsJson, app

if TYPE_CHECKING:
    pass


@app.command()
def models(
    n_bins: Annotated[int, typer.Option(help="Bins of the m/z axis.")] = 27286,
    n_classes: Annotated[int, typer.Option(help="Number of classes.")] = 2,
    as_json: AsJson = False,
) -> None:
    """List every registered model: source, input, trainable parameters, receptive field."""
    from corespot.models.registry import describe, names

    described = [describe(name, n_bins, n_classes) for name in names()]
    if as_json:
        typer.echo(json.dumps(described, indent=2, ensure_ascii=False))
        return
    from corespot.report.terminal import aligned

    typer.echo(aligned(described))


@app.command()
def tune(
    task: Annotated[str, typer.Argument(help="Task of params.yaml.")],
    model: Annotated[str, typer.Argument(help="A registered model.")],
    workers: Annotated[
        int | None, typer.Option(help="Processes; each GPU takes its turn.", min=1)
    ] = None,
    trials: Annotated[
        int | None, typer.Option(help="Trials a study, those there are included.", min=1)
    ] = None,
) -> None:
    """Work on the studies of a task and model; several shells may at once. Then: dvc repro."""
    from corespot.params import load_params
    from corespot.report.terminal import aligned
    from corespot.requests import tuning_request
    from corespot.tune.outcome import progress_rows
    from corespot.tune.stage import run_studies, write_outcome

    params = load_params()
    request = tuning_request(params, task, model, trials)
    studies, records = run_studies(
        request,
        workers=workers or params.tune.workers,
        cohort=params.cohort,
        uri=params.tracking.uri,
    )
    with TemporaryDirectory() as folder:
        write_outcome(request, studies, records, Path(folder))
    typer.echo(aligned(progress_rows(studies)))
    wanted = params.tune.trials_of(task, model)
    if wanted != request.trials:
        typer.echo(
            f"params.yaml asks for {wanted} trials of {model} on {task}: set it to "
            f"{request.trials} (tune.models.{model}.trials), then dvc repro takes these up"
        )


@app.command()
def studies(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8080,
) -> None:
    """Open optuna-dashboard on the studies; only this machine can reach it."""
    from corespot.params import load_params
    from corespot.tracking.store import project_root
    from corespot.tune.dashboard import serve

    url = load_params().tune.storage_in(project_root()) if Path("params.yaml").is_file() else None
    serve(url, project_root() / "data" / "studies", port)


@app.command()
def results(
    metrics: Annotated[Path, typer.Option(help="Metrics of the last run.")] = Path(
        "reports/metrics.json"
    ),
) -> None:
    """Print the result table of the last run and the commands that open the results."""
    from corespot.io.artifacts import read_json
    from corespot.report.terminal import results_text

    typer.echo("\n" + results_text(read_json(metrics)))
    typer.echo("review and decide:  make app       (http://127.0.0.1:8501)")
    typer.echo("open the runs:      make mlflow    (http://127.0.0.1:5000)")
    typer.echo("open the results:   reports/figures/index.html, data/quality/quality.html")
    typer.echo("open what was read: data/sensitivity/<task>/<model>/sensitivity.html")


@app.command()
def transfer(
    task: Annotated[str, typer.Argument(help="Task of params.yaml.")],
    model: Annotated[str, typer.Argument(help="Model trained on it.")],
    folder: Annotated[Path, typer.Argument(help="Another cohort folder with the same labels.")],
    as_json: AsJson = False,
) -> None:
    """Apply the trained models of a task to another cohort, and say how well they do there."""
    from corespot.io.artifacts import read_json
    from corespot.params import load_params
    from corespot.report.terminal import transfer_text
    from corespot.tracking.transfer import transfer_models

    trained = Path("data/train") / task / model
    definition = load_params().task(task).plain()
    there = transfer_models(trained / "models", folder, name=task, task=definition)
    here = read_json(trained / "metrics.json")
    typer.echo(json.dumps(there, indent=2) if as_json else transfer_text(task, model, here, there))
