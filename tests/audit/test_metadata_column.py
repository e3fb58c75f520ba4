"""Columns are read as numbers, dates or levels, and what is missing is missing."""

from __future__ import annotations

import numpy as np

from corespot.audit.design.metadata_column import read_column


def test_text_that_looks_like_numbers_or_dates_is_read_as_such() -> None:
    ages = read_column(["61", "70.5", "", "9"])
    assert ages.numbers is not None and ages.levels == ("9", "61", "70.5")
    assert np.isnan(ages.numbers[2]) and ages.numbers[1] == 70.5
    assert ages.codes.tolist() == [1, 2, -1, 0]
    dates = read_column(["1970-01-02", "1970-01-03T12:00", "2024-02-29"])
    assert dates.numbers is not None and dates.numbers[:2].tolist() == [1.0, 2.5]
    assert read_column(["1970-01-02", "soon"]).numbers is None
    assert read_column(["2024-02-31", "2024-02-28"]).numbers is None
    assert read_column(["1", "1.0", "2"]).levels == ("1", "2")
    assert read_column(np.array([True, False])).numbers is None
    assert read_column(np.array([1.0, np.nan, np.inf])).known.tolist() == [True, False, False]
    assert read_column(["", None]).levels == ()


def test_few_different_numbers_are_levels_too() -> None:
    assert read_column(["1", "2", "3"] * 4).kinds(12) == ("numeric", "categorical")
    assert read_column(["1", "2", "3"] * 4).kinds(8) == ("numeric",)
    assert read_column(["0", "1"] * 4).kinds(8) == ("categorical",)
    assert read_column(["a", "b", "c"]).kinds(3) == ("categorical",)
