"""Moving to a common axis: what is conserved, what is exact."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from spectra_blocks import N_BINS, blocks, for_all

from corespot.axis import MzAxis
from corespot.errors import RecipeError
from corespot.preprocess.axis_settings import AxisSettings
from corespot.preprocess.common_axis import RawAxis, choose_axis, spacing_law
from corespot.preprocess.resample import Resample, bin_index, bin_sticks, interpolate, rebin

RAW = MzAxis.tof(700.0, 900.0, N_BINS)
TARGETS = [
    MzAxis.equidistant(720, 880, 100),
    MzAxis.constant_ppm(720, 880, 1000),
    MzAxis.tof(650, 950, 60),
    MzAxis(np.array([701.0, 750.0, 751.0, 890.0])),
]


def overlap_total(spectra, raw, target):
    """Slow reference: intensity of each raw bin times its share inside the target."""
    low = np.maximum(raw.edges[:-1], target.edges[0])
    high = np.minimum(raw.edges[1:], target.edges[-1])
    share = np.maximum(high - low, 0) / np.diff(raw.edges)
    return (spectra.astype(float) * share).sum(axis=1)


@for_all(blocks(), st.sampled_from(TARGETS))
def test_rebin_conserves_the_total_within_the_axis(spectra, target):
    out = rebin(spectra, RAW, target)
    assert np.all(out >= 0)
    assert np.allclose(
        out.sum(axis=1, dtype=float), overlap_total(spectra, RAW, target), rtol=1e-5, atol=1e-9
    )


@for_all(blocks(), st.sampled_from(TARGETS))
def test_binning_sticks_conserves_the_total_within_the_axis(spectra, target):
    inside = (RAW.mz >= target.edges[0]) & (RAW.mz <= target.edges[-1])
    out = bin_sticks(spectra, RAW, target)
    expected = spectra[:, inside].sum(axis=1, dtype=float)
    assert np.allclose(out.sum(axis=1, dtype=float), expected, rtol=1e-5)


@for_all(st.floats(-5, 5), st.floats(-100, 100), st.sampled_from(TARGETS))
def test_interpolation_is_exact_on_lines(slope, offset, target):
    line = (offset + slope * RAW.mz).astype(np.float32)[None]
    out = interpolate(line, RAW, target)[0]
    inside = (target.mz >= RAW.mz[0]) & (target.mz <= RAW.mz[-1])
    assert np.allclose(out[inside], (offset + slope * target.mz)[inside], rtol=1e-4, atol=1e-2)
    assert np.all(out[~inside] == 0)


def test_interpolation_keeps_values_on_points_to_the_bit():
    spectra = np.random.default_rng(0).random((3, N_BINS)).astype(np.float32)
    some = MzAxis(RAW.mz[[0, 5, 77, N_BINS - 1]])
    assert np.array_equal(interpolate(spectra, RAW, some), spectra[:, [0, 5, 77, N_BINS - 1]])
    assert np.array_equal(interpolate(spectra, RAW, RAW), spectra)


@for_all(
    st.sampled_from(TARGETS),
    st.lists(st.floats(600, 1000), max_size=40),
    st.integers(0, 2**31),
)
def test_computed_bins_equal_searched_bins(target, values, seed):
    mz = np.array(values + list(target.edges[[0, -1]]))
    mz = np.concatenate([mz, np.random.default_rng(seed).choice(target.edges, 20)])
    expected = np.searchsorted(target.edges, mz, side="right") - 1
    expected[mz == target.edges[-1]] = target.n_bins - 1
    expected[(mz < target.edges[0]) | (mz > target.edges[-1])] = -1
    assert np.array_equal(bin_index(target, mz), expected)


def test_a_mislabelled_axis_still_bins_right():
    mz = np.array([100.0, 101.0, 150.0, 400.0])
    assert bin_index(MzAxis(mz, "equidistant"), mz).tolist() == [0, 1, 2, 3]


def test_spectra_on_the_target_pass_untouched():
    spectra = np.random.default_rng(0).random((3, N_BINS)).astype(np.float32)
    for method in ("auto", "interpolate", "sum", "sticks"):
        out, axis = Resample(method=method).apply(spectra, RAW, MzAxis(RAW.mz))
        assert out is spectra
        assert axis == RAW


def test_auto_needs_to_be_resolved():
    with pytest.raises(RecipeError, match="resolve the recipe first"):
        Resample().apply(np.zeros((1, N_BINS), np.float32), RAW, TARGETS[0])


def raw(name, axis, *, continuous=True):
    mz = axis.mz
    return RawAxis(name, mz if continuous else None, float(mz[0]), float(mz[-1]), mz)


def test_a_shared_axis_is_kept_and_named_after_its_law():
    choice = choose_axis([raw("a", RAW), raw("b", RAW)], AxisSettings(), "profile")
    assert choice.axis == RAW
    assert choice.axis.kind == "tof"
    assert "all 2 files share one axis" in choice.explanation


def test_a_shared_axis_can_be_cut():
    choice = choose_axis([raw("a", RAW)], AxisSettings(low=750, high=800), "profile")
    assert set(choice.axis.mz) <= set(RAW.mz)
    assert choice.axis.mz[0] >= 750
    with pytest.raises(RecipeError, match="no bin"):
        choose_axis([raw("a", RAW)], AxisSettings(low=950), "profile")


def test_different_profile_axes_meet_on_tof_over_the_common_range():
    other = MzAxis.tof(720.0, 950.0, 300)
    choice = choose_axis([raw("a", RAW), raw("b", other)], AxisSettings(), "profile")
    assert choice.axis.kind == "tof"
    assert choice.axis.mz[0] == pytest.approx(720)
    assert choice.axis.mz[-1] == pytest.approx(900)
    steps = np.concatenate([np.diff(np.sqrt(RAW.mz)), np.diff(np.sqrt(other.mz))])
    assert np.diff(np.sqrt(choice.axis.mz))[0] == pytest.approx(np.median(steps), rel=0.01)


def test_peak_lists_meet_on_constant_ppm():
    files = [raw("a", RAW, continuous=False), raw("b", RAW, continuous=False)]
    choice = choose_axis(files, AxisSettings(), "centroid")
    assert choice.axis.kind == "ppm"
    assert np.diff(choice.axis.mz)[0] / choice.axis.mz[0] == pytest.approx(200e-6, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "tof", "low": 500}, "lies below 700"),
        ({"kind": "tof", "high": 1500}, "lies above 900"),
        ({"kind": "equidistant", "bin_da": 1e-6}, "more than 2000000"),
    ],
)
def test_axes_that_cannot_be_filled_are_refused(settings, words):
    with pytest.raises(RecipeError, match=words):
        choose_axis([raw("a", RAW)], AxisSettings(**settings), "profile")


def test_peak_lists_need_a_stated_width_on_a_linear_axis():
    with pytest.raises(RecipeError, match="give n_bins or bin_da"):
        choose_axis([raw("a", RAW)], AxisSettings(kind="equidistant"), "centroid")


def test_files_without_a_common_range_are_refused():
    far = MzAxis.tof(2000, 3000, 50)
    with pytest.raises(RecipeError, match=r"far begins at 2000, near ends at 900"):
        choose_axis([raw("near", RAW), raw("far", far)], AxisSettings(), "profile")


@pytest.mark.parametrize(
    ("settings", "width"),
    [
        ({"kind": "equidistant", "bin_da": 0.5}, 0.5),
        ({"kind": "tof", "bin_da": 0.5}, 0.5),
        ({"kind": "ppm", "bin_ppm": 500}, 0.4),
        ({"kind": "equidistant", "n_bins": 201}, 1.0),
    ],
)
def test_widths_hold_at_the_middle(settings, width):
    choice = choose_axis([raw("a", RAW)], AxisSettings(**settings), "profile")
    assert choice.axis.width_da(800) == pytest.approx(width, rel=0.02)


def test_spacing_laws_are_recognised():
    assert spacing_law(MzAxis.equidistant(500, 4000, 900).mz) == "equidistant"
    assert spacing_law(MzAxis.constant_ppm(500, 4000, 900).mz) == "ppm"
    assert spacing_law(MzAxis.tof(500, 4000, 900).mz) == "tof"
    assert spacing_law(np.array([1.0, 2, 4, 5])) == "listed"
