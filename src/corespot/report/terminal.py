"""Tables as aligned text for a terminal, made without a table library: it is slow to import."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from corespot.report.result_marks import table_notes
from corespot.report.result_rows import (
    LEVELS,
    number,
    readable_columns,
    result_rows,
    with_quartiles,
)


def columns_as_text(columns: Mapping[str, Iterable[object]]) -> str:
    """Columns by name, aligned; a repeated cell of the first one is left blank."""
    header = list(columns)
    cells = [[str(value) for value in row] for row in zip(*columns.values(), strict=True)]
    for row in range(len(cells) - 1, 0, -1):
        if cells[row][0] == cells[row - 1][0]:
            cells[row][0] = ""
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
    return columns_as_text({key: [_listed(row[key]) for row in rows] for key in rows[0]})


def results_text(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The result table of ``reports/metrics.json`` for a terminal, with its reading."""
    if not any(metrics.values()):
        return "no model was evaluated"
    heading = "balanced accuracy: median (quartiles)"
    rows = result_rows(metrics)
    notes = "".join(f"\n{textwrap.fill(note, 88)}\n" for note in table_notes(rows))
    return f"{heading}\n\n{columns_as_text(readable_columns(rows))}\n{notes}"


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
        change = f"{other - own:+.3f}" if isfinite(other - own) else "—"
        rows.append(
            {
                "level": level,
                "own cohort": with_quartiles(own),
                "other cohort": with_quartiles(other),
                "change": change.replace("-", "−"),
            }
        )
    return f"{task}, {model}: median balanced accuracy\n\n{aligned(rows)}\n"


def _listed(value: object) -> str:
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _median(scores: Mapping[str, Any], level: str) -> float:
    return number(((scores.get(level) or {}).get("balanced_accuracy") or {}).get("median"))
