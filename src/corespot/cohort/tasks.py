"""A classification task: which label column, which classes, on which spots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from corespot.errors import ParamsError, suggestion
from corespot.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

Scalar = str | int | float | bool


class SpotTruth(Settings):
    """What is true of single spots, where the label of a task holds of whole cores only.

    Predictions are compared with it; nothing is ever trained on it.

    Parameters
    ----------
    label : str
        Column of the spot table that holds the truth.
    classes : tuple of str
        Its values, in the order of the task's classes: the first stands for the task's first.
        Spots with any other value, or none, have no known truth.
    """

    label: str
    classes: tuple[str, ...]

    @field_validator("classes", mode="before")
    @classmethod
    def _two_or_more(cls, value: Any) -> Any:
        return _class_names(value)


class Task(Settings):
    """One entry of ``tasks`` in ``params.yaml``.

    Parameters
    ----------
    label : str
        Column of the spot table that holds the class.
    classes : tuple of str
        Two or more class names, in the order of the probability columns.
    where : mapping, optional
        Column to value, or to a list of values: spots that match all of them take part.
    truth : SpotTruth, optional
        What predictions of a weakly labelled task (a core's label, spread over its spots) are
        compared with.
    """

    label: str
    classes: tuple[str, ...]
    where: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)
    truth: SpotTruth | None = None

    @field_validator("classes", mode="before")
    @classmethod
    def _two_or_more(cls, value: Any) -> Any:
        return _class_names(value)

    @model_validator(mode="after")
    def _truth_of_every_class(self) -> Self:
        if self.truth is not None and len(self.truth.classes) != len(self.classes):
            raise ValueError(
                f"truth names {len(self.truth.classes)} classes "
                f"({', '.join(self.truth.classes)}), but the task has {len(self.classes)} "
                f"({', '.join(self.classes)}): name one for each, in the same order"
            )
        return self


@dataclass(frozen=True)
class TaskSpots:
    """The spots that take part in a task.

    Parameters
    ----------
    name : str
        Name of the task.
    classes : tuple of str
        Class names; `y` indexes them.
    rows : ndarray of int64, shape (n,)
        Rows of the spectra store, increasing.
    y : ndarray of int64, shape (n,)
        Class of each row.
    spots : DataFrame, n rows
        The spot table restricted to `rows`, index reset.
    label : str
        Column that `y` was read from; empty if unknown.
    truth : ndarray of int64, shape (n,), or None
        Class that is true of each single spot, -1 where it is not known. For comparison only,
        never to be trained on. ``None`` if the task names no such column.
    truth_label : str or None
        Column that `truth` was read from.
    """

    name: str
    classes: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    spots: pd.DataFrame
    label: str = ""
    truth: npt.NDArray[np.int64] | None = None
    truth_label: str | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def group_of(self, column: str) -> npt.NDArray[np.str_]:
        """Values of a grouping column (``tma``, ``patient``, ``core``) as text, shape (n,)."""
        return self.spots[column].astype(str).to_numpy(dtype=str)

    def labelled(self) -> pd.DataFrame:
        """Its spots with ``row``, ``class`` and, where single spots have a truth, ``truth``.

        ``truth`` is empty where it is not known.
        """
        names = np.array([*self.classes, ""], dtype=object)  # -1, no known truth, is the last
        table = self.spots.drop(columns="truth", errors="ignore")
        table = table.assign(**{"row": self.rows, "class": names[self.y]})
        return table if self.truth is None else table.assign(truth=names[self.truth])

    def truth_by_row(self, n_rows: int) -> npt.NDArray[np.int64] | None:
        """The truth by row of a store of `n_rows` spots, -1 outside the task; None if not known."""
        if self.truth is None:
            return None
        spread = np.full(n_rows, -1, dtype=np.int64)
        spread[self.rows] = self.truth
        return spread


def select_spots(spots: pd.DataFrame, name: str, task: Task) -> TaskSpots:
    """Select the spots of a task from the spot table of a store.

    A spot takes part if its label is one of the task's classes and every ``where`` column
    matches; values are compared as text, so that ``1``, ``"1"`` and ``1.0`` agree.

    Parameters
    ----------
    spots : DataFrame
        Spot table, one row per row of the store.
    name : str
        Name of the task, for messages.
    task : Task
        Its definition.

    Raises
    ------
    ParamsError
        If a column is missing, a class has no spot left, or the truth knows no spot of a class.
    """
    columns = list(spots.columns)
    named = [(name, column) for column in (task.label, *task.where)]
    named += [(f"{name}.truth", task.truth.label)] if task.truth is not None else []
    for where, column in named:
        if column not in columns:
            raise ParamsError(
                f"tasks.{where}: column {column!r} is in neither spots.csv nor cores.csv; "
                f"{suggestion(column, columns)}"
            )
    keep = np.ones(len(spots), dtype=bool)
    for column, wanted in task.where.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        keep &= as_text(spots[column]).isin({text_of(value) for value in values}).to_numpy()
    labels = as_text(spots[task.label])
    y_all = np.full(len(spots), -1, dtype=np.int64)
    for index, class_name in enumerate(task.classes):
        y_all[(labels == class_name).to_numpy() & keep] = index
    for index, class_name in enumerate(task.classes):
        if not np.any(y_all == index):
            present = sorted({str(value) for value in labels[keep] if value != ""})
            raise ParamsError(
                f"tasks.{name}: no spot of class {class_name!r} in column {task.label!r}"
                f"{' where ' + _describe(task.where) if task.where else ''}; "
                f"labels found there: {', '.join(present[:12]) or 'none'}"
            )
    rows = np.flatnonzero(y_all >= 0).astype(np.int64)
    return TaskSpots(
        name=name,
        classes=task.classes,
        rows=rows,
        y=y_all[rows],
        spots=spots.iloc[rows].reset_index(drop=True),
        label=task.label,
        truth=None if task.truth is None else _truth(spots.iloc[rows], name, task.truth),
        truth_label=None if task.truth is None else task.truth.label,
    )


def text_of(value: object) -> str:
    """Text by which table values are compared: whole floats lose their ``.0``, nulls are empty."""
    if isinstance(value, str):
        return str(value)
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if isinstance(value, bool | np.bool_):
        return "1" if value else "0"
    import pandas as pd

    return "" if value is pd.NA else str(value)


def as_text(column: pd.Series) -> pd.Series:
    """Column as comparable text; see `text_of`."""
    return column.map(text_of)


def _truth(spots: pd.DataFrame, name: str, truth: SpotTruth) -> npt.NDArray[np.int64]:
    """Class that is true of each spot of a task, shape (n,); -1 where it is not known."""
    values = as_text(spots[truth.label])
    known = np.full(len(spots), -1, dtype=np.int64)
    for index, class_name in enumerate(truth.classes):
        known[(values == class_name).to_numpy()] = index
        if not np.any(known == index):
            present = sorted({str(value) for value in values if value != ""})
            raise ParamsError(
                f"tasks.{name}.truth: no spot of the task is {class_name!r} in column "
                f"{truth.label!r}; found there: {', '.join(present[:12]) or 'nothing'}. Correct "
                "the spelling, or leave `truth` out"
            )
    return known


def _class_names(value: object) -> tuple[str, ...]:
    """Two or more different class names as YAML gives them."""
    if not isinstance(value, list | tuple):
        raise ValueError("expected a list of class names")
    if any(isinstance(name, bool) for name in value):
        raise ValueError("YAML reads yes, no, true and false as truth values: quote the names")
    names = [str(name) for name in value]
    if len(names) < 2 or len(set(names)) != len(names):
        raise ValueError("expected two or more different classes")
    return tuple(names)


def _describe(where: Mapping[str, object]) -> str:
    return " and ".join(f"{column} = {value}" for column, value in where.items())
