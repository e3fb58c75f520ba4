"""A column that parts the spots as the classes do, apart from them, or across them."""

from __future__ import annotations

import numpy as np
import pytest
from design_tasks import table

from corespot.audit.design.design_rows import design_rows
from corespot.audit.design.metadata_column import ColumnValues, read_column
from corespot.audit.design.partitions import classes_apart, comparable_columns, same_partition

#: Two classes of six patients, each on both of two TMAs.
TASK = table("a" * 6 + "b" * 6, ["T1", "T2"] * 6)


def column(values: list[object]) -> ColumnValues:
    """A value of each patient, repeated over the six spots."""
    return read_column(np.repeat(np.asarray([str(value) for value in values]), 6))


TMA = column(["T1", "T2"] * 6)


def test_one_value_a_class_is_the_same_partition_though_some_are_missing() -> None:
    assert same_partition(TASK, column(["u"] * 6 + ["v"] * 6))
    assert same_partition(TASK, column(["u", ""] * 3 + ["v", ""] * 3))
    assert not same_partition(TASK, column(["u"] * 6 + ["v"] * 5 + ["u"]))
    assert not same_partition(TASK, column(["u"] * 6 + ["v"] * 3 + ["w"] * 3))
    assert not same_partition(TASK, column(["u"] * 6 + [""] * 6))
    assert not same_partition(TASK, column(["u", "v"] * 3 + [""] * 6))


@pytest.mark.parametrize(
    ("values", "apart"),
    [
        (list("uvwuvw") + list("xyzxyz"), True),
        (list("uvwuvw") + list("xyzxyu"), False),
        (list("uvwuvw") + list("rstxyz"), True),
        ([*range(60, 66), *range(50, 56)], True),
        ([*range(60, 66), *range(55, 61)], False),
        (list("abcdefghijkl"), False),  # every patient has its own
        (["u"] * 6 + ["v"] * 6, False),  # the classes themselves
        (["u"] * 12, False),
        (list("uvwuvw") + [""] * 6, False),
    ],
)
def test_classes_are_apart_where_they_share_no_value_or_range(
    values: list[object], apart: bool
) -> None:
    assert classes_apart(TASK, TMA, column(values)) is apart


def test_a_value_for_each_tma_is_not_called_apart() -> None:
    nested = table("a" * 6 + "b" * 6, ["T1", "T2", "T3"] * 2 + ["T4", "T5", "T6"] * 2)
    tma = read_column(nested.spots["tma"])
    assert not classes_apart(nested, tma, column(list("uvwuvw") + list("xyzxyz")))


def test_columns_inside_which_classes_can_be_compared() -> None:
    rng = np.random.default_rng(0)
    labels = "a" * 30 + "b" * 30
    tmas = ["T1"] * 25 + ["T2"] * 5 + ["T1"] * 5 + ["T2"] * 25
    task = table(labels, tmas)
    read = {
        "tma": read_column(task.spots["tma"]),
        "campaign": column(["A" if tma == "T1" else "B" for tma in tmas]),
        "scanner": column(list("xy" * 15) + list("zw" * 15)),
        "grade": column(["high"] * 4 + ["low"] * 26 + ["high"] * 26 + ["low"] * 4),
        "age": column([*rng.normal(50, 6, 30).round(2), *rng.normal(62, 6, 30).round(2)]),
        "site": column(list("uv" * 30)),
    }
    rows = design_rows(task, read)
    notable = {row.column for row in rows if row.notable}
    assert {"tma", "campaign", "scanner", "grade", "age"} <= notable and "site" not in notable
    # What comes with the TMA, or holds one class, leaves nothing to compare.
    assert comparable_columns(task, read, rows) == (["grade"], ["age"])
