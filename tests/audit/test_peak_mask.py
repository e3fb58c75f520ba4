"""Peak bins of a mean spectrum, against a slow reference and planted peaks."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_spectra import AXIS, Simulated

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.peak_mask import PeakMask, _sliding_percentile, peak_mask
from corespot.axis import MzAxis
from corespot.errors import ModelError

SIMULATED = Simulated()


def test_percentile_is_that_of_the_bins_within_five_daltons_on_a_tof_axis():
    values = np.random.default_rng(0).gamma(1.0, 1.0, 900)
    axis = MzAxis.tof(1000, 1400, 900)
    slow = [np.percentile(values[np.abs(axis.mz - m) <= 5], 30) for m in axis.mz]
    np.testing.assert_allclose(_sliding_percentile(values, axis), slow, rtol=1e-12)


def test_planted_peaks_are_found_and_baseline_is_not():
    peaks = SIMULATED.spectrum()
    mask = peak_mask(peaks + SIMULATED.baseline, AXIS)
    ratio = mask.baseline / SIMULATED.baseline
    # Where peptides crowd, the lower third of a window is no longer baseline alone.
    assert np.min(ratio) > 0.98 and np.median(ratio) == pytest.approx(1, abs=0.01)
    high, low = peaks > 3 * SIMULATED.baseline, peaks < 0.1 * SIMULATED.baseline
    assert np.all(mask.is_peak[high])
    # One bin beside a peak belongs to it.
    deep = low & np.roll(low, 1) & np.roll(low, -1)
    assert not np.any(mask.is_peak[deep])
    assert np.mean(deep) > 0.3


def test_one_bin_on_either_side_of_a_peak_belongs_to_it():
    values = np.ones(200)
    values[100] = 10.0
    mask = peak_mask(values, MzAxis.equidistant(1000, 1040, 200))
    assert np.flatnonzero(mask.is_peak).tolist() == [99, 100, 101]


@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_the_scale_of_the_intensities_does_not_matter(scale: float, seed: int):
    values = np.random.default_rng(seed).gamma(0.5, 1.0, 400)
    axis = MzAxis.tof(1000, 1100, 400)
    np.testing.assert_array_equal(
        peak_mask(values, axis).is_peak, peak_mask(values * scale, axis).is_peak
    )


@pytest.mark.parametrize(
    ("axis", "word"),
    [
        (MzAxis(np.sort(np.random.default_rng(1).uniform(600, 1500, 593))), "list of 593 peaks"),
        (MzAxis.equidistant(600, 1600, 1001), "1 Da"),
        (MzAxis(np.array([600.0, 700.0])), "2 bins"),
    ],
)
def test_without_a_profile_everything_is_peak_and_the_reason_is_given(axis: MzAxis, word: str):
    mask = peak_mask(np.ones(axis.n_bins), axis)
    assert np.all(mask.is_peak) and not np.any(mask.off_peak)
    assert isinstance(mask.no_profile, NotApplicable) and word in mask.no_profile.reason
    assert mask.no_off_peak is mask.no_profile


def test_a_listed_axis_with_even_steps_is_a_profile():
    listed = MzAxis(np.linspace(1000, 1100, 700))
    assert peak_mask(np.ones(700), listed).no_profile is None


def test_a_mask_without_off_peak_bins_says_so():
    reason = PeakMask(np.ones(5, dtype=bool), np.zeros(5)).no_off_peak
    assert reason is not None and "no bin lies outside" in reason.reason
    assert PeakMask(np.zeros(5, dtype=bool), np.zeros(5)).no_off_peak is None


def test_wrong_length_and_values_that_are_not_finite_are_refused():
    with pytest.raises(ModelError, match="expected one value for each of 6600 bins"):
        peak_mask(np.ones(7), AXIS)
    values = np.ones(AXIS.n_bins)
    values[3] = np.nan
    with pytest.raises(ModelError, match="bin 3 holds nan"):
        peak_mask(values, AXIS)


def test_paper_size_is_fast_and_small():
    axis = MzAxis.tof(500, 4500, 27286)
    values = np.random.default_rng(0).gamma(1.0, 1.0, axis.n_bins)
    peak_mask(values, axis)
    started = time.process_time()
    peak_mask(values, axis)
    assert time.process_time() - started < 1.0
    tracemalloc.start()
    peak_mask(values, axis)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 128 * 2**20
