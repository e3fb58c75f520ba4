"""Paired differences: against a plain loop, and where the answer is known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from corespot.errors import StoreError
from corespot.evaluate.aggregate import LEVELS, Units, at_level
from corespot.evaluate.intervals import draw_patients, patient_strata
from corespot.evaluate.paired import PAIRED_METRICS, paired_differences
from corespot.evaluate.summary import point_metrics
from corespot.seeding import generator


def decided(patient, core, y, probability, repeat=None) -> Units:
    n = len(y)
    return Units(
        repeat=np.zeros(n, np.int64) if repeat is None else repeat,
        fold=np.asarray(patient, dtype=np.int64) % 3,
        core=np.asarray(core, dtype=np.int64),
        patient=np.asarray(patient, dtype=np.int64),
        y=np.asarray(y, dtype=np.int64),
        predicted=probability.argmax(axis=1).astype(np.int64),
        probability=probability,
        n_spots=np.ones(n, np.int64),
        mixed=np.zeros(n, dtype=bool),
    )


def two_models(n_patients: int, per_patient: int, n_classes: int = 2, seed: int = 0):
    """Spots of patients with two cores each, seen by a better and a worse model."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), per_patient)
    core = patient * 2 + np.tile(np.arange(per_patient) % 2, n_patients)
    y = patient % n_classes
    own = rng.normal(0, 1, (n_patients, n_classes))[patient]
    models = []
    for strength in (1.0, 2.0):
        score = strength * np.eye(n_classes)[y] + own + rng.normal(0, 0.5, own.shape)
        score = np.round(np.exp(score) / np.exp(score).sum(axis=1, keepdims=True), 2)
        models.append(decided(patient, core, y, score / score.sum(axis=1, keepdims=True)))
    return models


def row(table, level: str, metric: str):
    return table[(table["level"] == level) & (table["metric"] == metric)].iloc[0]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_agrees_with_resampling_patients_one_by_one(n_classes) -> None:
    reference, other = two_models(12, 6, n_classes)
    found = paired_differences(reference, other, n_bootstrap=30, seed=4)
    strata = patient_strata(reference.patient, reference, 12)
    draws = draw_patients(strata, 30, generator(4, "bootstrap")).astype(int)
    for level in LEVELS:
        slow = []
        for line in [np.ones(12, int), *draws]:
            values = []
            for model in (reference, other):
                units = at_level(model, level)
                at = [np.flatnonzero(units.patient == p) for p in range(12) for _ in range(line[p])]
                at = np.concatenate(at)
                values.append(
                    point_metrics(
                        decided(
                            units.patient[at], units.core[at], units.y[at], units.probability[at]
                        )
                        if level != "core"
                        else _as_decided(units, at)
                    )
                )
            slow.append([values[1][name] - values[0][name] for name in PAIRED_METRICS])
        for metric, column in zip(PAIRED_METRICS, np.transpose(slow), strict=True):
            one = row(found, level, metric)
            assert one["difference"] == pytest.approx(column[0]), (level, metric)
            expected = np.percentile(column[1:], [2.5, 97.5])
            assert [one["low"], one["high"]] == pytest.approx(expected.tolist()), (level, metric)


def _as_decided(units: Units, at) -> Units:
    """Votes can tie, so that what was decided must be carried over, not decided anew."""
    picked = decided(units.patient[at], units.core[at], units.y[at], units.probability[at])
    picked.predicted[:] = units.predicted[at]
    return picked


def test_a_run_against_itself_differs_by_nothing_for_sure() -> None:
    model, _ = two_models(10, 4)
    found = paired_differences(model, model)
    assert (found[["difference", "low", "high"]] == 0).all().all()


def test_known_shift_of_one_spot_a_patient_has_a_known_difference() -> None:
    """Of ten spots a patient the second model gets one more right in every patient alike."""
    patient = np.repeat(np.arange(8), 10)
    y = patient % 2
    place = np.tile(np.arange(10), 8)

    def right(n: int):
        true = np.where(place < n, 0.9, 0.1)
        return np.stack([np.where(y == 0, true, 1 - true), np.where(y == 1, true, 1 - true)], 1)

    found = paired_differences(
        decided(patient, patient, y, right(7)), decided(patient, patient, y, right(8))
    )
    for metric in ("balanced_accuracy", "sensitivity", "specificity"):
        one = row(found, "spot", metric)
        assert [one["difference"], one["low"], one["high"]] == pytest.approx([0.1, 0.1, 0.1])
        assert (one["reference"], one["run"]) == pytest.approx((0.7, 0.8))
    assert row(found, "patient", "balanced_accuracy")["difference"] == 0


def test_pairing_takes_away_what_is_hard_for_both() -> None:
    reference, other = two_models(24, 10, seed=3)
    paired = row(paired_differences(reference, other), "spot", "balanced_accuracy")
    shuffled = np.random.default_rng(0).permutation(12)
    order = np.concatenate(
        [np.flatnonzero(other.patient == 2 * shuffled[p // 2] + p % 2) for p in range(24)]
    )
    probability = other.probability[order]
    crossed = decided(reference.patient, reference.core, reference.y, probability)
    loose = row(paired_differences(reference, crossed), "spot", "balanced_accuracy")
    assert loose["difference"] == pytest.approx(paired["difference"])
    assert loose["high"] - loose["low"] > 1.3 * (paired["high"] - paired["low"])


def test_other_numbers_of_repeats_are_averaged() -> None:
    reference, other = two_models(10, 4)
    once = paired_differences(reference, other, n_bootstrap=20)
    fields = (getattr(other, name) for name in ("patient", "core", "y", "probability"))
    twice = decided(
        *(np.concatenate([field, field]) for field in fields),
        repeat=np.repeat([0, 1], len(other)),
    )
    found = paired_differences(reference, twice, n_bootstrap=20)
    assert np.allclose(found["low"], once["low"])
    assert np.allclose(found["difference"], once["difference"])


def test_other_spots_and_single_patients_are_refused_or_without_interval() -> None:
    reference, other = two_models(10, 4)
    with pytest.raises(StoreError, match="40 and 36 spots"):
        paired_differences(reference, other.select(other.patient < 9))
    turned = decided(other.patient, other.core, 1 - other.y, other.probability)
    with pytest.raises(StoreError, match="not the same"):
        paired_differences(reference, turned)
    few = [one.select(one.patient < 3) for one in (reference, other)]
    found = paired_differences(*few)
    assert found["low"].isna().all()
    assert np.isfinite(row(found, "spot", "auc")["difference"])


def test_27000_spots_take_less_than_a_second() -> None:
    reference, other = two_models(64, 422)
    start = time.process_time()
    paired_differences(reference, other)
    assert time.process_time() - start < 1.0
