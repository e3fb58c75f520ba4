"""Differences of classes over patients, against means that are written out spot by spot."""

from __future__ import annotations

import numpy as np
import pytest

from corespot.audit.shares.class_gap import class_gap

#: Patients with very unequal numbers of spots, some of them with spots of several classes.
SPOTS = {("a", 0): 1, ("a", 1): 9, ("a", 2): 2, ("b", 0): 7, ("c", 1): 3, ("c", 2): 8, ("d", 2): 1}


@pytest.fixture
def spots() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectra, classes and patients in no order."""
    rng = np.random.default_rng(3)
    patients = np.array([name for (name, _), n in SPOTS.items() for _ in range(n)])
    y = np.array([k for (_, k), n in SPOTS.items() for _ in range(n)])
    x = rng.gamma(2.0, 1.0, (len(y), 11)) + y[:, None]
    order = rng.permutation(len(y))
    return x[order], y[order], patients[order]


@pytest.mark.parametrize("k", [0, 1, 2])
def test_sides_weigh_spots_in_a_patient_and_patients_alike(
    spots: tuple[np.ndarray, np.ndarray, np.ndarray], k: int
) -> None:
    x, y, patients = spots
    gap = class_gap(x, y, patients, 3)
    reading = np.random.default_rng(4).normal(size=11)
    written_out = []
    for side, belongs in zip(gap.sides(k), (y == k, y != k), strict=True):
        names = np.unique(patients[belongs])
        means = np.stack([x[belongs & (patients == name)].mean(axis=0) for name in names])
        assert gap.names[side.patients].tolist() == names.tolist()
        np.testing.assert_allclose(side.along(reading), means @ reading, rtol=1e-12)
        np.testing.assert_allclose(side.mean(), means.mean(axis=0), rtol=1e-12)
        written_out.append(means.mean(axis=0))
    np.testing.assert_allclose(gap.delta(k), written_out[0] - written_out[1], rtol=1e-12)


def test_the_spread_within_classes_is_pooled_over_spots(
    spots: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    x, y, patients = spots
    centred = np.concatenate([x[y == k] - x[y == k].mean(axis=0) for k in range(3)])
    expected = np.sqrt((centred**2).sum(axis=0) / (len(x) - 3))
    np.testing.assert_allclose(class_gap(x, y, patients, 3).sigma, expected, rtol=1e-12)
