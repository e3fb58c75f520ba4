"""Audits of trained models: shown, checked, calibrated, and ways out."""

from __future__ import annotations

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corespot.cli.apps import AsJson, app, audit_app
from corespot.errors import AuditError

if TYPE_CHECKING:
    pass


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
    missing = _not_audited({(one["task"], one["model"]) for one in audits})
    if missing:
        raise AuditError(f"not audited: {', '.join(missing)}; run `dvc repro audit`")
    if bad:
        raise typer.Exit(1)


def _not_audited(found: set[tuple[str, str]]) -> list[str]:
    """Tasks and models of ``params.yaml`` without an audit."""
    if not Path("params.yaml").is_file():
        return []
    from corespot.params import load_params

    params = load_params()
    wanted = [(task, model) for task in params.tasks for model in params.models]
    return [f"{task} {model}" for task, model in wanted if (task, model) not in found]


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

    from corespot.audit.calibration.lines import write_calibration
    from corespot.audit.calibration.study_calibration import (
        study_calibration,
        summary_rows,
        verdict_rows,
    )
    from corespot.audit.calibration.study_fits import known_records, missing_jobs
    from corespot.audit.calibration.study_run import run_jobs
    from corespot.params import load_params
    from corespot.report.terminal import aligned
    from corespot.requests import calibration_fits
    from corespot.threads import available_cores

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
        mitigate_and_record(
            request,
            out,
            cohort=params.cohort,
            **params.tracking.model_dump(),
        )
        if record
        else mitigate_and_write(request, out)
    )
    if as_json:
        typer.echo(json.dumps(read_json(out / RECORD), indent=2, ensure_ascii=False))
        return
    typer.echo(f"{made.record.table()}\n{out} written")
