"""Peptide physics in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, poisson

from corespot.axis import MzAxis
from corespot.synth.spectra import (
    FWHM_PER_SIGMA,
    ISOTOPE_SPACING_DA,
    add_shot_noise,
    draw_matrix_mz,
    draw_peptide_mz,
    isotope_shares,
    lines_of,
    mass_rule_mz,
    mass_rule_offset,
    mass_spread_da,
    render_peaks,
)
from corespot.units import PROTON_DA


@pytest.mark.parametrize("mz", [800.4, 1406.6, 2100.0, 3500.7])
def test_isotope_pattern_is_poisson(mz: float) -> None:
    rate = 0.000594 * (mz - PROTON_DA) - 0.03091
    assert np.allclose(isotope_shares([mz])[0], poisson.pmf(np.arange(12), rate), atol=1e-12)
    assert isotope_shares([mz])[0].sum() == pytest.approx(1, abs=1e-5)


def test_rendered_isotope_heights_follow_the_poisson_ratios() -> None:
    axis = MzAxis.equidistant(1400, 1415, 6001)
    lines = lines_of(np.array([1406.6]))
    width = np.full((1, lines.mz.size), 0.1)
    drawn = render_peaks(axis, lines.mz[None], 1000 * lines.share[None], width)[0]
    heights = [drawn[axis.nearest(1406.6 + k * ISOTOPE_SPACING_DA)] for k in range(4)]
    expected = isotope_shares([1406.6])[0, :4]
    assert np.allclose(np.array(heights) / heights[0], expected / expected[0], rtol=1e-3)


def test_peptides_lie_on_the_mass_rule_with_its_spread() -> None:
    rng = np.random.default_rng(0)
    mz = np.concatenate(
        [draw_peptide_mz(300, 700, 3000, rng, keep_free=np.zeros(0)) for _ in range(20)]
    )
    scaled = mass_rule_offset(mz) / mass_spread_da(mz)
    assert np.std(scaled) == pytest.approx(1, abs=0.05)
    assert np.mean(scaled) == pytest.approx(0, abs=0.05)


def test_mass_rule_and_its_inverse_agree() -> None:
    nominal = np.arange(500, 4500, 37)
    assert np.allclose(mass_rule_mz(nominal), nominal * 1.000495 + 1.00728, atol=1e-4)
    assert np.allclose(mass_rule_offset(mass_rule_mz(nominal) + 0.2), 0.2 / 1.000495)


def test_planted_mz_keep_their_surroundings_free() -> None:
    rng = np.random.default_rng(1)
    mz = draw_peptide_mz(250, 1380, 1940, rng, keep_free=np.array([1406.6, 1877.8]))
    assert np.all(np.diff(mz) > 0)
    assert np.min(np.abs(mz[:, None] - [1406.6, 1877.8])) > 4


def test_too_many_peptides_are_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        draw_peptide_mz(200, 1000, 1100, np.random.default_rng(0), keep_free=np.zeros(0))


def test_matrix_clusters_lie_between_peptides() -> None:
    mz = draw_matrix_mz(40, 700, 3000, np.random.default_rng(0))
    assert mz.size == 40 and mz.min() > 899 and mz.max() < 1351
    assert np.all(np.abs(mass_rule_offset(mz)) > 0.3)
    assert draw_matrix_mz(40, 1380, 1940, np.random.default_rng(0)).size == 0


@pytest.mark.parametrize("mz", [800.0, 1500.0, 2900.0])
def test_peak_width_is_mz_over_resolution(mz: float) -> None:
    axis = MzAxis.equidistant(mz - 3, mz + 3, 12001)
    fwhm = mz / 4500
    drawn = render_peaks(axis, np.array([[mz]]), np.array([[1.0]]), np.array([[fwhm]]))[0]
    above = axis.mz[drawn >= drawn.max() / 2]
    assert above[-1] - above[0] == pytest.approx(fwhm, rel=0.01)


def test_peaks_conserve_area_and_centroid_on_coarse_axes() -> None:
    axis = MzAxis.tof(700, 3000, 6400)
    rng = np.random.default_rng(2)
    mz = np.sort(rng.uniform(710, 2990, (3, 40)), axis=1)
    for row in range(3):
        one = mz[row : row + 1, :1]
        drawn = render_peaks(axis, one, np.array([[500.0]]), one / 4500)[0]
        assert drawn.sum() == pytest.approx(500, rel=1e-4)
        assert drawn @ axis.mz / drawn.sum() == pytest.approx(one[0, 0], abs=0.02)
    total = render_peaks(axis, mz, np.full(mz.shape, 7.0), mz / 4500)
    assert np.allclose(total.sum(axis=1), 280, rtol=1e-4)


def test_peaks_beyond_the_ends_are_cut_not_wrapped() -> None:
    axis = MzAxis.equidistant(1000, 1010, 101)
    mz = np.array([[990.0, 999.95, 1009.9, 1030.0]])
    drawn = render_peaks(axis, mz, np.ones((1, 4)), np.full((1, 4), 0.3))[0]
    sigma = 0.3 / FWHM_PER_SIGMA
    # The first edge, 999.95, halves one peak; the last, 1010.05, cuts another's upper tail.
    assert drawn.sum() == pytest.approx(0.5 + norm.cdf(0.15 / sigma), abs=1e-4)
    assert np.all(drawn[10:90] == 0)


def test_rows_are_drawn_independently() -> None:
    axis = MzAxis.tof(700, 3000, 2000)
    rng = np.random.default_rng(3)
    mz = np.sort(rng.uniform(750, 2900, (5, 30)), axis=1)
    area = rng.uniform(1, 9, mz.shape)
    together = render_peaks(axis, mz, area, mz / 4500)
    for row in range(5):
        part = slice(row, row + 1)
        alone = render_peaks(axis, mz[part], area[part], mz[part] / 4500)
        assert np.allclose(together[part], alone, atol=1e-4)


def test_shot_noise_grows_with_the_root_of_the_counts() -> None:
    expected = np.tile(np.array([100.0, 2500.0]), (4000, 1))
    rng = np.random.default_rng(4)
    drawn = add_shot_noise(expected, rng, read_noise=0.0, factor=1.0)
    assert drawn.dtype == np.float32
    assert np.allclose(drawn.std(axis=0), [10, 50], rtol=0.05)
    assert np.allclose(drawn.mean(axis=0), [100, 2500], rtol=0.01)
    louder = add_shot_noise(expected, np.random.default_rng(4), read_noise=0.0, factor=2.0)
    assert np.allclose(louder - expected, 2 * (drawn - expected), atol=0.05)


def test_noise_never_goes_below_zero() -> None:
    drawn = add_shot_noise(np.ones((50, 50)), np.random.default_rng(0), read_noise=3.0, factor=1.0)
    assert drawn.min() == 0
