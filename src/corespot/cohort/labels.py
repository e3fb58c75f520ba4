"""Labels of a cohort: what each task has to work with, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.tables import CORE_COLUMNS, SPOT_COLUMNS
from corespot.cohort.tasks import Task, as_text, text_of
from corespot.errors import Problem, suggestion

#: A column with more different values than this is taken for metadata, not for a label.
MOST_CLASSES = 8
_NOT_LABELS = {*SPOT_COLUMNS, *CORE_COLUMNS, "spectrum", "roi"}


def label_columns(spots: pd.DataFrame) -> list[str]:
    """Columns of a spot table that could be labels: two to eight different values."""
    return [
        column
        for column in spots.columns
        if column not in _NOT_LABELS
        and 2 <= len(set(as_text(spots[column])) - {""}) <= MOST_CLASSES
    ]


def class_counts(
    spots: pd.DataFrame, label: str, classes: Sequence[str], where: npt.NDArray[np.bool_]
) -> dict[str, dict[str, dict[str, int]]]:
    """Count the spots, cores and patients of every class, on each TMA and in all.

    Parameters
    ----------
    spots : DataFrame
        Spot table.
    label : str
        Label column.
    classes : sequence of str
        Its classes.
    where : ndarray of bool, shape (len(spots),)
        Spots that take part.

    Returns
    -------
    dict
        ``{"spots_per_tma": {tma: {class: n}}, "in_all": {"spots" | "cores" | "patients":
        {class: n}}}``; a TMA without any such spot has zeros.
    """
    text = as_text(spots[label])
    part = spots[where & text.isin(classes).to_numpy()].assign(**{label: text})
    counts = pd.crosstab(part["tma"], part[label])
    counts = counts.reindex(
        index=sorted(spots["tma"].unique()), columns=list(classes), fill_value=0
    )
    in_all = {
        unit: {name: int(part.loc[part[label] == name, unit].nunique()) for name in classes}
        for unit in ("core", "patient")
    }
    return {
        "spots_per_tma": {
            str(tma): {name: int(row[name]) for name in classes} for tma, row in counts.iterrows()
        },
        "in_all": {
            "spots": {name: int(counts[name].sum()) for name in classes},
            "cores": in_all["core"],
            "patients": in_all["patient"],
        },
    }


def matches(spots: pd.DataFrame, task: Task) -> npt.NDArray[np.bool_]:
    """Spots that a task's ``where`` lets through; unknown columns let everything through."""
    keep = np.ones(len(spots), dtype=bool)
    for column, wanted in task.where.items():
        if column in spots:
            values = wanted if isinstance(wanted, list) else [wanted]
            keep &= as_text(spots[column]).isin({text_of(value) for value in values}).to_numpy()
    return keep


def task_problems(
    spots: pd.DataFrame, core_columns: Sequence[str], tasks: Mapping[str, Task]
) -> list[Problem]:
    """Check that every task finds its columns and at least two classes, and no contradiction.

    Parameters
    ----------
    spots : DataFrame
        Spot table.
    core_columns : sequence of str
        Columns that come from ``cores.csv``: labels there are labels of a whole core, and a
        patient whose cores carry two classes of one task contradicts itself. Labels in
        ``spots.csv`` may differ inside a patient (tumour and stroma).
    tasks : mapping of str to Task
        The tasks of ``params.yaml``.
    """
    problems: list[Problem] = []
    for name, task in tasks.items():
        named = [task.label, *task.where, *([task.truth.label] if task.truth else [])]
        unknown = [column for column in named if column not in spots]
        problems += [
            Problem(
                "unknown-column",
                f"tasks.{name}",
                f"column {column!r} is in neither spots.csv nor cores.csv",
                "a column of one of the two tables",
                f"correct the name or add the column; {suggestion(column, list(spots.columns))}",
            )
            for column in unknown
        ]
        if unknown:
            continue
        problems += _class_problems(spots, name, task)
        if task.label in core_columns:
            problems += _contradictions(spots, name, task)
    return problems


def _class_problems(spots: pd.DataFrame, name: str, task: Task) -> list[Problem]:
    values = as_text(spots[task.label])[matches(spots, task)].value_counts()
    present = [str(value) for value in values.index if value != ""]
    absent = [label for label in task.classes if label not in present]
    if not absent:
        return []
    left = len(task.classes) - len(absent)
    filters = ", ".join(f"{column}: {value}" for column, value in task.where.items())
    shown = ", ".join(repr(value) for value in present[:12]) or "none"
    return [
        Problem(
            "too-few-classes" if left < 2 else "class-without-spots",
            f"tasks.{name}, column {task.label!r}",
            f"no spot of class {' or '.join(map(repr, absent))}"
            + (f" where {filters}" if filters else "")
            + (f", which leaves {left} class{'' if left == 1 else 'es'}" if left < 2 else "")
            + f"; labels found there: {shown}",
            "spots of every class of the task, and at least two classes",
            "correct the spelling of the classes, loosen `where`, or fill in the labels",
        )
    ]


def _contradictions(spots: pd.DataFrame, name: str, task: Task) -> list[Problem]:
    text = as_text(spots[task.label])
    part = spots[matches(spots, task) & text.isin(task.classes).to_numpy()]
    cores = part.assign(label=text).drop_duplicates(["patient", "core"])[
        ["patient", "core", "label"]
    ]
    problems = []
    for patient, rows in cores.groupby("patient", sort=True):
        if rows["label"].nunique() > 1:
            held = ", ".join(f"core {core} {label}" for _, core, label in rows.itertuples(False))
            problems.append(
                Problem(
                    "contradictory-patient-label",
                    f"cores.csv, patient {patient!r}, column {task.label!r} (tasks.{name})",
                    f"the cores of one patient have different classes: {held}",
                    "one class a patient, since this column labels whole cores",
                    "correct cores.csv, give different patients different names, or put the "
                    "label into spots.csv if a patient can have both",
                )
            )
    return problems


def lookalikes(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Notes on values that differ only in case or spaces (``tumor`` and ``Tumor``)."""
    notes = []
    for column in columns:
        spellings: dict[str, list[str]] = {}
        for value in sorted(set(as_text(table[column])) - {""}):
            spellings.setdefault("".join(value.casefold().split()), []).append(value)
        notes += [
            f"column {column!r} holds {' and '.join(map(repr, values))}: counted as different"
            for values in spellings.values()
            if len(values) > 1
        ]
    return notes
