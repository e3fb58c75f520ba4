"""Nuisance features in closed form, and controls that know, or cannot know, the class."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from simulated_spectra import AXIS, Simulated

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators import negative_controls as module
from corespot.audit.indicators.negative_controls import deal_spots, negative_controls
from corespot.audit.indicators.nuisance_features import (
    N_RANGES,
    nuisance_feature_names,
    nuisance_features,
)
from corespot.audit.shares.peak_mask import peak_mask
from corespot.axis import MzAxis
from corespot.errors import ModelError

SIMULATED = Simulated()
MEAN = SIMULATED.spectrum() + SIMULATED.baseline
MASK = peak_mask(MEAN, AXIS)
NAMES = nuisance_feature_names()


def feature(x, name: str, axis: MzAxis = AXIS):
    found = nuisance_features(np.atleast_2d(x), axis)
    assert not isinstance(found, NotApplicable)
    return found[:, [NAMES.index(f"{name}_{index + 1}") for index in range(N_RANGES)]]


def test_there_are_twenty_four_named_features():
    assert len(NAMES) == len(set(NAMES)) == 24
    assert nuisance_features(np.ones((3, AXIS.n_bins)), AXIS).shape == (3, 24)


@pytest.mark.parametrize("shift", [0.0, 0.25, -0.1])
def test_phase_follows_a_shift_of_the_one_dalton_pattern(shift: float):
    axis = MzAxis.equidistant(1000, 1800, 8000)
    phase = 2 * np.pi * ((axis.mz - 1.007276) / 1.000495 - shift)
    x = 1 + 0.4 * np.cos(phase)
    np.testing.assert_allclose(
        feature(x, "phase_cosine", axis), np.cos(2 * np.pi * shift), atol=0.02
    )
    np.testing.assert_allclose(feature(x, "phase_sine", axis), np.sin(2 * np.pi * shift), atol=0.03)
    np.testing.assert_allclose(feature(x, "phase_strength", axis), 0.2, atol=0.01)


def test_roughness_is_that_of_second_differences():
    x = np.tile([1.0, 3.0], AXIS.n_bins // 2)
    # |3 − 2·1 + 3| = 4 everywhere, over a mean of 2.
    np.testing.assert_allclose(feature(x, "roughness"), 2.0, rtol=1e-3)
    np.testing.assert_allclose(feature(np.arange(1.0, AXIS.n_bins + 1), "roughness"), 0, atol=1e-4)


def test_levels_are_relative_to_the_mean():
    flat = np.full(AXIS.n_bins, 5.0)
    np.testing.assert_allclose(feature(flat, "low_percentile"), 1.0, rtol=1e-5)
    np.testing.assert_allclose(feature(flat, "forbidden_level"), 1.0, rtol=1e-5)
    mostly = np.where(np.arange(AXIS.n_bins) % 10 < 3, 1.0, 9.0)
    np.testing.assert_allclose(feature(mostly, "low_percentile"), 1 / 6.6, rtol=0.03)
    assert np.all(feature(MEAN, "forbidden_level") < 0.5)


def test_the_scale_of_a_spectrum_does_not_matter_and_nothing_is_zero():
    x = MEAN * np.random.default_rng(0).gamma(5.0, 0.2, (4, AXIS.n_bins))
    one = nuisance_features(x.astype(np.float32), AXIS)
    np.testing.assert_allclose(
        one, nuisance_features((1e4 * x).astype(np.float32), AXIS), rtol=1e-3
    )
    assert np.all(nuisance_features(np.zeros((2, AXIS.n_bins)), AXIS) == 0)


def test_blocks_do_not_change_the_features(monkeypatch):
    x = np.random.default_rng(0).gamma(1.0, 1.0, (5, AXIS.n_bins)).astype(np.float32)
    at_once = nuisance_features(x, AXIS)
    block = "corespot.audit.indicators.nuisance_features._BLOCK_VALUES"
    monkeypatch.setattr(block, 2 * AXIS.n_bins)
    np.testing.assert_allclose(nuisance_features(x, AXIS), at_once, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "axis",
    [
        MzAxis(np.sort(np.random.default_rng(1).uniform(600, 1500, 593))),
        MzAxis.tof(1380, 1940, 1000),
        MzAxis.equidistant(1000, 1010, 50),
    ],
)
def test_axes_without_a_one_dalton_pattern_have_no_features(axis: MzAxis):
    assert isinstance(nuisance_features(np.ones((2, axis.n_bins)), axis), NotApplicable)


def fold(artifact=None, n_patients=16, per_patient=6, seed=0):
    """Spots of patients whose spectra differ at random; an artifact may follow the class."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), per_patient)
    y = patient % 2
    noise = 0.1 * rng.normal(size=(len(y), AXIS.n_bins)) * np.sqrt(MEAN)
    x = MEAN * np.exp(0.05 * rng.normal(size=n_patients))[patient, None] + noise
    if artifact is not None:
        x += y[:, None] * artifact
    names = np.array([f"P{p:02d}" for p in patient])
    test = np.flatnonzero(patient >= n_patients // 2)
    train = np.flatnonzero(patient < n_patients // 2)
    return x.astype(np.float32), y, names, train, test


def controls(made, mask=MASK, axis=AXIS):
    return negative_controls(*made, axis=axis, mask=mask)


def test_an_artifact_outside_peaks_is_known_to_both_controls():
    found = controls(fold(0.3 * SIMULATED.baseline))
    assert found.off_peak > 0.95 and found.nuisance > 0.9
    assert found.largest == max(found.off_peak, found.nuisance)


def test_markers_alone_are_known_to_neither():
    lines = np.zeros_like(SIMULATED.areas).reshape(-1, 5)
    lines[10] = SIMULATED.areas.reshape(-1, 5)[10]
    marker = SIMULATED.spectrum(areas=lines.ravel()) * MASK.is_peak
    assert np.mean([controls(fold(marker, seed=seed)).off_peak for seed in range(4)]) < 0.65
    x, y, *_ = fold(marker)
    at = int(np.argmax(marker))
    assert (x[y == 1, at] > x[y == 0, at].mean()).mean() > 0.9


def test_a_shift_is_known_to_the_nuisance_features():
    shift = SIMULATED.spectrum(ppm=30.0) - SIMULATED.spectrum()
    assert controls(fold(shift)).nuisance > 0.9


def test_off_peak_control_sees_off_peak_bins_of_training_spots_alone():
    x, y, names, train, test = fold(0.3 * SIMULATED.baseline)
    before = controls((x, y, names, train, test)).off_peak
    x[:, MASK.is_peak] = np.random.default_rng(1).normal(size=(len(x), MASK.is_peak.sum()))
    assert controls((x, y, names, train, test)).off_peak == before
    turned = y.copy()
    turned[test] = 1 - y[test]
    assert controls((x, turned, names, train, test)).off_peak == pytest.approx(1 - before)


def test_three_classes_are_judged_at_their_own_chance():
    x, y, names, train, test = fold(n_patients=18)
    y = np.array([int(name[1:]) % 3 for name in names])
    x = x + (y == 2)[:, None] * np.float32(0.3) * SIMULATED.baseline.astype(np.float32)
    found = controls((x, y, names, train, test))
    # One class is known, the other two are guessed.
    assert found.off_peak == pytest.approx(2 / 3, abs=0.12)


def test_what_cannot_be_judged_is_said():
    listed = MzAxis(np.sort(np.random.default_rng(1).uniform(600, 1500, 593)))
    x = np.random.default_rng(0).gamma(1.0, 1.0, (96, 593)).astype(np.float32)
    _, y, names, train, test = fold()
    found = controls((x, y, names, train, test), peak_mask(x.mean(axis=0), listed), listed)
    assert isinstance(found.off_peak, NotApplicable) and isinstance(found.largest, NotApplicable)
    assert "not_applicable" in json.loads(json.dumps(found.as_dict()))["nuisance"]
    one = controls((fold()[0], np.zeros(96, dtype=np.int64), names, train, test))
    assert isinstance(one.largest, NotApplicable) and "two or more" in one.largest.reason
    with pytest.raises(ModelError, match="do not fit together"):
        controls((x, y[:-1], names, train, test))


def test_patients_take_turns_until_there_are_enough_spots():
    patients = np.array(["a"] * 50 + ["b"] * 5 + ["c"] * 20)
    rows = np.arange(100, 175)
    dealt = deal_spots(rows, patients, 20, np.random.default_rng(0))
    counts = {p: int(np.sum(patients[dealt - 100] == p)) for p in "abc"}
    assert counts["b"] == 5 and abs(counts["a"] - counts["c"]) <= 1 and sum(counts.values()) == 20
    assert len(np.unique(dealt)) == 20
    np.testing.assert_array_equal(deal_spots(rows, patients, 75, np.random.default_rng(0)), rows)


def test_few_spots_and_bins_say_nearly_the_same(monkeypatch):
    made = fold(0.3 * SIMULATED.baseline)
    monkeypatch.setattr(module, "MOST_SPOTS", 24)
    monkeypatch.setattr(module, "MOST_BINS", 500)
    started = time.process_time()
    assert controls(made).off_peak > 0.9
    assert time.process_time() - started < 5
