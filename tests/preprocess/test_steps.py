"""Each step against its closed form, scipy, pybaselines or a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.signal import savgol_filter
from spectra_blocks import blocks, for_all

from corespot.preprocess.asls import asls_baseline
from corespot.preprocess.baseline import (
    convolution_baseline,
    snip_baseline,
    subtract,
    tophat_baseline,
)
from corespot.preprocess.noise import noise_level
from corespot.preprocess.normalize import median, rms, tic
from corespot.preprocess.smooth import gaussian, savitzky_golay
from corespot.preprocess.transform import log1p, sqrt


@pytest.mark.parametrize("width", [2, 3, 20, 21])
def test_convolution_on_a_constant_is_the_constant(width):
    spectra = np.full((2, 100), 7.0, dtype=np.float32)
    assert np.allclose(convolution_baseline(spectra, width=width), 7.0, rtol=1e-12)


@pytest.mark.parametrize("slope", [3.0, -3.0])
@pytest.mark.parametrize("width", [20, 21])
def test_convolution_on_a_line_lies_half_a_window_below(slope, width):
    line = (1000 + slope * np.arange(200.0)).astype(np.float32)[None]
    gap = line - convolution_baseline(line, width=width)
    assert np.allclose(gap[0, 25:-25], abs(slope) * (width - 1) / 2)


@for_all(blocks(), st.integers(2, 40))
def test_convolution_never_exceeds_the_data_nor_dips_below_their_least(spectra, width):
    baseline = convolution_baseline(spectra, width=width)
    assert np.all(baseline <= spectra)
    assert np.all(baseline >= spectra.min(axis=1, keepdims=True))


def test_convolution_against_slow_windows():
    rng = np.random.default_rng(0)
    row = rng.gamma(1, 5, 90).astype(np.float32)
    low = np.array([row[max(i - 10, 0) : i + 10].min() for i in range(90)])
    slow = [np.mean([low[np.clip(j, 0, 89)] for j in range(i - 9, i + 11)]) for i in range(90)]
    assert np.allclose(convolution_baseline(row[None], width=20)[0], slow)


def test_convolution_keeps_a_narrow_peak():
    mz = np.arange(400.0)
    peak = 50 * np.exp(-0.5 * ((mz - 200) / 2) ** 2)
    corrected = subtract((peak + 20).astype(np.float32)[None], 20 + np.zeros((1, 400)))
    mine = subtract(
        (peak + 20).astype(np.float32)[None],
        convolution_baseline((peak + 20).astype(np.float32)[None], width=20),
    )
    assert np.allclose(mine, corrected, atol=0.5)


@for_all(blocks(), st.integers(2, 40))
def test_tophat_lies_between_zero_and_the_data(spectra, width):
    top = subtract(spectra, tophat_baseline(spectra, width=width))
    assert np.all(top >= 0)
    assert np.all(top <= spectra)


def test_tophat_is_the_morphological_opening():
    from scipy.ndimage import grey_opening

    spectra = np.random.default_rng(1).gamma(1, 5, (3, 120)).astype(np.float32)
    opened = grey_opening(spectra.astype(float), size=(1, 15), mode="nearest")
    assert np.allclose(tophat_baseline(spectra, width=15), opened)


@pytest.mark.parametrize("decreasing", [True, False])
def test_snip_equals_a_slow_reference(decreasing):
    row = np.random.default_rng(2).gamma(1, 5, 60).astype(np.float32)
    slow = row.astype(float).copy()
    for p in range(7, 0, -1) if decreasing else range(1, 8):
        before = slow.copy()
        for i in range(p, 60 - p):
            slow[i] = min(before[i], (before[i - p] + before[i + p]) / 2)
    fast = snip_baseline(row[None], half_window=7, decreasing=decreasing)[0]
    assert np.array_equal(fast, slow)


@for_all(blocks())
def test_snip_never_exceeds_the_data(spectra):
    assert np.all(snip_baseline(spectra, half_window=15) <= spectra)


@pytest.mark.parametrize(("smoothness", "asymmetry"), [(1e3, 0.01), (1e5, 0.001)])
def test_asls_equals_pybaselines(smoothness, asymmetry):
    pybaselines = pytest.importorskip("pybaselines")
    x = np.linspace(0, 1, 300)
    rng = np.random.default_rng(3)
    row = 30 * np.exp(-3 * x) + 50 * np.exp(-0.5 * ((x - 0.4) / 0.01) ** 2) + rng.random(300)
    row = row.astype(np.float32)
    theirs, _ = pybaselines.Baseline().asls(
        row.astype(float), lam=smoothness, p=asymmetry, max_iter=50, tol=1e-3
    )
    mine = asls_baseline(row[None], smoothness=smoothness, asymmetry=asymmetry)[0]
    assert np.allclose(mine, theirs, rtol=1e-6, atol=1e-6)


@for_all(blocks(), st.sampled_from([(5, 2), (9, 2), (11, 3), (3, 0)]))
def test_savgol_equals_scipy(spectra, shape):
    window, order = shape
    theirs = savgol_filter(spectra.astype(float), window, order, axis=1)
    assert np.allclose(
        savitzky_golay(spectra, window=window, order=order),
        theirs,
        rtol=1e-5,
        atol=1e-6 * float(spectra.max(initial=1)),
    )


def test_savgol_keeps_parabolas():
    x = np.arange(50.0)
    row = (3 + 2 * x - 0.1 * x**2).astype(np.float32)[None]
    assert np.allclose(savitzky_golay(row, window=9, order=2), row, atol=1e-3)


def test_gaussian_keeps_the_total_of_an_inner_peak():
    row = np.zeros((1, 101), dtype=np.float32)
    row[0, 50] = 8
    smooth = gaussian(row, sigma=2.5)
    assert np.isclose(smooth.sum(), 8)
    assert smooth.argmax() == 50


@for_all(blocks(), st.floats(1e-3, 1e3))
def test_tic_rows_sum_to_one_whatever_the_scale(spectra, scale):
    normal = tic(spectra)
    empty = spectra.sum(axis=1) == 0
    assert np.allclose(normal.sum(axis=1, dtype=np.float64)[~empty], 1, rtol=1e-5)
    assert np.all(normal[empty] == 0)
    scaled = (spectra * np.float32(scale)).astype(np.float32)
    assert np.allclose(tic(scaled), normal, rtol=1e-5, atol=1e-12)


@for_all(blocks())
def test_tic_twice_is_tic_once(spectra):
    once = tic(spectra, total=240)
    assert np.allclose(tic(once, total=240), once, rtol=3e-7)


@for_all(blocks())
def test_rms_and_median_become_one(spectra):
    full = spectra.sum(axis=1) > 0
    assert np.allclose(np.sqrt((rms(spectra)[full].astype(float) ** 2).mean(axis=1)), 1, rtol=1e-5)
    for row in median(spectra)[full]:
        assert np.isclose(np.median(row[row > 0]), 1, rtol=1e-5)


def test_transforms_are_the_functions_and_clip_negatives():
    row = np.array([[-1.0, 0.0, 3.0]], dtype=np.float32)
    assert np.allclose(log1p(row, scale=2), [[0, 0, np.log(7)]])
    assert np.allclose(sqrt(row, scale=3), [[0, 0, 3]])


def test_noise_level_ignores_baseline_and_peaks():
    rng = np.random.default_rng(4)
    row = 1000 + np.linspace(0, 50, 20_000) + rng.normal(0, 2.0, 20_000)
    row[::500] += 300
    assert noise_level(row[None].astype(np.float32))[0] == pytest.approx(2.0, rel=0.05)
    assert noise_level(np.zeros((2, 1), dtype=np.float32)).tolist() == [0, 0]
