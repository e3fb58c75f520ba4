"""Decisions of reviewers as a table, read from the tags of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from corespot.tracking.reading import LoggedRun

#: Tags that hold a decision begin so.
PREFIX = "review.decision."
_COLUMNS = ("when (UTC)", "reviewer", "decision", "comment", "verdict then", "audit")


def decision_table(run: LoggedRun) -> pd.DataFrame:
    """One row a decision, the latest first; what cannot be read says so, and is not left out.

    Returns
    -------
    DataFrame
        Text columns; ``audit`` tells whether the audit is still the one that was decided on.
    """
    rows = [
        _row(name, value, run.tags.get("audit.sha256", ""))
        for name, value in run.tags.items()
        if name.startswith(PREFIX)
    ]
    rows.sort(key=lambda row: row[0], reverse=True)
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _row(tag: str, value: str, audit_now: str) -> tuple[str, ...]:
    try:
        found: Any = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, Mapping):
        return (tag.removeprefix(PREFIX)[:20], "—", "cannot be read", value[:200], "—", "—")
    then = str(found.get("audit_sha256") or "")
    same = "the audit of this report" if then == audit_now else "another audit than now"
    return (
        str(found.get("at") or tag.removeprefix(PREFIX))[:19].replace("T", " "),
        str(found.get("reviewer") or "—"),
        str(found.get("decision") or "—").replace("_", " "),
        str(found.get("comment") or "—"),
        str(found.get("verdict") or "—").replace("_", " "),
        same if then and audit_now else "not audited",
    )
