"""Bootstrap over patients: against a plain loop, on perfect and on clustered data."""

from __future__ import annotations

import time

import numpy as np
import pytest

from corespot.evaluate.aggregate import Units
from corespot.evaluate.intervals import METRICS, draw_patients, patient_intervals
from corespot.evaluate.summary import point_metrics


def units_of(patient, y, probability, *, repeat=None) -> Units:
    n = len(y)
    patient = np.asarray(patient, dtype=np.int64)
    return Units(
        repeat=np.zeros(n, np.int64) if repeat is None else repeat,
        fold=np.zeros(n, np.int64),
        core=patient,
        patient=patient,
        y=np.asarray(y, dtype=np.int64),
        predicted=probability.argmax(axis=1).astype(np.int64),
        probability=probability,
        n_spots=np.ones(n, np.int64),
        mixed=np.zeros(n, dtype=bool),
    )


def clustered(n_patients: int, per_patient: int, seed: int, n_classes: int = 2) -> Units:
    """Spots whose score is mostly their patient's."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), per_patient)
    y = patient % n_classes
    score = np.eye(n_classes)[y] + rng.normal(0, 1, (n_patients, n_classes))[patient]
    score += rng.normal(0, 0.3, score.shape)
    probability = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    return units_of(patient, y, probability.round(2) / probability.round(2).sum(1, keepdims=True))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_agrees_with_resampling_one_by_one(n_classes) -> None:
    units = clustered(12, 7, 1, n_classes)
    found = patient_intervals(units, n_bootstrap=40, rng=np.random.default_rng(5))
    draws = draw_patients(np.arange(12) % n_classes, 40, np.random.default_rng(5)).astype(int)
    slow = []
    for line in draws:
        positions = np.concatenate(
            [np.flatnonzero(units.patient == p) for p in range(12) for _ in range(line[p])]
        )
        slow.append(
            point_metrics(
                units_of(units.patient[positions], units.y[positions], units.probability[positions])
            )
        )
    for metric in METRICS:
        expected = np.percentile([values[metric] for values in slow], [2.5, 97.5])
        assert found[metric] == pytest.approx(expected.tolist()), metric


def test_perfect_classifier_has_no_spread() -> None:
    y = np.repeat([0, 1, 0, 1, 0], 6)
    units = units_of(np.repeat(np.arange(5), 6), y, np.eye(2)[y])
    found = patient_intervals(units, n_bootstrap=200, rng=np.random.default_rng(0))
    for metric in ("balanced_accuracy", "auc", "sensitivity", "specificity", "f1"):
        assert found[metric] == [1.0, 1.0]
    assert found["brier"] == found["ece"] == [0.0, 0.0]


def width(interval) -> float:
    return interval[1] - interval[0]


def test_resampling_spots_would_be_too_narrow() -> None:
    units = clustered(30, 40, 2)
    as_spots = units_of(np.arange(len(units)), units.y, units.probability)
    rng = np.random.default_rng(0)
    honest = patient_intervals(units, n_bootstrap=400, rng=rng)
    narrow = patient_intervals(as_spots, n_bootstrap=400, rng=rng)
    for metric in ("balanced_accuracy", "auc", "brier"):
        assert width(honest[metric]) > 3 * width(narrow[metric])


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = np.mean(
        [point_metrics(clustered(4000, 4, seed))["balanced_accuracy"] for seed in (900, 901)]
    )
    hits = 0
    for seed in range(80):
        interval = patient_intervals(
            clustered(40, 10, seed), n_bootstrap=200, rng=np.random.default_rng(seed)
        )["balanced_accuracy"]
        hits += interval[0] <= truth <= interval[1]
    assert 0.87 <= hits / 80 <= 1.0


def test_repeats_of_the_same_spots_do_not_narrow_the_interval() -> None:
    once = clustered(20, 10, 3)
    twice = Units(
        repeat=np.repeat([0, 1], len(once)),
        **{
            name: np.concatenate([getattr(once, name)] * 2)
            for name in ("fold", "core", "patient", "y", "predicted", "probability", "n_spots")
        },
        mixed=np.zeros(2 * len(once), dtype=bool),
    )
    one, two = (
        patient_intervals(units, n_bootstrap=100, rng=np.random.default_rng(1))
        for units in (once, twice)
    )
    for metric in METRICS:
        assert one[metric] == pytest.approx(two[metric])


def test_draws_keep_the_size_of_every_stratum() -> None:
    strata = np.array([0, 1, 1, 0, 1, 2])
    draws = draw_patients(strata, 50, np.random.default_rng(0))
    for stratum, size in ((0, 2), (1, 3), (2, 1)):
        assert (draws[:, strata == stratum].sum(axis=1) == size).all()
    assert draws[:, 1].std() > 0


def test_no_interval_from_one_patient_a_class() -> None:
    y = np.repeat([0, 1, 0], 5)
    units = units_of(np.repeat([0, 1, 2], 5), y, np.eye(2)[y])
    found = patient_intervals(units, n_bootstrap=50, rng=np.random.default_rng(0))
    assert set(found.values()) == {None}
    none = patient_intervals(clustered(8, 3, 0), n_bootstrap=0, rng=np.random.default_rng(0))
    assert set(none.values()) == {None}


def test_paper_scale_takes_seconds() -> None:
    units = clustered(300, 90, 0)
    start = time.process_time()
    patient_intervals(units, n_bootstrap=1000, rng=np.random.default_rng(0))
    assert time.process_time() - start < 6.0
