"""The ``corespot`` command and its groups, to which commands are added."""

from __future__ import annotations

from typing import Annotated

import typer

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
review_app = typer.Typer(help="Review runs: look, decide, check.", no_args_is_help=True)
app.add_typer(review_app, name="review")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
