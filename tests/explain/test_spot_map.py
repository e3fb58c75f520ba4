"""Sensitivities of spots, averaged over the folds that were trained on them."""

from __future__ import annotations

import numpy as np
import pytest

from corespot.errors import ModelError
from corespot.explain.spot_map import average_spot_maps

CLASSES = ("tumor", "stroma")


def test_each_spot_is_averaged_over_the_folds_it_was_trained_in() -> None:
    table = average_spot_maps(
        [
            (np.array([7, 2]), np.array([[1.0, 2.0], [10.0, 20.0]])),
            (np.array([2, 5]), np.array([[4.0, 6.0], [40.0, 60.0]])),
        ],
        CLASSES,
    )
    assert list(table.columns) == ["row", "class", "sensitivity"]
    assert table["row"].tolist() == [2, 5, 7] * 2
    assert table["class"].tolist() == ["tumor"] * 3 + ["stroma"] * 3
    assert table["sensitivity"].tolist() == [3.0, 6.0, 1.0, 30.0, 60.0, 10.0]


def test_folds_may_come_one_after_another_and_in_any_order() -> None:
    rng = np.random.default_rng(0)
    folds = [(rng.permutation(20)[:15], rng.random((2, 15))) for _ in range(3)]
    first = average_spot_maps((fold for fold in folds), CLASSES)
    second = average_spot_maps(reversed(folds), CLASSES)
    assert first["row"].tolist() == second["row"].tolist()
    assert first["sensitivity"].to_numpy() == pytest.approx(second["sensitivity"].to_numpy())


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([], "no sensitivities"),
        ([(np.array([1, 2]), np.ones((2, 3)))], r"\(2, 3\), expected \(2, 2\)"),
        ([(np.array([1, 2]), np.ones((3, 2)))], r"\(3, 2\), expected \(2, 2\)"),
        ([(np.array([1, 1]), np.ones((2, 2)))], "fold 0 names a row twice"),
        ([(np.array([1, 2]), np.full((2, 2), np.nan))], "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(folds, message) -> None:
    with pytest.raises(ModelError, match=message):
        average_spot_maps(folds, CLASSES)
