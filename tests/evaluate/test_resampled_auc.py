"""AUC of resampled patients: pairs counted between patients against weighted units one by one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from corespot.evaluate import intervals
from corespot.evaluate.aggregate import Units

Floats = npt.NDArray[np.float64]


def units(
    n: int, n_classes: int, n_patients: int, seed: int
) -> tuple[Units, npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    y, code = rng.integers(0, n_classes, n), rng.integers(0, n_patients, n)
    probability = rng.integers(1, 9, (n, n_classes)) / 8  # many ties
    none = np.zeros(n, dtype=np.int64)
    made = Units(
        repeat=none,
        fold=none,
        core=code,
        patient=code,
        y=y,
        predicted=probability.argmax(axis=1),
        probability=probability / probability.sum(axis=1, keepdims=True),
        n_spots=none + 1,
        mixed=none.astype(bool),
    )
    return made, code


def slowly(of: Units, code: npt.NDArray[np.int64], draws: Floats) -> Floats:
    classes = [1] if of.n_classes == 2 else range(of.n_classes)
    areas = np.zeros(len(draws))
    for k in classes:
        score, own = of.probability[:, k], of.y == k
        wins = (score[own][:, None] > score[~own]) + 0.5 * (score[own][:, None] == score[~own])
        for at, weight in enumerate(draws[:, code]):
            pairs = weight[own].sum() * weight[~own].sum()
            won = weight[own] @ wins @ weight[~own]
            areas[at] += (won / pairs if pairs > 0 else np.nan) / len(classes)
    return areas


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("n", "n_patients"), [(300, 11), (40, 40), (7, 2), (60, 1)])
@pytest.mark.parametrize("block", [8_000_000, 50])
def test_it_equals_weighted_units(
    n_classes: int, n: int, n_patients: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "_BLOCK", block)
    of, code = units(n, n_classes, n_patients, n)
    draws = np.random.default_rng(1).integers(0, 3, (25, n_patients)).astype(np.float64)
    draws[0] = 0
    found = intervals._resampled_auc(of, code, draws)
    np.testing.assert_allclose(found, slowly(of, code, draws), rtol=1e-14)
    assert np.isnan(found[0])


def test_a_class_without_units_has_no_area() -> None:
    of, code = units(30, 2, 4, 0)
    of.y[:] = 0
    assert np.isnan(intervals._resampled_auc(of, code, np.ones((2, 4)))).all()
