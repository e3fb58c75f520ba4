"""The ``corespot`` command: thin, and quick to start because each command imports its own."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from corespot.errors import told_plainly

if TYPE_CHECKING:
    from corespot.cohort.tasks import Task

app = typer.Typer(
    help="Tumour classification on imaging mass spectrometry of tissue microarrays.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cohort_app = typer.Typer(help="Look after cohort folders.", no_args_is_help=True)
app.add_typer(cohort_app, name="cohort")
audit_app = typer.Typer(help="Audit trained models for confounding.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@cohort_app.command("check")
def cohort_check(
    folder: Annotated[Path, typer.Argument(help="Cohort folder, e.g. data/raw/demo.")],
    as_json: AsJson = False,
    skip_checksum: Annotated[
        bool, typer.Option(help="Trust the .ibd files; never on a first import.")
    ] = False,
) -> None:
    """Validate a cohort folder: exit 0 with a summary, or 2 with every problem at once."""
    from corespot.io.check import check_cohort

    report = check_cohort(folder, tasks=_tasks_of(folder), checksum=not skip_checksum)
    typer.echo(
        json.dumps(report.as_dict(), indent=2, ensure_ascii=False) if as_json else report.text()
    )
    if not report.ok:
        raise typer.Exit(2)


@cohort_app.command("audit")
def cohort_audit(
    folder: Annotated[
        Path | None, typer.Argument(help="Cohort folder; default: that of params.yaml.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say, before any training, what goes with the label of each task and what would repair it."""
    from corespot.audit.design.all_designs import audit_designs
    from corespot.io.cohort_folder import load_cohort
    from corespot.params import load_params

    params = load_params()
    spots = load_cohort(folder or Path(params.cohort)).spots
    audits = audit_designs(spots, params.plain_tasks())
    if as_json:
        content = {name: audit.as_dict() for name, audit in audits.items()}
        typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
        return
    typer.echo("\n\n\n".join(audit.text() for audit in audits.values()))


@audit_app.command("show")
def audit_show(
    task: Annotated[str | None, typer.Argument(help="Task; default: all.")] = None,
    model: Annotated[str | None, typer.Argument(help="Model; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the verdict on trained models, what it rests on and what it cannot say."""
    from corespot.audit.model.stored import as_text, stored_audits

    audits = stored_audits(task=task, model=model)
    if as_json:
        typer.echo(json.dumps(audits, indent=2, ensure_ascii=False))
        return
    typer.echo("\n\n\n".join(as_text(audit) for audit in audits))


@audit_app.command("check")
def audit_check(
    fail_on: Annotated[
        str, typer.Option(help="confounded, suspect, not_excluded or no_evidence.")
    ] = "confounded",
) -> None:
    """Exit 1 if a trained model has this verdict or a worse one, 0 if none has."""
    from corespot.audit.model.stored import as_bad, stored_audits

    audits = stored_audits()
    bad = as_bad(audits, fail_on)
    for one in audits:
        mark = "fails" if one in bad else "passes"
        typer.echo(f"{mark}: {one['task']}, {one['model']}: {one['verdict'].replace('_', ' ')}")
    if bad:
        raise typer.Exit(1)


@audit_app.command("calibrate")
def audit_calibrate(
    task: Annotated[
        list[str] | None, typer.Option(help="Task; may be repeated. Default: all.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Model; may be repeated. Default: all of models.")
    ] = None,
    cohorts: Annotated[int, typer.Option(help="Synthetic cohorts a task.", min=1)] = 60,
    workers: Annotated[
        int | None, typer.Option(help="Processes; default: one a core.", min=1)
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write; records go beside it.")] = Path(
        "data/calibration.json"
    ),
    seed: Annotated[int, typer.Option(help="Seed of the first cohort.", min=0)] = 900_000,
    spots: Annotated[int, typer.Option(help="Spots of a patient, about.", min=1)] = 8,
    device: Annotated[str, typer.Option(help="Where networks are trained.")] = "cpu",
) -> None:
    """Draw the verdict's lines from synthetic cohorts with the study's own TMAs and patients."""
    from datetime import UTC, datetime

    from corespot.audit.calibration.lines import write_calibration
    from corespot.audit.calibration.study_calibration import (
        study_calibration,
        summary_rows,
        verdict_rows,
    )
    from corespot.audit.calibration.study_fits import known_records, missing_jobs
    from corespot.audit.calibration.study_run import available_cores, run_jobs
    from corespot.params import load_params
    from corespot.report.tables import aligned
    from corespot.requests import calibration_fits

    params = load_params()
    fits, left_out = calibration_fits(params, task or (), model or (), spots_per_patient=spots)
    for line in [*left_out, *dict.fromkeys(fit.layout.text() for fit in fits)]:
        typer.echo(line)
    path = out.with_suffix(".jsonl")
    known = known_records(path, fits)
    jobs = missing_jobs(fits, known, range(seed, seed + cohorts), device)
    n_workers = min(workers or available_cores(), max(len(jobs), 1))

    def expect(seconds: float) -> None:
        left = seconds * (len(jobs) - 1) / n_workers / 60
        typer.echo(
            f"the first cohort took {seconds:.0f} s; {len(jobs) - 1} more with {n_workers} "
            f"processes: about {left:.0f} min; stop and go on as you like"
        )

    typer.echo(f"{len(jobs)} cohorts to simulate, {len(known)} fits in {path}")
    made, failures = run_jobs(jobs, path, workers=n_workers, on_first=expect)
    if failures:
        typer.echo(f"{len(failures)} cohorts gave no fit, the first: {failures[0]}")
    command = shlex.join(["corespot", *sys.argv[1:]])
    date = datetime.now(UTC).date().isoformat()
    content = study_calibration([*known, *made], fits, command=command, date=date)
    write_calibration(out, content)
    typer.echo(aligned(list(summary_rows(content, fits, [*known, *made]))) + "\n")
    typer.echo(aligned(list(verdict_rows(content, fits))) + "\n")
    typer.echo("lines and rates come from the same cohorts, so that the rates flatter a little")
    if params.audit.calibration == str(out):
        typer.echo(f"{out} written; to use it:  dvc repro --force --single-item audit report")
    else:
        typer.echo(
            f"{out} written; to use it, set in params.yaml  audit: {{calibration: {out}}}  "
            "and run:  dvc repro"
        )


@app.command()
def synth(
    preset: Annotated[str, typer.Argument(help="demo, paper, tiny, …; see --help of the docs.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 2018,
    counterfactual: Annotated[
        bool, typer.Option(help="New patients, every class in every campaign.")
    ] = False,
    design: Annotated[
        str | None, typer.Option(help="balanced, partial, nested or nested_mixed.")
    ] = None,
    amplitude: Annotated[
        float | None, typer.Option(help="Strength of the artifacts; 0 leaves them out.")
    ] = None,
    family: Annotated[
        list[str] | None, typer.Option(help="Only this artifact family; may be repeated.")
    ] = None,
    control_cores: Annotated[
        int | None, typer.Option(help="Control cores of one tissue on every TMA.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a folder that is there.")] = False,
) -> None:
    """Write a synthetic TMA cohort with known truth."""
    from corespot.io.cohort_folder import write_cohort
    from corespot.synth.request import SynthRequest, make_requested, only_families

    artifacts = only_families(family) if family else {}
    if amplitude is not None:
        artifacts["amplitude"] = amplitude
    layout = {
        **({"name": design} if design else {}),
        **({"control_cores": control_cores} if control_cores is not None else {}),
    }
    request = SynthRequest.parse(
        {
            "preset": preset,
            "seed": seed,
            "counterfactual": counterfactual,
            "settings": {"design": layout, "artifacts": artifacts},
        },
        "corespot synth",
    )
    cohort = make_requested(request)
    write_cohort(
        folder,
        spots=cohort.spots,
        cores=cohort.cores,
        measurements=cohort.measurements(),
        extras={"markers.csv": cohort.markers, "truth.json": cohort.truth},
        overwrite=overwrite,
    )
    typer.echo(f"{folder}: {len(cohort.spots)} spots on {cohort.cores['tma'].nunique()} TMAs")


@app.command()
def preview(
    file: Annotated[Path, typer.Argument(help="An imzML file; it needs no tables.")],
    spectrum: Annotated[int, typer.Option(help="Which spectrum, from 0.")] = 0,
    zoom: Annotated[float | None, typer.Option(help="m/z to look at closely.")] = None,
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("preview.html"),
) -> None:
    """Show one spectrum before and after the recipe of params.yaml, to try a recipe quickly."""
    from corespot.io.preview import preview_spectrum
    from corespot.params import load_params
    from corespot.report.html import Section, write_page
    from corespot.report.preprocessing_figures import before_after, clearest_window

    shown = preview_spectrum(file, spectrum, load_params().preprocess)
    figure = before_after(
        shown.raw,
        shown.processed,
        zoom=clearest_window(*shown.raw, around=zoom),
        spot=f"{file.name}, spectrum {spectrum}",
    )
    write_page(out, f"Preview: {file.name}", [Section("Recipe", [*shown.notes, figure])])
    typer.echo("\n".join(shown.notes))
    typer.echo(f"{out} written")


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
    from corespot.report.tables import aligned

    typer.echo(aligned(described))


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
    from corespot.report.tables import aligned
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
    from corespot.requests import storage_url
    from corespot.tracking.store import project_root
    from corespot.tune.dashboard import serve

    url = storage_url(load_params()) if Path("params.yaml").is_file() else None
    serve(url, project_root() / "data" / "studies", port)


@app.command()
def results(
    metrics: Annotated[Path, typer.Option(help="Metrics of the last run.")] = Path(
        "reports/metrics.json"
    ),
) -> None:
    """Print the result table of the last run and the commands that open the results."""
    from corespot.io.artifacts import read_json
    from corespot.report.tables import results_text

    typer.echo("\n" + results_text(read_json(metrics)))
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
    from corespot.report.tables import transfer_text
    from corespot.tracking.transfer import transfer_models

    trained = Path("data/train") / task / model
    definition = load_params().task(task).plain()
    there = transfer_models(trained / "models", folder, name=task, task=definition)
    here = read_json(trained / "metrics.json")
    typer.echo(json.dumps(there, indent=2) if as_json else transfer_text(task, model, here, there))


@app.command()
def mitigate(
    task: Annotated[str, typer.Argument(help="Task of params.yaml.")],
    model: Annotated[str, typer.Argument(help="A trained and audited model of single spectra.")],
    way: Annotated[
        list[str] | None,
        typer.Option("--with", help="A way out; may be repeated. Without: say which there are."),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="way.setting=value; may be repeated.")
    ] = None,
    as_json: AsJson = False,
    record: Annotated[bool, typer.Option(help="Record it in MLflow.")] = True,
) -> None:
    """Train again with ways out of confounding; show accuracy and audit before and after."""
    from corespot.io.artifacts import read_json
    from corespot.mitigate.offered import offered, offered_text
    from corespot.mitigate.requested import read_settings
    from corespot.mitigate.written import RECORD, folder_of, mitigate_and_write
    from corespot.params import load_params
    from corespot.requests import mitigation_request, stored_audit
    from corespot.tracking.mitigations import mitigate_and_record

    params, settings = load_params(), read_settings(setting or ())
    if not way and not settings:
        found = offered(stored_audit(params, task, model))
        typer.echo(
            json.dumps(found, indent=2, ensure_ascii=False) if as_json else offered_text(found)
        )
        return
    request = mitigation_request(params, task, model, way or (), settings)
    out = folder_of(request)
    made = (
        mitigate_and_record(request, out, cohort=params.cohort, uri=params.tracking.uri)
        if record
        else mitigate_and_write(request, out)
    )
    if as_json:
        typer.echo(json.dumps(read_json(out / RECORD), indent=2, ensure_ascii=False))
        return
    typer.echo(f"{made.record.table()}\n{out} written")


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


def _tasks_of(folder: Path) -> dict[str, Task] | None:
    """Tasks of ``params.yaml`` if it is about this folder."""
    if not Path("params.yaml").is_file():
        return None
    from corespot.params import load_params

    params = load_params()
    same = Path(params.cohort).resolve() == folder.resolve()
    return params.plain_tasks() if same else None


def main() -> None:
    """Run the command line; bad input ends with a message and exit code 2."""
    with told_plainly():
        app()
