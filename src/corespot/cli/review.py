"""Review of runs: looked at, decided on, promoted, checked."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corespot.cli.apps import AsJson, app, review_app

if TYPE_CHECKING:
    from corespot.review.gate import Gate
    from corespot.review.project import Project

Run = Annotated[
    str, typer.Argument(help="Run id, its first characters (6 or more), or TASK/MODEL.")
]


@review_app.command("show")
def review_show(run: Run, as_json: AsJson = False) -> None:
    """Print verdict, decisions and what the gate says of a run."""
    from corespot.review.evidence import read_evidence
    from corespot.review.find_run import find_run
    from corespot.review.told import standing_record, standing_text
    from corespot.tracking.reading import reading_client

    project = _project()
    found = find_run(project, run)
    evidence = read_evidence(reading_client(project.tracking_uri), project, found.run_id)
    if as_json:
        _print_json(standing_record(evidence))
    else:
        typer.echo(standing_text(evidence))


@review_app.command("decide")
def review_decide(
    run: Run,
    decision: Annotated[str, typer.Argument(help="approve, reject or needs_work.")],
    reviewer: Annotated[str, typer.Option(help="Who decides.")],
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Write a decision on a run; exit 1 if it cannot be approved."""
    from corespot.review.decide import decide
    from corespot.review.find_run import find_run

    project = _project()
    found = find_run(project, run)
    made = decide(project, found.run_id, decision, reviewer=reviewer, comment=comment)
    if as_json:
        written = json.loads(made.decision.as_text())
        _print_json({"run_id": found.run_id, **written, "told": list(made.told)})
        return
    typer.echo(f"{found.name} ({found.run_id}): {made.decision.word} by {made.decision.reviewer}")
    for line in made.told:
        typer.echo(line)


@review_app.command("check")
def review_check(
    run: Annotated[
        list[str] | None, typer.Argument(help="Runs; default: every champion and candidate.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Exit 1 if a run, a champion or a candidate does not pass its checks; 0 if all do."""
    from corespot.review.champions import check_candidates, check_champions, check_runs
    from corespot.review.find_run import find_run

    project = _project()
    found = (
        check_runs(project, [find_run(project, one) for one in run])
        if run
        else [*check_champions(project), *check_candidates(project)]
    )
    if as_json:
        _print_json([one.as_dict() for one in found])
    elif not found:
        typer.echo("nothing to check: no model in the registry is champion or candidate")
    else:
        for one in found:
            typer.echo(f"{'passes' if one.gate.passed else 'FAILS'}: {one.what}")
            _print_gate(one.gate)
    if not all(one.gate.passed for one in found):
        raise typer.Exit(1)


@app.command()
def promote(
    run: Run,
    by: Annotated[str | None, typer.Option(help="Who promotes it; default: you.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an approved run's model champion; exit 1, with the reasons, if the gate refuses it."""
    from corespot.review.find_run import find_run
    from corespot.review.promote import promote as promote_run

    project = _project()
    found = find_run(project, run)
    made = promote_run(project, found.run_id, by=by or getpass.getuser())
    if as_json:
        version = (
            None
            if made.version is None
            else dict(zip(("name", "version"), made.version.key, strict=True))
        )
        _print_json({"run_id": found.run_id, **made.gate.as_dict(), "champion": version})
    else:
        typer.echo(f"{found.name} ({found.run_id})")
        _print_gate(made.gate)
        if made.version is None:
            typer.echo("not promoted")
        else:
            was = f", before it was version {made.before.version}" if made.before else ""
            typer.echo(f"{made.version} is champion{was}")
    if made.version is None:
        raise typer.Exit(1)


def _project() -> Project:
    from corespot.review.project import Project

    return Project(Path.cwd())


def _print_gate(gate: Gate) -> None:
    for check in gate.checks:
        typer.echo(f"  {check}")


def _print_json(content: Any) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
