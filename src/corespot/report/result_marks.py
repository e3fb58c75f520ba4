"""Marks in the result table, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: Marks a task in which measurement and class cannot be told apart, and says so.
NESTED_MARK = " †"
NESTED_NOTE = (
    "† No TMA holds two classes of this task. Whatever its figures say, they cannot tell a "
    "difference between the classes from one between the measurements; try the models on a cohort "
    "with another design (corespot transfer)."
)

#: What is written behind a model whose settings were tuned, and what it means.
TUNED_MARKS = {"nested": " (tuned)", "hold-in": " (tuned ‡)"}
HOLD_IN_NOTE = (
    "‡ Tuned once, on the training part of the first fold: the other folds test on spots that "
    "tuning has seen, so that these figures are optimistic. Set tune.nested: true for honest ones."
)
VERDICT_NOTE = (
    "Verdict: what the audit for confounding says, with the artifact share: the part of the class "
    "gap that a measurement can cause by itself. ▲ speaks against the model; no verdict certifies "
    "one."
)


def table_notes(rows: Iterable[Mapping[Any, Any]]) -> list[str]:
    """What the marks in the result table mean, as far as its rows bear any."""
    rows = list(rows)
    notes = [NESTED_NOTE] if any(row["nested"] for row in rows) else []
    notes += [HOLD_IN_NOTE] if any(row["tuning"] == "hold-in" for row in rows) else []
    return notes + ([VERDICT_NOTE] if any(row["verdict"] for row in rows) else [])
