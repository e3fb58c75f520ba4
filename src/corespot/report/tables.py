"""Result tables: tasks and models by level, as a table, as aligned text and as Markdown."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from corespot.report.result_marks import NESTED_MARK, TUNED_MARKS, table_notes
from corespot.report.verdict_badge import verdict_text

LEVELS = ("spot", "core", "patient")
#: How a fold was made, as a reader is told; one that shares cores with the training part says so.
_GROUPINGS = {"tma": "TMA", "spot": "spot (optimistic)"}

LEVEL_TITLES = {"spot": "spot", "core": "core", "core_mean": "core (mean p)", "patient": "patient"}


def result_table(
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]],
    *,
    metric: str = "balanced_accuracy",
    levels: tuple[str, ...] = LEVELS,
) -> pd.DataFrame:
    """One row a task and model: the median of a metric on each level, with its quartiles.

    Parameters
    ----------
    metrics : mapping
        ``{task: {model: {level: {metric: {"median": …, "iqr": [q1, q3]}}}}}``, the content of
        ``reports/metrics.json``. What is missing stays missing.
    metric : str
        Which metric.
    levels : tuple of str
        Which levels, in this order.

    Returns
    -------
    DataFrame
        Columns ``task``, ``model``, ``grouping`` (what the folds are made of, empty if unknown),
        ``n_spots`` (float64), ``nested`` (bool: no TMA holds two classes), ``tuning`` (``none``,
        ``nested`` or ``hold-in``), for each level ``<level>``, ``<level>_q1``, ``<level>_q3``
        (float64), and of the audit ``verdict`` (empty without one), ``artifact_share`` (float64).
    """
    rows = []
    for task, models in metrics.items():
        for model, scores in models.items():
            row: dict[str, object] = {
                "task": task,
                "model": model,
                "grouping": str(scores.get("grouping") or ""),
                "n_spots": _number(scores.get("n_spots")),
                "nested": bool(scores.get("nested_design", False)),
                "tuning": str((scores.get("tuning") or {}).get("kind") or "none"),
            }
            for level in levels:
                value = (scores.get(level) or {}).get(metric) or {}
                quartiles = value.get("iqr") or [None, None]
                row[level] = _number(value.get("median"))
                row[f"{level}_q1"], row[f"{level}_q3"] = map(_number, quartiles)
            audit = scores.get("audit") or {}
            row["verdict"] = str(audit.get("verdict") or "")
            row["artifact_share"] = _number(audit.get("artifact_share"))
            rows.append(row)
    columns = ["task", "model", "grouping", "n_spots", "nested", "tuning"]
    columns += [f"{level}{part}" for level in levels for part in ("", "_q1", "_q3")]
    columns += ["verdict", "artifact_share"]
    return pd.DataFrame(rows, columns=columns)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The result table as text cells: ``.845 (.838–.852)``, a dash where nothing was measured.

    A task in which no TMA holds two classes carries `NESTED_MARK`; the verdict of the audit has a
    column where any model was audited.
    """
    levels = [name[:-3] for name in table.columns if str(name).endswith("_q1")]
    shown = pd.DataFrame(
        {
            "task": [
                f"{task}{NESTED_MARK if nested else ''}"
                for task, nested in zip(table["task"], table["nested"], strict=True)
            ],
            "model": [
                f"{model}{TUNED_MARKS.get(tuning, '')}"
                for model, tuning in zip(table["model"], table["tuning"], strict=True)
            ],
            "folds by": [_GROUPINGS.get(name, name) or "—" for name in table["grouping"]],
            "spots": [f"{n:,.0f}" if np.isfinite(n) else "—" for n in table["n_spots"]],
        }
    )
    for level in levels:
        shown[LEVEL_TITLES.get(level, level)] = [
            _with_quartiles(median, q1, q3)
            for median, q1, q3 in zip(
                table[level], table[f"{level}_q1"], table[f"{level}_q3"], strict=True
            )
        ]
    if (table["verdict"] != "").any():
        shown["verdict"] = [
            verdict_text(word, share if np.isfinite(share) else None)
            for word, share in zip(table["verdict"], table["artifact_share"], strict=True)
        ]
    return shown


def as_text(table: pd.DataFrame) -> str:
    """Table of text cells as aligned columns for a terminal; a repeated task is left blank."""
    cells = [[str(value) for value in row] for row in table.itertuples(index=False, name=None)]
    for row in range(len(cells) - 1, 0, -1):
        if cells[row][0] == cells[row - 1][0]:
            cells[row][0] = ""
    header = [str(column) for column in table.columns]
    widths = [max(len(line[at]) for line in [header, *cells]) for at in range(len(header))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in [header, *cells]
    ]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def aligned(rows: Sequence[Mapping[str, object]]) -> str:
    """Mappings with the same keys as aligned columns; numbers with thousands separators."""
    if not rows:
        return "nothing to list"
    cells = [{key: _listed(value) for key, value in row.items()} for row in rows]
    return as_text(pd.DataFrame(cells))


def results_text(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The result table of ``reports/metrics.json`` for a terminal, with its reading."""
    if not any(metrics.values()):
        return "no model was evaluated"
    heading = "balanced accuracy: median (quartiles)"
    table = result_table(metrics)
    notes = "".join(f"\n{textwrap.fill(note, 88)}\n" for note in table_notes(table))
    return f"{heading}\n\n{as_text(readable(table))}\n{notes}"


def transfer_text(task: str, model: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Balanced accuracy on the own cohort beside that on another one, level by level.

    Parameters
    ----------
    task, model : str
        What was trained.
    here, there : mapping
        ``{level: {"balanced_accuracy": {"median": …}}}`` of cross-validation on the own cohort,
        and of the same models on the other.
    """
    rows = []
    for level in LEVELS:
        own, other = (_median(scores, level) for scores in (here, there))
        change = f"{other - own:+.3f}" if np.isfinite(other - own) else "—"
        rows.append(
            {
                "level": level,
                "own cohort": _with_quartiles(own, np.nan, np.nan),
                "other cohort": _with_quartiles(other, np.nan, np.nan),
                "change": change.replace("-", "−"),
            }
        )
    heading = f"{task}, {model}: median balanced accuracy"
    return f"{heading}\n\n{as_text(pd.DataFrame(rows))}\n"


def as_markdown(table: pd.DataFrame) -> str:
    """Table of text cells as a Markdown table; pipes in cells are escaped."""

    def line(values: list[str]) -> str:
        return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"

    rows = [line([str(v) for v in row]) for row in table.itertuples(index=False, name=None)]
    header = line([str(column) for column in table.columns])
    return "\n".join([header, "|" + " --- |" * len(table.columns), *rows])


def label_by_tma(spots: pd.DataFrame, label: str) -> pd.DataFrame:
    """Spots of each class on each TMA, the table in which a nested design shows.

    Parameters
    ----------
    spots : DataFrame
        Spot table with the columns ``tma`` and `label`; empty labels are left out.
    label : str
        Label column.

    Returns
    -------
    DataFrame
        Classes as rows, TMAs as columns, counts as values.
    """
    known = spots[spots[label].astype(str) != ""]
    table = pd.crosstab(known[label].astype(str), known["tma"].astype(str))
    table = table[sorted(table.columns, key=lambda name: natural(str(name)))]
    table.index.name, table.columns.name = label, "tma"
    return table


def is_nested(counts: pd.DataFrame) -> bool:
    """Whether no TMA holds two classes, by the counts of `label_by_tma`."""
    return bool(((counts > 0).sum(axis=0) < 2).all())


def natural(name: str) -> list[tuple[int, str]]:
    """Sorting key by which ``TMA2`` comes before ``TMA10``."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts if part]


def _listed(value: object) -> str:
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _median(scores: Mapping[str, Any], level: str) -> float:
    return _number(((scores.get(level) or {}).get("balanced_accuracy") or {}).get("median"))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")


def _with_quartiles(median: float, q1: float, q3: float) -> str:
    if not np.isfinite(median):
        return "—"
    if not (np.isfinite(q1) and np.isfinite(q3)):
        return _short(median)
    return f"{_short(median)} ({_short(q1)}–{_short(q3)})"


def _short(value: float) -> str:
    """Three decimals without the leading zero, as balanced accuracies are written."""
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
