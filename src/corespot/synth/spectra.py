"""Peptide physics: masses, isotope patterns, peak widths, baseline and shot noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.axis import MzAxis
from corespot.settings import Settings
from corespot.units import PROTON_DA

#: Mean mass of a peptide per unit of nominal mass, in Da.
MASS_RULE_DA = 1.000495
#: Distance of neighbouring isotope peaks, in Da.
ISOTOPE_SPACING_DA = 1.00235
#: Ratio of full width at half maximum to standard deviation of a Gaussian.
FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))

# Isotope peaks below this share of a peptide's area drown in noise and are not drawn.
_SMALLEST_SHARE = 0.004
# Half-width of the window in which a peak is drawn; 5e-6 of its area lies outside.
_REACH_SIGMA = 4.5

FloatArray = npt.NDArray[np.float64]


class SpectraSettings(Settings):
    """What the instrument and the chemistry do to every spectrum.

    Parameters
    ----------
    low, high : float
        Ends of the m/z axis in Da, spaced as a time-of-flight instrument does.
    n_bins : int
        Number of bins.
    n_peptides : int
        Number of peptides, planted markers included.
    resolution : float
        m/z over full width at half maximum, the same at all masses.
    jitter_ppm : float
        Standard deviation of a spot's calibration error.
    peptide_area : float
        Median area of a peptide in counts.
    peptide_log_sd : float
        Standard deviation of the log areas between peptides.
    tic_log_sd : float
        Standard deviation of the log of a spot's overall yield.
    baseline_per_da : float
        Baseline at the low end, counts per Da.
    baseline_decay_da : float
        Distance over which the baseline falls by a factor e.
    baseline_modulation : float
        Depth of the 1-Da pattern of chemical noise in the baseline, 0 to 1.
    baseline_log_sd : float
        Standard deviation of the log baseline level between spots.
    n_matrix : int
        Number of matrix clusters between m/z 900 and 1350.
    matrix_area : float
        Median area of a matrix cluster on tissue in counts.
    read_noise : float
        Standard deviation of the noise of an empty bin in counts.
    """

    low: float = Field(default=700.0, gt=50)
    high: float = 3000.0
    n_bins: int = Field(default=6400, ge=200)
    n_peptides: int = Field(default=220, ge=10)
    resolution: float = Field(default=4500.0, gt=0)
    jitter_ppm: float = Field(default=8.0, ge=0)
    peptide_area: float = Field(default=300.0, gt=0)
    peptide_log_sd: float = Field(default=0.9, ge=0)
    tic_log_sd: float = Field(default=0.5, ge=0)
    baseline_per_da: float = Field(default=60.0, ge=0)
    baseline_decay_da: float = Field(default=900.0, gt=0)
    baseline_modulation: float = Field(default=0.25, ge=0, le=1)
    baseline_log_sd: float = Field(default=0.2, ge=0)
    n_matrix: int = Field(default=24, ge=0)
    matrix_area: float = Field(default=80.0, ge=0)
    read_noise: float = Field(default=0.7, ge=0)

    def axis(self) -> MzAxis:
        """The m/z axis."""
        return MzAxis.tof(self.low, self.high, self.n_bins)


def mass_rule_mz(nominal: npt.ArrayLike) -> FloatArray:
    """m/z of singly protonated peptides of `nominal` mass, on the mass rule."""
    return np.asarray(nominal, dtype=np.float64) * MASS_RULE_DA + PROTON_DA


def mass_rule_offset(mz: npt.ArrayLike) -> FloatArray:
    """Distance of `mz` from the nearest point of the peptide mass rule, in units of the rule."""
    position = (np.asarray(mz, dtype=np.float64) - PROTON_DA) / MASS_RULE_DA
    return np.asarray(position - np.rint(position), dtype=np.float64)


def mass_spread_da(mass: npt.ArrayLike) -> FloatArray:
    """Standard deviation of peptide masses about the mass rule, .03·(.5 + M/2000) Da."""
    return np.asarray(0.03 * (0.5 + np.asarray(mass, dtype=np.float64) / 2000.0))


def draw_peptide_mz(
    n_peptides: int, low: float, high: float, rng: np.random.Generator, *, keep_free: FloatArray
) -> FloatArray:
    """Draw increasing peptide m/z on the mass rule with its natural spread.

    Small peptides are more frequent, as in a tryptic digest; no two share a nominal mass.

    Parameters
    ----------
    n_peptides : int
        How many.
    low, high : float
        Ends of the axis; a margin of 8 Da for isotope patterns is kept free at both.
    rng : numpy.random.Generator
        Source of randomness.
    keep_free : ndarray
        m/z of planted peptides: nothing is drawn from 4 Da below to 4 Da above them.

    Returns
    -------
    ndarray of float64, shape (n_peptides,)
    """
    nominal = np.arange(int(low) + 8, int(high) - 8)
    centre = mass_rule_mz(nominal)
    clear = np.ones(nominal.size, dtype=bool)
    for mz in keep_free:
        clear &= np.abs(centre - mz) > 4.3
    nominal = nominal[clear]
    weight = np.exp(-0.5 * ((np.log(nominal) - np.log(1250.0)) / 0.40) ** 2)
    if nominal.size < n_peptides:
        raise ValueError(
            f"{n_peptides} peptides do not fit on m/z {low:g}–{high:g}; at most {nominal.size} do"
        )
    drawn = np.sort(rng.choice(nominal, n_peptides, replace=False, p=weight / weight.sum()))
    spread = mass_spread_da(drawn) * rng.standard_normal(n_peptides)
    return mass_rule_mz(drawn) + spread


def draw_matrix_mz(
    n_clusters: int, low: float, high: float, rng: np.random.Generator
) -> FloatArray:
    """Draw m/z of matrix clusters, between peptide masses and within 900–1350 on the axis."""
    floor, ceiling = max(900.0, low + 2), min(1350.0, high - 6)
    if n_clusters == 0 or ceiling - floor < n_clusters:
        return np.zeros(0)
    drawn = np.sort(rng.choice(np.arange(int(floor), int(ceiling)), n_clusters, replace=False))
    return mass_rule_mz(drawn) - rng.uniform(0.38, 0.55, n_clusters)


def isotope_shares(mz: npt.ArrayLike, n_isotopes: int = 12) -> FloatArray:
    """Shares of the isotope peaks of peptides, Poisson with λ = .000594·M − .03091.

    Parameters
    ----------
    mz : array_like, shape (n,)
        Monoisotopic m/z, singly protonated; M is the neutral mass.
    n_isotopes : int
        Number of peaks, the monoisotopic one included.

    Returns
    -------
    ndarray of float64, shape (n, n_isotopes)
        Rows sum to one up to the truncated tail.
    """
    from scipy.special import gammaln

    mass = np.atleast_1d(np.asarray(mz, dtype=np.float64)) - PROTON_DA
    rate = np.maximum(0.000594 * mass - 0.03091, 1e-6)[:, None]
    k = np.arange(n_isotopes)
    return np.asarray(np.exp(k * np.log(rate) - rate - gammaln(k + 1)), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Lines:
    """Every isotope peak that is drawn, by increasing m/z.

    Parameters
    ----------
    mz : ndarray of float64, shape (n_lines,)
        Centres without calibration error.
    share : ndarray of float64, shape (n_lines,)
        Share of the area of its compound.
    compound : ndarray of int64, shape (n_lines,)
        Index of the compound it belongs to.
    """

    mz: FloatArray
    share: FloatArray
    compound: npt.NDArray[np.int64]


def lines_of(mz: FloatArray) -> Lines:
    """Isotope peaks of compounds with monoisotopic `mz`."""
    shares = isotope_shares(mz)
    centres = mz[:, None] + ISOTOPE_SPACING_DA * np.arange(shares.shape[1])
    compound, isotope = np.nonzero(shares > _SMALLEST_SHARE)
    order = np.argsort(centres[compound, isotope], kind="stable")
    compound, isotope = compound[order], isotope[order]
    return Lines(centres[compound, isotope], shares[compound, isotope], compound)


def render_peaks(axis: MzAxis, mz: FloatArray, area: FloatArray, fwhm: FloatArray) -> FloatArray:
    """Draw Gaussian peaks, integrated over each bin, so that areas are conserved.

    Parameters
    ----------
    axis : MzAxis
        Where to draw.
    mz, area, fwhm : ndarray of float64, shape (n_spots, n_lines)
        Centre, area and full width at half maximum of each peak; m/z roughly increasing in a row.

    Returns
    -------
    ndarray of float64, shape (n_spots, n_bins)
    """
    from scipy.special import ndtr

    n_spots, n_lines = mz.shape
    edges, n_bins = axis.edges, axis.n_bins
    drawn = np.zeros((n_spots, n_bins))
    row = (np.arange(n_spots) * n_bins)[:, None, None]
    # Peaks widen with m/z: groups of similar peaks share a window width.
    for group in np.array_split(np.arange(n_lines), max(1, min(8, n_lines))):
        if group.size == 0:
            continue
        part = slice(group[0], group[-1] + 1)
        sigma = fwhm[:, part] / FWHM_PER_SIGMA
        reach = _REACH_SIGMA * sigma
        first = np.searchsorted(edges, mz[:, part] - reach, side="right") - 1
        last = np.searchsorted(edges, mz[:, part] + reach, side="left")
        offsets = np.arange(int(np.max(last - first)) + 1)
        at = first[..., None] + offsets
        # Beyond the ends every edge is the same one, so that nothing is drawn there.
        z = (edges[np.clip(at, 0, n_bins)] - mz[:, part, None]) / sigma[..., None]
        counts = area[:, part, None] * np.diff(ndtr(z), axis=-1)
        bins = np.clip(at[..., :-1], 0, n_bins - 1)
        drawn += np.bincount(
            (row + bins).ravel(), weights=counts.ravel(), minlength=n_spots * n_bins
        ).reshape(n_spots, n_bins)
    return drawn


def add_shot_noise(
    expected: FloatArray, rng: np.random.Generator, *, read_noise: float, factor: float
) -> npt.NDArray[np.float32]:
    """Draw counts about their expectation: shot noise plus read noise, never below zero.

    Parameters
    ----------
    expected : ndarray of float64, shape (n_spots, n_bins)
        Expected counts.
    rng : numpy.random.Generator
        Consumed bin by bin, spot by spot.
    read_noise : float
        Standard deviation of an empty bin.
    factor : float
        Multiplies the standard deviation.

    Returns
    -------
    ndarray of float32, shape (n_spots, n_bins)
    """
    noise = rng.standard_normal(expected.shape, dtype=np.float32)
    noise *= np.float32(factor) * np.sqrt(expected + read_noise**2).astype(np.float32)
    noise += expected.astype(np.float32)
    return np.maximum(noise, np.float32(0), out=noise)
