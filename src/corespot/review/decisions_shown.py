"""Decisions of reviewers as a table."""

from __future__ import annotations

import pandas as pd

from corespot.review.decision import Decision, Unreadable, history_of
from corespot.tracking.reading import LoggedRun

_COLUMNS = ("when (UTC)", "reviewer", "decision", "comment", "verdict then", "audit")


def decision_table(run: LoggedRun) -> pd.DataFrame:
    """One row a decision, the latest first; what cannot be read says so, and is not left out.

    Returns
    -------
    DataFrame
        Text columns; ``audit`` tells whether the audit is still the one that was decided on.
    """
    now = run.tags.get("audit.sha256", "")
    rows = [_row(entry, now) for entry in history_of(run.tags).entries]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _row(entry: Decision | Unreadable, audit_now: str) -> tuple[str, ...]:
    if isinstance(entry, Unreadable):
        return ("—", "—", "cannot be read", f"{entry.why}: {entry.text}", "—", "—")
    same = "the audit of this report" if entry.audit_sha256 == audit_now else "another than now"
    return (
        f"{entry.at:%Y-%m-%d %H:%M:%S}",
        entry.reviewer,
        entry.word.replace("_", " "),
        entry.comment or "—",
        (entry.verdict or "—").replace("_", " "),
        same if entry.audit_sha256 and audit_now else "not audited",
    )
