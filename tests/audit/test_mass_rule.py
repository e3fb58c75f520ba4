"""Peaks cut at their valleys, centroids in closed form, and which of them no peptide makes."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_spectra import AXIS, Simulated

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.mass_rule import (
    find_mean_peaks,
    mass_rule_distance,
    non_peptide_bins,
)
from corespot.audit.shares.peak_mask import peak_mask
from corespot.axis import MzAxis
from corespot.synth.spectra import draw_peptide_mz, mass_rule_mz

FLAT = 0.01


def bells(axis: MzAxis, centres, areas, width_da: float = 0.15):
    total = np.full(axis.n_bins, FLAT)
    for m, a in zip(centres, areas, strict=True):
        total += a * np.exp(-0.5 * ((axis.mz - m) / width_da) ** 2)
    return total


def test_distance_is_zero_on_the_rule_and_half_between_two_clusters():
    on = mass_rule_mz(np.arange(800, 3000))
    np.testing.assert_allclose(mass_rule_distance(on), 0, atol=1e-5)
    np.testing.assert_allclose(mass_rule_distance(on + 0.5 * 1.000495), 0.5, atol=1e-5)
    np.testing.assert_allclose(mass_rule_distance(on - 0.3 * 1.000495), 0.3, atol=1e-5)


def test_centroids_are_those_planted():
    centres = [1010.3, 1105.57, 1300.9, 1700.2]
    mean = bells(AXIS, centres, [1.0, 5.0, 0.4, 2.0])
    peaks = find_mean_peaks(mean, AXIS, peak_mask(mean, AXIS))
    np.testing.assert_allclose(peaks.centroid, centres, atol=0.005)


def test_overlapping_peaks_are_cut_at_the_valley_between_them():
    centres = [1200.0, 1200.7, 1201.5]
    mean = bells(AXIS, centres, [1.0, 2.0, 1.5], width_da=0.2)
    mask = peak_mask(mean, AXIS)
    peaks = find_mean_peaks(mean, AXIS, mask)
    assert len(peaks) == 3
    np.testing.assert_allclose(peaks.centroid, centres, atol=0.06)
    # Together they are the bins of the mask, each once.
    bins = np.concatenate([np.arange(a, b) for a, b in zip(peaks.start, peaks.stop, strict=True)])
    np.testing.assert_array_equal(bins, np.flatnonzero(mask.is_peak))


def test_only_the_peak_between_clusters_is_no_peptides():
    matrix = 1100 * 1.000495 + 1.00728 - 0.45
    simulated = Simulated(seed=2)
    keep = np.abs(simulated.lines - matrix) > 3
    mean = simulated.spectrum(areas=simulated.areas * keep) + simulated.baseline
    mean += bells(AXIS, [matrix], [0.5]) - FLAT
    found = non_peptide_bins(find_mean_peaks(mean, AXIS, peak_mask(mean, AXIS)), AXIS)
    assert not isinstance(found, NotApplicable)
    inside = AXIS.mz[found]
    assert found.sum() >= 4
    assert np.all(np.abs(inside - matrix) < 1.0)


def test_flanks_of_broad_peptide_peaks_are_not_taken_for_matrix():
    """The judgement bin by bin, which does not work, would call them that."""
    mean = bells(AXIS, [mass_rule_mz(1500)], [1.0], width_da=0.35)
    peaks = find_mean_peaks(mean, AXIS, peak_mask(mean, AXIS))
    flank = slice(int(peaks.start[0]), int(peaks.stop[0]))
    assert np.any(mass_rule_distance(AXIS.mz[flank]) > 0.3)
    assert not np.any(non_peptide_bins(peaks, AXIS))


def test_drawn_peptides_keep_the_rule_and_heavy_ones_are_not_judged():
    rng = np.random.default_rng(0)
    mz = draw_peptide_mz(200, 700, 3000, rng, keep_free=np.zeros(0))
    assert np.mean(mass_rule_distance(mz) > 0.3) == 0
    axis = MzAxis.tof(3000, 4000, 4000)
    mean = bells(axis, [mass_rule_mz(3200) + 0.5, mass_rule_mz(3800) + 0.5], [1.0, 1.0])
    found = non_peptide_bins(find_mean_peaks(mean, axis, peak_mask(mean, axis)), axis)
    assert np.any(found[axis.mz < 3500]) and not np.any(found[axis.mz > 3500])
    high = MzAxis.tof(3600, 4000, 1600)
    mean = bells(high, [3700.0], [1.0])
    reason = non_peptide_bins(find_mean_peaks(mean, high, peak_mask(mean, high)), high)
    assert isinstance(reason, NotApplicable) and "below m/z 3500" in reason.reason


def test_every_line_of_a_list_is_a_peak_by_itself():
    on, off = mass_rule_mz([900, 1003, 1104]), mass_rule_mz([950, 1060]) + 0.45
    axis = MzAxis(np.sort(np.concatenate([on, off, np.array([1500.2, 2000.0])])))
    peaks = find_mean_peaks(np.ones(axis.n_bins), axis, peak_mask(np.ones(axis.n_bins), axis))
    np.testing.assert_array_equal(peaks.centroid, axis.mz)
    found = non_peptide_bins(peaks, axis)
    assert not isinstance(found, NotApplicable)
    np.testing.assert_array_equal(found, mass_rule_distance(axis.mz) > 0.3)
    assert np.all(found[np.isin(axis.mz, off)]) and not np.any(found[np.isin(axis.mz, on)])


def test_coarse_bins_do_not_tell():
    axis = MzAxis.equidistant(1000, 1400, 500)
    mean = bells(axis, [1100.5], [1.0], width_da=1.5)
    reason = non_peptide_bins(find_mean_peaks(mean, axis, peak_mask(mean, axis)), axis)
    assert isinstance(reason, NotApplicable) and "0.8 Da" in reason.reason


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_cut_into_peaks_that_cover_the_mask(seed: int):
    mean = np.random.default_rng(seed).gamma(0.4, 1.0, AXIS.n_bins)
    mask = peak_mask(mean, AXIS)
    peaks = find_mean_peaks(mean, AXIS, mask)
    assert np.all(peaks.start < peaks.stop) and np.all(peaks.stop[:-1] <= peaks.start[1:])
    assert (peaks.stop - peaks.start).sum() == mask.is_peak.sum()
    low, high = AXIS.mz[peaks.start], AXIS.mz[peaks.stop - 1]
    assert np.all((peaks.centroid >= low - 1e-9) & (peaks.centroid <= high + 1e-9))
