"""How a column parts the spots of a task: as its classes do, apart from them, or across them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.design.design_rows import NAMES, DesignRow
from corespot.audit.design.metadata_column import ColumnValues
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots


def same_partition(task: TaskSpots, column: ColumnValues) -> bool:
    """Whether a column has one value for each class, and another for each.

    Parameters
    ----------
    task : TaskSpots
        The spots of a task.
    column : ColumnValues
        A value of each spot; spots without one are not looked at.
    """
    n_classes = len(task.classes)
    known = column.codes[column.known]
    return (
        len(np.unique(known)) == n_classes == len(np.unique(task.y[column.known]))
        and _pairs(task.y, column.codes)[0] == n_classes
    )


def classes_apart(task: TaskSpots, tma: ColumnValues, column: ColumnValues) -> bool:
    """Whether no two classes share a value, or a range of numbers, and TMAs are not the reason.

    Columns of the same partition as the classes are not meant (see `same_partition`), nor those
    with a value for each TMA or for each unit: such a column comes apart with these.

    Parameters
    ----------
    task : TaskSpots
        The spots of a task.
    tma, column : ColumnValues
        TMA and value of each spot.
    """
    if len(column.levels) < 2 or same_partition(task, column):
        return False
    present = [one for one in range(len(task.classes)) if np.any(column.known & (task.y == one))]
    if len(present) < 2:
        return False
    if column.numbers is not None:
        of_class = [column.numbers[column.known & (task.y == one)] for one in present]
        ranges = sorted((values.min(), values.max()) for values in of_class)
        return all(low > high for (_, high), (low, _) in pairwise(ranges))
    unit = np.unique(unit_ids(task.spots, "patient"), return_inverse=True)[1]
    several_units = _pairs(column.codes, unit)[1] > 1
    disjoint = _pairs(column.codes, task.y)[1] == 1
    return disjoint and several_units and not _constant_within(tma, column)


def comparable_columns(
    task: TaskSpots, read: Mapping[str, ColumnValues], rows: Collection[DesignRow]
) -> tuple[list[str], list[str]]:
    """Columns that go with the label, inside which classes can still be compared.

    Parameters
    ----------
    task : TaskSpots
        The spots of a task.
    read : mapping of str to ColumnValues
        Columns of the spots, the TMA among them. Those with one value for each TMA are left out.
    rows : collection of DesignRow
        How strongly each goes with the label.

    Returns
    -------
    to_stratify_by, to_match_on : list of str
        Columns with levels that hold several classes, and numeric columns, the strongest
        association first.
    """
    to_stratify_by, to_match_on = [], []
    notable = [row for row in rows if row.notable and row.column in read]
    for name in dict.fromkeys(row.column for row in notable):
        if name in NAMES or _constant_within(read["tma"], read[name]):
            continue
        if all(row.kind == "numeric" for row in notable if row.column == name):
            to_match_on.append(name)
        elif _pairs(read[name].codes, task.y)[1] > 1:
            to_stratify_by.append(name)
    return to_stratify_by, to_match_on


def _constant_within(outer: ColumnValues, inner: ColumnValues) -> bool:
    """Whether a column has one value for each value of another."""
    return _pairs(outer.codes, inner.codes)[1] <= 1


def _pairs(outer: npt.NDArray[Any], inner: npt.NDArray[Any]) -> tuple[int, int]:
    """Number of different pairs of known values, and the most values of `inner` in one `outer`."""
    known = (outer >= 0) & (inner >= 0)
    pairs = np.unique(np.stack([outer[known], inner[known]]), axis=1)
    return pairs.shape[1], int(np.bincount(pairs[0]).max()) if pairs.size else 0
