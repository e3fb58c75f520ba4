"""The verdicts of all tasks and models, as the overview shows them."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd

from corespot.report.audit_page import AUDIT_PAGE
from corespot.report.audit_shown import AuditView
from corespot.report.drawn import Drawn
from corespot.report.html import Link
from corespot.report.run_tables import RunTables
from corespot.report.tables import as_markdown
from corespot.report.verdict_badge import FLAGGED, VERDICT_STYLES, VerdictBadge

AUDIT_EXPLAINED = (
    "Whether a model owes its accuracy to how the spectra were measured. “Confounded” is said "
    "where an indicator is above what clean models show, “suspect” where there are hints, “not "
    "excluded” where there are none but label and TMA are tied, “no evidence” where they are not. "
    "No verdict certifies a model."
)


def audit_table(run: RunTables, data_href: str) -> pd.DataFrame:
    """One row a task and model: badge, artifact share, sentence, and the way to the page.

    Parameters
    ----------
    run : RunTables
        Audits, and where their pages lie.
    data_href : str
        The way from the page that shows the table to the folder of the stage outputs.
    """
    rows: list[dict[str, str | Drawn]] = [
        {
            "task": task,
            "model": model,
            "verdict": VerdictBadge(view.verdict),
            "artifact share": _per_cent(view),
            "what it rests on": view.sentence,
            "page": audit_link(run, task, model, data_href) or "—",
        }
        for task, models in run.audits.items()
        for model, view in models.items()
    ]
    return pd.DataFrame(rows)


def audit_markdown(audits: Mapping[str, Mapping[str, AuditView]]) -> str:
    """The same for Markdown, flagged verdicts in bold; empty without an audit."""
    rows = [
        {
            "task": escape(task, quote=False),
            "model": escape(model, quote=False),
            "verdict": _bold_if_flagged(view),
            "artifact share": _per_cent(view),
            # Names come from the user's tables, and Markdown lets HTML through.
            "what it rests on": escape(view.sentence, quote=False),
            "what it cannot say": escape(view.limitation, quote=False),
        }
        for task, models in audits.items()
        for model, view in models.items()
    ]
    return as_markdown(pd.DataFrame(rows)) if rows else ""


def audit_link(
    run: RunTables, task: str, model: str, data_href: str, text: str = "audit"
) -> Link | None:
    """Link to the page of an audit, ``None`` where there is none."""
    path = f"audit/{task}/{model}/{AUDIT_PAGE}"
    return Link(text, f"{data_href}/{path}") if (run.data / path).is_file() else None


def _per_cent(view: AuditView) -> str:
    share = view.readings.number("artifact_share")
    return "—" if share is None else f"{100 * share:.0f} %"


def _bold_if_flagged(view: AuditView) -> str:
    style = VERDICT_STYLES[view.verdict]
    text = f"{style.mark} {style.text}"
    return f"**{text}**" if view.verdict in FLAGGED else text
