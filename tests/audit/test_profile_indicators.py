"""Profiles whose indicators are known in closed form, and profiles of planted models."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_spectra import AXIS, Simulated

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.profile_indicators import INDICATORS, profile_indicators
from corespot.audit.shares.gap_parts import mean_derivatives
from corespot.audit.shares.mass_rule import mass_rule_distance
from corespot.audit.shares.peak_mask import peak_mask
from corespot.axis import MzAxis
from corespot.errors import ModelError

SIMULATED = Simulated()
MEAN = SIMULATED.spectrum() + SIMULATED.baseline
MASK = peak_mask(MEAN, AXIS)
HIGH = MzAxis.tof(1500.0, 2600.0, 9000)
HIGH_SPECTRUM = Simulated(HIGH, n_peptides=120, seed=3)
HIGH_MEAN = HIGH_SPECTRUM.spectrum() + HIGH_SPECTRUM.baseline
HIGH_MASK = peak_mask(HIGH_MEAN, HIGH)
PEAKS = SIMULATED.spectrum()


def of(profile, axis=AXIS, mean=MEAN, mask=MASK):
    return profile_indicators(np.atleast_2d(profile), axis, mean, mask).by_class[0]


def test_an_even_profile_has_full_entropy_and_spread_and_prefers_nothing():
    found = of(np.ones(AXIS.n_bins))
    assert found["spectral_entropy"] == pytest.approx(1)
    assert found["energy_spread"] == pytest.approx(0.9, abs=1e-3)
    assert found["off_peak_energy_density"] == pytest.approx(0.5)
    assert found["forbidden_defect_energy"] == pytest.approx(0.5)


def test_one_bin_has_no_entropy_and_the_least_spread():
    profile = np.zeros(AXIS.n_bins)
    profile[np.flatnonzero(MASK.is_peak)[5]] = -3.0
    found = of(profile)
    assert found["spectral_entropy"] == pytest.approx(0)
    assert found["energy_spread"] == pytest.approx(1 / AXIS.n_bins)
    assert found["off_peak_energy_density"] == 0


def test_two_equal_bins_have_the_entropy_of_one_bit():
    profile = np.zeros(AXIS.n_bins)
    profile[[10, 3000]] = [1.0, -1.0]
    assert of(profile)["spectral_entropy"] == pytest.approx(np.log(2) / np.log(AXIS.n_bins))


def test_off_peak_density_is_the_ratio_of_mean_energies():
    profile = np.where(MASK.is_peak, 1.0, 2.0)
    assert of(profile)["off_peak_energy_density"] == pytest.approx(4 / 5)


def test_forbidden_energy_lies_between_the_clusters():
    between = np.where(mass_rule_distance(AXIS.mz) > 0.3, 3.0, 1.0)
    assert of(between)["forbidden_defect_energy"] == pytest.approx(9 / 10)
    assert of(PEAKS)["forbidden_defect_energy"] < 0.1


def test_shape_and_slope_of_the_mean_spectrum_are_told_apart():
    above = np.maximum(MEAN - MASK.baseline, 0)
    slope = mean_derivatives(MEAN, AXIS)[0]
    assert of(above)["derivative_shape"] == pytest.approx(0, abs=1e-12)
    assert of(np.where(MASK.is_peak, slope, 0))["derivative_shape"] > 0.9
    # What lies outside peaks is of no concern.
    assert of(above + 9.0 * MASK.off_peak)["derivative_shape"] == pytest.approx(0, abs=1e-12)


def test_a_ripple_above_1900_is_broadband_and_peaks_are_not():
    ripple = np.where(HIGH.mz > 1900, np.sin(2 * np.pi * HIGH.mz / 1.7), 0.0)
    peaks = HIGH_SPECTRUM.spectrum()
    assert of(ripple, HIGH, HIGH_MEAN, HIGH_MASK)["broadband_oscillation"] > 1
    lonely = np.where((HIGH.mz > 2000) & (HIGH.mz < 2100), peaks, 0.0)
    assert of(lonely, HIGH, HIGH_MEAN, HIGH_MASK)["broadband_oscillation"] < 0.05
    # A level without oscillation is none.
    level = np.ones(HIGH.n_bins)
    assert of(level, HIGH, HIGH_MEAN, HIGH_MASK)["broadband_oscillation"] == pytest.approx(0)


@given(scale=st.floats(1e-9, 1e9), seed=st.integers(0, 20))
@settings(max_examples=15, deadline=None)
def test_neither_scale_nor_sign_of_the_profile_matters(scale: float, seed: int):
    profile = np.random.default_rng(seed).normal(size=HIGH.n_bins)
    there = of(profile, HIGH, HIGH_MEAN, HIGH_MASK)
    back = of(-scale * profile, HIGH, HIGH_MEAN, HIGH_MASK)
    for name in INDICATORS:
        assert there[name] == pytest.approx(back[name], rel=1e-6)


def test_what_the_axis_does_not_support_is_said():
    short = of(np.ones(AXIS.n_bins))["broadband_oscillation"]
    assert isinstance(short, NotApplicable) and "ends at 1800" in short.reason
    listed = MzAxis(np.sort(np.random.default_rng(1).uniform(600, 1500, 593)))
    mean = np.random.default_rng(2).gamma(1.0, 1.0, 593)
    found = of(mean, listed, mean, peak_mask(mean, listed))
    applies = {name for name in INDICATORS if not isinstance(found[name], NotApplicable)}
    assert applies == {"spectral_entropy", "energy_spread"}
    zero = of(np.zeros(AXIS.n_bins))
    assert all(isinstance(zero[name], NotApplicable) for name in INDICATORS)


def test_the_largest_over_classes_is_reported_and_all_are_kept():
    found = profile_indicators(
        np.stack([np.ones(AXIS.n_bins), PEAKS, np.zeros(AXIS.n_bins)]), AXIS, MEAN, MASK
    )
    assert len(found.by_class) == 3
    assert found.largest("off_peak_energy_density") == pytest.approx(0.5)
    assert isinstance(found.largest("broadband_oscillation"), NotApplicable)
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["largest"]["spectral_entropy"] == pytest.approx(1)


def test_profiles_that_do_not_lie_on_the_axis_are_refused():
    with pytest.raises(ModelError, match="one line a class"):
        profile_indicators(np.ones(AXIS.n_bins), AXIS, MEAN, MASK)
    bad = np.ones((2, AXIS.n_bins))
    bad[1, 7] = np.inf
    with pytest.raises(ModelError, match="bin 7 holds inf"):
        profile_indicators(bad, AXIS, MEAN, MASK)
