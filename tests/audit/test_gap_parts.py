"""Differences planted on a simulated mean spectrum land in the part they belong to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_spectra import AXIS, Simulated

from corespot.audit.shares.class_gap import class_gap
from corespot.audit.shares.gap_parts import PARTS, GapParts, gap_parts, mean_derivatives
from corespot.audit.shares.peak_mask import peak_mask
from corespot.axis import MzAxis
from corespot.errors import ModelError

SIMULATED = Simulated()
MEAN = SIMULATED.spectrum() + SIMULATED.baseline
MASK = peak_mask(MEAN, AXIS)
SIGMA = np.sqrt(MEAN)
Z = (AXIS.mz - AXIS.mz.mean()) / (np.ptp(AXIS.mz) / 2)
RNG = np.random.default_rng(0)


def split(delta) -> GapParts:
    return gap_parts(delta, mean_spectrum=MEAN, sigma=SIGMA, axis=AXIS, mask=MASK)


def energy(parts: GapParts) -> dict[str, float]:
    """Share of each part in the energy of the difference, in units of σ."""
    whole = np.sum(np.square(parts.whole / SIGMA))
    return {name: float(np.sum(np.square(p / SIGMA)) / whole) for name, p in parts.parts.items()}


def markers() -> np.ndarray:
    areas = np.zeros_like(SIMULATED.areas).reshape(-1, 5)
    chosen = RNG.choice(len(areas), 6, replace=False)
    areas[chosen] = SIMULATED.areas.reshape(-1, 5)[chosen] * RNG.choice([-0.5, 0.5], (6, 1))
    return SIMULATED.spectrum(areas=areas.ravel())


PLANTED = {
    "gain": MEAN * (0.2 + 0.1 * Z) * MASK.is_peak,
    "calibration": SIMULATED.spectrum(ppm=12.0) - SIMULATED.spectrum(ppm=-12.0),
    "resolution": SIMULATED.spectrum(width=1.04) - SIMULATED.spectrum(width=0.96),
    "off_peak": 0.02 * np.sin(2 * np.pi * AXIS.mz / 1.7) * MASK.off_peak,
    "peak": markers(),
}


@pytest.mark.parametrize("name", PLANTED)
def test_more_than_nine_tenths_of_what_is_planted_lands_in_its_part(name: str):
    found = energy(split(PLANTED[name]))
    assert found[name] > 0.9, found
    assert all(share < 0.1 for part, share in found.items() if part != name), found


def test_a_shift_that_changes_with_mz_is_calibration_too():
    sway = np.where(SIMULATED.lines < 1400, 20.0, -20.0)
    shifted = Simulated()
    shifted.lines = SIMULATED.lines * (1 + 1e-6 * sway)
    delta = shifted.spectrum() - SIMULATED.spectrum()
    assert energy(split(delta))["calibration"] > 0.7


@pytest.mark.parametrize("artifact", ["gain", "calibration", "resolution"])
def test_an_artifact_is_still_found_beside_strong_markers(artifact: str):
    """Least squares without Huber's weights would be pulled away by the markers."""
    alone = split(PLANTED[artifact]).parts[artifact]
    beside = split(PLANTED[artifact] + 3 * PLANTED["peak"]).parts[artifact]
    assert np.linalg.norm((beside - alone) / SIGMA) < 0.25 * np.linalg.norm(alone / SIGMA)


@given(seed=st.integers(0, 1000), size=st.floats(1e-9, 1e3))
@settings(max_examples=20, deadline=None)
def test_the_parts_sum_to_the_difference(seed: int, size: float):
    delta = size * np.random.default_rng(seed).normal(size=AXIS.n_bins)
    parts = split(delta)
    assert list(parts.parts) == ["off_peak", "gain", "calibration", "resolution", "peak"]
    np.testing.assert_allclose(parts.whole, delta, rtol=0, atol=1e-12 * size * 10)


def test_turning_the_difference_round_turns_every_part_round():
    delta = sum(PLANTED.values())
    there, back = split(delta), split(-delta)
    for name in PARTS:
        np.testing.assert_allclose(there.parts[name], -back.parts[name], atol=1e-12)


def test_what_a_reading_carries_is_the_reading_of_the_parts():
    delta = sum(PLANTED.values())
    parts = split(delta)
    slope = np.random.default_rng(3).normal(size=AXIS.n_bins)
    carried = parts.carried(slope)
    for name in PARTS:
        assert carried[name] @ delta == pytest.approx(slope @ parts.parts[name], abs=1e-9)
    np.testing.assert_allclose(np.sum(list(carried.values()), axis=0), slope, atol=1e-12)


def test_derivatives_are_those_along_mz_on_an_axis_that_is_not_equidistant():
    axis = MzAxis.tof(1000, 1400, 2500)
    width, at = 0.6, 1210.3
    z = (axis.mz - at) / width
    bell = np.exp(-0.5 * z**2)
    first, second = mean_derivatives(bell, axis, resolution=axis.mz.mean() / (2.3548 * width))
    # Smoothing lowers and widens the peak as if its variance were (.2 · 2.3548)² larger.
    wider = np.sqrt(1 + (0.2 * 2.3548) ** 2)
    u = z / wider
    expected = np.exp(-0.5 * u**2) / wider
    near = {"rtol": 0, "atol": 0.04}
    np.testing.assert_allclose(first, -u / (width * wider) * expected, **near)
    np.testing.assert_allclose(second, (u**2 - 1) / (width * wider) ** 2 * expected, **near)


def test_a_list_of_peaks_has_gain_and_peak_only():
    axis = MzAxis(np.sort(np.random.default_rng(1).uniform(600, 1500, 593)))
    mean = np.random.default_rng(2).gamma(1.0, 1.0, 593)
    parts = gap_parts(
        0.3 * mean, mean_spectrum=mean, sigma=mean, axis=axis, mask=peak_mask(mean, axis)
    )
    assert set(parts.parts) == {"gain", "peak"}
    assert set(parts.missing) == {"off_peak", "calibration", "resolution"}
    assert all("list of 593 peaks" in reason.reason for reason in parts.missing.values())
    np.testing.assert_allclose(parts.parts["gain"], 0.3 * mean, rtol=1e-9)


def test_bins_wider_than_a_peak_have_no_derivatives():
    axis = MzAxis.tof(1380, 1940, 1024)
    mean = 1 + np.random.default_rng(2).gamma(0.3, 3.0, 1024)
    parts = gap_parts(
        0.3 * mean, mean_spectrum=mean, sigma=mean, axis=axis, mask=peak_mask(mean, axis)
    )
    assert set(parts.missing) == {"calibration", "resolution"}
    assert "bins wide" in parts.missing["calibration"].reason


def test_bins_that_never_vary_do_not_blow_up_the_fit():
    sigma = SIGMA.copy()
    sigma[::50] = 0.0
    parts = gap_parts(PLANTED["gain"], mean_spectrum=MEAN, sigma=sigma, axis=AXIS, mask=MASK)
    assert energy(parts)["gain"] > 0.9


def test_without_peaks_everything_is_off_peak():
    flat = np.ones(AXIS.n_bins)
    delta = np.random.default_rng(0).normal(size=AXIS.n_bins)
    for sigma in (flat, 0 * flat):
        parts = gap_parts(
            delta, mean_spectrum=flat, sigma=sigma, axis=AXIS, mask=peak_mask(flat, AXIS)
        )
        np.testing.assert_array_equal(parts.parts["off_peak"], delta)
        assert not any(np.any(parts.parts[name]) for name in PARTS if name != "off_peak")


def test_spectra_that_do_not_vary_are_split_all_the_same():
    parts = gap_parts(
        PLANTED["calibration"], mean_spectrum=MEAN, sigma=0 * SIGMA, axis=AXIS, mask=MASK
    )
    assert energy(parts)["calibration"] > 0.8


def test_gap_is_the_difference_of_the_means_of_patients_means():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 7)).astype(np.float32)
    y = np.repeat([0, 1, 2], 20)
    patients = np.array([f"p{y[i]}{i % 5 if i % 3 else 0}" for i in range(60)])
    # One patient has spots of two classes.
    patients[[0, 25]] = "both"
    gap = class_gap(x, y, patients, 3)
    by_class = [
        {p: x[(patients == p) & (y == k)].mean(axis=0) for p in set(patients[y == k])}
        for k in range(3)
    ]
    for k in range(3):
        others = {p: x[(patients == p) & (y != k)].mean(axis=0) for p in set(patients[y != k])}
        slow = np.mean(list(by_class[k].values()), axis=0) - np.mean(list(others.values()), axis=0)
        np.testing.assert_allclose(gap.delta(k), slow, atol=1e-6)
    within = sum(np.square(x[y == k] - x[y == k].mean(axis=0)).sum(axis=0) for k in range(3))
    np.testing.assert_allclose(gap.sigma, np.sqrt(within / 57), rtol=1e-5)


def test_blocks_do_not_change_the_gap(monkeypatch):
    x = np.random.default_rng(0).normal(5.0, 1.0, size=(50, 7)).astype(np.float32)
    y, patients = np.arange(50) % 2, np.array([f"p{i // 10}" for i in range(50)])
    at_once = class_gap(x, y, patients, 2)
    monkeypatch.setattr("corespot.audit.shares.class_gap._BLOCK_VALUES", 2 * 7)
    blocks = class_gap(x, y, patients, 2)
    np.testing.assert_allclose(blocks.sigma, at_once.sigma, rtol=1e-10)
    np.testing.assert_allclose(blocks.delta(1), at_once.delta(1), atol=1e-10)


def test_two_classes_have_opposite_gaps_and_many_spots_weigh_no_more():
    x = np.array([[0.0], [0.0], [0.0], [4.0], [10.0]], dtype=np.float32)
    y = np.array([0, 0, 0, 0, 1])
    gap = class_gap(x, y, np.array(["a", "a", "a", "b", "c"]), 2)
    assert gap.delta(1) == pytest.approx([8.0]) and gap.delta(0) == pytest.approx([-8.0])


def test_a_class_without_spots_is_refused():
    with pytest.raises(ModelError, match="deal folds in which every class is tested"):
        class_gap(np.ones((2, 3)), np.array([0, 0]), np.array(["a", "b"]), 2)
    with pytest.raises(ModelError, match="one class and one patient"):
        class_gap(np.ones((2, 3)), np.array([0]), np.array(["a", "b"]), 2)
