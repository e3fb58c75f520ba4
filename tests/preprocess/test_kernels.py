"""Compiled kernels give, to the bit, what plain numpy and scipy give."""

from __future__ import annotations

import numpy as np
import pytest
import slow_reference as slow
from nasty_spectra import every_block, nasty
from spectra_blocks import peptide_spectra

from corespot.axis import MzAxis
from corespot.preprocess.align import undo_shift
from corespot.preprocess.align_peptides import shift_by_peptide_rule
from corespot.preprocess.asls import AslsBaseline, asls_baseline
from corespot.preprocess.baseline import (
    ConvolutionBaseline,
    SnipBaseline,
    TophatBaseline,
    convolution_baseline,
    snip_baseline,
    tophat_baseline,
)
from corespot.preprocess.noise import noise_level
from corespot.preprocess.normalize import median, rms, tic, total_ion_count
from corespot.preprocess.peaks import pick_maxima, read_listed
from corespot.preprocess.recipe import Recipe
from corespot.preprocess.resample import bin_index, bin_sticks, interpolate, rebin
from corespot.preprocess.smooth import gaussian, savitzky_golay
from corespot.units import Tolerance

BOTH = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def same(ours, theirs):
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


@BOTH
@pytest.mark.parametrize("width", [2, 3, 20, 21, 41])
def test_convolution(width, dtype):
    for spectra in every_block(dtype):
        baseline = slow.convolution(spectra, width)
        same(convolution_baseline(spectra, width=width), baseline)
        axis = MzAxis.tof(500, 900, spectra.shape[1])
        done, _ = ConvolutionBaseline(width=width).apply(spectra, axis)
        same(done, slow.above(spectra, baseline))


def test_convolution_wider_than_the_spectrum():
    spectra = nasty(9, 7)
    same(convolution_baseline(spectra, width=20), slow.convolution(spectra, 20))


@BOTH
@pytest.mark.parametrize("width", [2, 3, 30, 31, 41])
def test_tophat(width, dtype):
    for spectra in every_block(dtype):
        baseline = slow.opening(spectra, width)
        same(tophat_baseline(spectra, width=width), baseline)
        axis = MzAxis.tof(500, 900, spectra.shape[1])
        done, _ = TophatBaseline(width=width).apply(spectra, axis)
        same(done, slow.above(spectra, baseline))


@BOTH
@pytest.mark.parametrize("decreasing", [True, False])
@pytest.mark.parametrize("half_window", [1, 12, 40])
def test_snip(half_window, decreasing, dtype):
    for spectra in every_block(dtype):
        baseline = slow.clipped(spectra, half_window, decreasing=decreasing)
        ours = snip_baseline(spectra, half_window=half_window, decreasing=decreasing)
        same(ours, baseline)
        axis = MzAxis.tof(500, 900, spectra.shape[1])
        step = SnipBaseline(half_window=half_window, decreasing=decreasing)
        same(step.apply(spectra, axis)[0], slow.above(spectra, baseline))


def smooth_rows(n_rows, n_bins):
    """Baseline, peaks and noise, no two rows alike: their weights settle after different times."""
    rng = np.random.default_rng(n_bins)
    rows = np.zeros((n_rows, n_bins))
    for row in rows:
        row += rng.uniform(5, 100) * np.exp(-np.arange(n_bins) / rng.uniform(50, 900))
        row += rng.uniform(0, 3) * rng.random(n_bins)
        tops = rng.integers(0, n_bins, rng.integers(0, max(n_bins // 10, 1) + 1))
        row[tops] += rng.gamma(1, 50, tops.size)
    return rows.astype(np.float32)


@pytest.mark.parametrize("n_bins", [3, 4, 5, 7, 60, 401])
@pytest.mark.parametrize(("smoothness", "asymmetry"), [(1e2, 0.01), (1e4, 0.001), (1e6, 0.2)])
def test_asls(n_bins, smoothness, asymmetry):
    spectra = smooth_rows(41, n_bins)  # more than are worked on side by side
    baseline, rounds = slow.asls(spectra, smoothness, asymmetry)
    if n_bins > 50:
        assert np.unique(rounds).size > 2
    ours = asls_baseline(spectra, smoothness=smoothness, asymmetry=asymmetry)
    assert np.allclose(ours, baseline, rtol=0, atol=1e-8 * spectra.max())
    axis = MzAxis.tof(500, 900, n_bins)
    step = AslsBaseline(smoothness=smoothness, asymmetry=asymmetry)
    same(step.apply(spectra, axis)[0], slow.above(spectra, ours))


def test_asls_stops_after_so_many_rounds():
    spectra = smooth_rows(20, 300)
    for most in (1, 2, 5):
        baseline, rounds = slow.asls(spectra, 1e4, 0.01, most, 1e-9)
        assert max(rounds) == most + 1
        ours = asls_baseline(
            spectra, smoothness=1e4, asymmetry=0.01, max_iterations=most, tolerance=1e-9
        )
        assert np.allclose(ours, baseline, rtol=0, atol=1e-8 * spectra.max())


@pytest.mark.parametrize("tolerance", np.geomspace(0.01, 0.8, 20))
@pytest.mark.parametrize("asymmetry", [0.01, 0.2, 0.45])
def test_asls_stops_when_the_weights_change_little(tolerance, asymmetry):
    spectra = smooth_rows(20, 200)
    options = {"smoothness": 1e4, "asymmetry": asymmetry, "tolerance": tolerance}
    baseline, rounds = slow.asls(spectra, **options)
    assert rounds.min() < slow.asls(spectra, 1e4, asymmetry)[1].max()
    ours = asls_baseline(spectra, **options)
    assert np.allclose(ours, baseline, rtol=0, atol=1e-8 * spectra.max())


@BOTH
def test_asls_of_ties_constants_and_steps(dtype):
    spectra = nasty(18, 128, dtype=dtype)
    baseline, _ = slow.asls(spectra, 1e3, 0.01)
    ours = asls_baseline(spectra, smoothness=1e3)
    highest = np.abs(spectra).max(axis=1, keepdims=True).astype(np.float64)
    assert np.all(np.abs(ours - baseline) <= 1e-8 * highest)


def test_asls_of_nothing_to_smooth():
    for spectra in (nasty(9, 2), nasty(9, 1), np.zeros((0, 50), np.float32)):
        same(asls_baseline(spectra), spectra.astype(np.float64))
    same(asls_baseline(np.zeros((3, 50), np.float32)), np.zeros((3, 50)))


@BOTH
def test_sums_are_numpys(dtype):
    lengths = [1, 2, 7, 8, 9, 15, 16, 127, 128, 129, 136, 255, 257, 1000, 27_286]
    for n_bins in lengths:
        spectra = nasty(9, n_bins, dtype=dtype)
        same(total_ion_count(spectra), slow.row_sums(spectra, squared=False))
        by = np.sqrt(slow.row_sums(spectra, squared=True) / n_bins)
        same(rms(spectra), slow.divide(spectra, by))


@BOTH
def test_normalisations(dtype):
    for spectra in every_block(dtype):
        totals = slow.row_sums(spectra, squared=False)
        same(tic(spectra, total=50.0), slow.divide(spectra, totals / 50.0))
        same(median(spectra), slow.divide(spectra, slow.median_positive(spectra)))


@BOTH
def test_noise(dtype):
    for spectra in every_block(dtype):
        same(noise_level(spectra), slow.noise(spectra))
    for n_bins in (2, 3, 4, 5):
        spectra = nasty(9, n_bins, dtype=dtype)
        same(noise_level(spectra), slow.noise(spectra))


def test_a_median_of_nothing_that_counts_is_not_a_number():
    spectra = np.array([[1, np.nan, 3, 4]], dtype=np.float32)
    assert np.isnan(noise_level(spectra)).all()


def axes(n_bins):
    """A raw axis and axes within, around, beside and upon it."""
    raw = MzAxis.tof(700, 900, n_bins)
    few = np.unique(np.concatenate([raw.mz[::7], raw.edges[1::5], [690.0, 910.0]]))
    yield from (
        (raw, target)
        for target in (
            MzAxis.equidistant(720, 880, 100),
            MzAxis.constant_ppm(720, 880, 1000),
            MzAxis.tof(650, 950, 60),
            MzAxis.tof(100, 200, 9),
            MzAxis(np.array([800.0])),
            MzAxis(few),
            MzAxis.tof(700, 900, 2 * n_bins - 1),
        )
    )


@BOTH
@pytest.mark.parametrize("move", [interpolate, rebin, bin_sticks])
def test_moves(move, dtype):
    for spectra in every_block(dtype):
        for raw, target in axes(spectra.shape[1]):
            same(move(spectra, raw, target), getattr(slow, move.__name__)(spectra, raw, target))


def test_bins_of_values_in_any_order():
    axis = MzAxis.constant_ppm(700, 900, 50)
    values = np.random.default_rng(0).permutation(
        np.concatenate([axis.edges, axis.mz, [1.0, 699, 901, 1e9]])
    )
    assert np.array_equal(bin_index(axis, values), slow.bins(axis, values))


def test_a_spectrum_of_one_point_is_interpolated_at_that_point():
    one = MzAxis(np.array([800.0]))
    spectra = np.array([[5.0], [6.0]], dtype=np.float32)
    same(interpolate(spectra, one, MzAxis(np.array([799.0, 800.0]))), np.float32([[0, 5], [0, 6]]))


def test_what_is_not_contiguous_or_not_float_is_taken_as_well():
    wide = nasty(9, 600)
    spectra = wide[:, 100:400]
    whole = np.ascontiguousarray(spectra)
    same(convolution_baseline(spectra, width=20), convolution_baseline(whole, width=20))
    same(tic(spectra[::-1])[::-1], tic(whole))
    counts = np.random.default_rng(0).integers(0, 9, (3, 50))
    same(convolution_baseline(counts, width=5), slow.convolution(counts, 5))
    half = whole[:5].clip(-9, 9).astype(np.float16)
    same(noise_level(half), slow.noise(half))


@BOTH
@pytest.mark.parametrize("shape", [(3, 0), (9, 2), (11, 3), (41, 10), (5, 1)])
def test_savitzky_golay(shape, dtype):
    window, order = shape
    for spectra in every_block(dtype):
        ours = savitzky_golay(spectra, window=window, order=order)
        same(ours, slow.savgol(spectra, window, order))


@BOTH
@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0, 5.0])
def test_gaussian(sigma, dtype):
    for spectra in every_block(dtype):
        same(gaussian(spectra, sigma=sigma), slow.gaussian(spectra, sigma))


@BOTH
@pytest.mark.parametrize("measure", ["height", "area"])
@pytest.mark.parametrize("half_window", [1, 5, 20])
def test_local_maxima(half_window, measure, dtype):
    for spectra in every_block(dtype):
        for snr in (0.0, 3.0):
            ours = pick_maxima(spectra, snr=snr, half_window=half_window, measure=measure)
            same(ours, slow.maxima(spectra, snr, half_window, measure))


def test_areas_are_added_from_the_outside():
    spectra = np.zeros((1, 41), dtype=np.float32)
    spectra[0, [15, 20, 21]] = (
        1,
        2.0**60,
        -(2.0**60),
    )  # the 1 is lost in the peak, if it comes first
    ours = pick_maxima(spectra, snr=0, half_window=5, measure="area")
    same(ours, slow.maxima(spectra, 0, 5, "area"))


@BOTH
@pytest.mark.parametrize("measure", ["height", "area"])
@pytest.mark.parametrize("tolerance", [Tolerance(0.3, "da"), Tolerance(60_000, "ppm")])
def test_listed_peaks(tolerance, measure, dtype):
    peaks = MzAxis(np.array([600, 700, 700.5, 812.3, 900, 950.0]))
    for spectra in every_block(dtype):
        axis = MzAxis.tof(700, 900, spectra.shape[1])
        ours = read_listed(spectra, axis, peaks, tolerance=tolerance, measure=measure)
        same(ours, slow.listed(spectra, axis, peaks, tolerance, measure))


@BOTH
def test_reading_shifted_spectra(dtype):
    shifts = np.random.default_rng(0).uniform(-900, 900, (2, 9))
    shifts[:, [0, 4]] = 0
    for spectra in every_block(dtype):
        axis = MzAxis.tof(700, 900, spectra.shape[1])
        low, high = shifts[:, : len(spectra)].copy()
        for ends in ((700.0, 900.0), (750.0, 760.0)):
            ours = undo_shift(spectra, axis, ends, low, high)
            same(ours, slow.shifted(spectra, axis, ends, low, high))


@pytest.mark.parametrize("max_ppm", [8.0, 60.0])
def test_peptide_rule(max_ppm):
    axis = MzAxis.tof(650, 1400, 4000)
    shifts = [lambda m, a=a: a + 0.01 * a * (m - 1000) / 10 for a in (-30, 0, 12, 12, 47)]
    spectra = np.concatenate([peptide_spectra(axis, shifts, noise=3), nasty(9, 4000)])
    low, high = shift_by_peptide_rule(spectra, axis, max_ppm=max_ppm)
    slow_low, slow_high = slow.peptide_rule(spectra, axis, max_ppm)
    same(low, slow_low)
    same(high, slow_high)
    assert np.unique(low).size > 3


STEPS = [
    {"step": "baseline", "method": "convolution"},
    {"step": "baseline", "method": "tophat"},
    {"step": "baseline", "method": "snip"},
    {"step": "baseline", "method": "asls", "smoothness": 1e4},
    {"step": "normalize", "method": "tic"},
    {"step": "normalize", "method": "rms"},
    {"step": "normalize", "method": "median"},
    {"step": "smooth", "method": "savgol"},
    {"step": "smooth", "method": "gaussian"},
    {"step": "peaks", "method": "local_maxima", "measure": "area"},
    {"step": "peaks", "method": "listed", "mz": [720, 800, 880], "measure": "area"},
    {"step": "align", "method": "references", "mz": [750, 800, 850], "tolerance": "2 Da"},
    {"step": "align", "method": "peptide_rule", "max_ppm": 50},
    {"step": "normalize", "method": "none"},
    {"step": "transform", "method": "log1p"},
    {"step": "transform", "method": "sqrt"},
    {"step": "resample", "method": "interpolate"},
    {"step": "resample", "method": "sum"},
    {"step": "resample", "method": "sticks"},
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step["method"])
def test_neither_threads_nor_blocks_matter(step, monkeypatch):
    raw = MzAxis.tof(700, 900, 3001)
    target = MzAxis.tof(710, 890, 2000) if step["step"] == "resample" else raw
    spectra = nasty(97, 3001)
    recipe = Recipe.parse([step])
    target = recipe.listed_axis or target
    monkeypatch.setattr("corespot.threads.available_cores", lambda: 1)
    alone = recipe.apply(spectra, raw, target)
    monkeypatch.setattr("corespot.threads.available_cores", lambda: 5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    same(recipe.apply(spectra, raw, target), alone)
    for rows in (1, 3, 64):
        parts = [recipe.apply(spectra[i : i + rows], raw, target) for i in range(0, 97, rows)]
        same(np.concatenate(parts), alone)
