"""The result table row by row: numbers of every task and model, and as text for a reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, nan
from typing import Any

from corespot.report.result_marks import NESTED_MARK, TUNED_MARKS
from corespot.report.verdict_badge import verdict_text

LEVELS = ("spot", "core", "patient")
LEVEL_TITLES = {"spot": "spot", "core": "core", "core_mean": "core (mean p)", "patient": "patient"}
#: How a fold was made, as a reader is told; one that shares cores with the training part says so.
_GROUPINGS = {"tma": "TMA", "spot": "spot (optimistic)"}


def result_rows(
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]],
    *,
    metric: str = "balanced_accuracy",
    levels: Sequence[str] = LEVELS,
) -> list[dict[str, Any]]:
    """One row a task and model, as `corespot.report.tables.result_table` describes them."""
    rows = []
    for task, models in metrics.items():
        for model, scores in models.items():
            row: dict[str, Any] = {
                "task": task,
                "model": model,
                "grouping": str(scores.get("grouping") or ""),
                "n_spots": number(scores.get("n_spots")),
                "nested": bool(scores.get("nested_design", False)),
                "tuning": str((scores.get("tuning") or {}).get("kind") or "none"),
            }
            for level in levels:
                value = (scores.get(level) or {}).get(metric) or {}
                quartiles = value.get("iqr") or [None, None]
                row[level] = number(value.get("median"))
                row[f"{level}_q1"], row[f"{level}_q3"] = map(number, quartiles)
            audit = scores.get("audit") or {}
            row["verdict"] = str(audit.get("verdict") or "")
            row["artifact_share"] = number(audit.get("artifact_share"))
            rows.append(row)
    return rows


def readable_columns(
    rows: Iterable[Mapping[Any, Any]], levels: Sequence[str] = LEVELS
) -> dict[str, list[str]]:
    """Rows of the result table as columns of text: ``.845 (.838–.852)``, a dash for nothing.

    A task in which no TMA holds two classes carries `NESTED_MARK`; the verdict of the audit has a
    column where any model was audited.
    """
    rows = list(rows)
    shown = {
        "task": [f"{row['task']}{NESTED_MARK if row['nested'] else ''}" for row in rows],
        "model": [f"{row['model']}{TUNED_MARKS.get(row['tuning'], '')}" for row in rows],
        "folds by": [_GROUPINGS.get(row["grouping"], row["grouping"]) or "—" for row in rows],
        "spots": [f"{row['n_spots']:,.0f}" if isfinite(row["n_spots"]) else "—" for row in rows],
    }
    for level in levels:
        shown[LEVEL_TITLES.get(level, level)] = [
            with_quartiles(row[level], row[f"{level}_q1"], row[f"{level}_q3"]) for row in rows
        ]
    if any(row["verdict"] for row in rows):
        shown["verdict"] = [
            verdict_text(
                row["verdict"], row["artifact_share"] if isfinite(row["artifact_share"]) else None
            )
            for row in rows
        ]
    return shown


def number(value: object) -> float:
    """A number as JSON has it; NaN for anything else."""
    return float(value) if isinstance(value, int | float) else nan


def with_quartiles(median: float, q1: float = nan, q3: float = nan) -> str:
    """A median, with its quartiles in brackets where there are any; a dash where it is none."""
    if not isfinite(median):
        return "—"
    if not (isfinite(q1) and isfinite(q3)):
        return _short(median)
    return f"{_short(median)} ({_short(q1)}–{_short(q3)})"


def _short(value: float) -> str:
    """Three decimals without the leading zero, as balanced accuracies are written."""
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
