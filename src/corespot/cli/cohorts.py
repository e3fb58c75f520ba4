"""Cohort folders: checked, audited, made up, looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corespot.cli.apps import AsJson, app, cohort_app

if TYPE_CHECKING:
    from corespot.cohort.tasks import Task


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


def _tasks_of(folder: Path) -> dict[str, Task] | None:
    """Tasks of ``params.yaml`` if it is about this folder."""
    if not Path("params.yaml").is_file():
        return None
    from corespot.params import load_params

    params = load_params()
    same = Path(params.cohort).resolve() == folder.resolve()
    return params.plain_tasks() if same else None
