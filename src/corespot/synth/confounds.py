"""Eight families of measurement artifacts, part of them shared by all TMAs of a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from corespot.seeding import generator
from corespot.settings import Settings
from corespot.synth.design import CAMPAIGNS, TmaPlan

Family = Literal[
    "calibration",
    "resolution",
    "baseline",
    "gain",
    "noise",
    "matrix",
    "ripple",
    "digestion",
]
FAMILIES: tuple[Family, ...] = get_args(Family)

#: What one unit of a family's coefficients means.
UNITS: Mapping[Family, str] = {
    "calibration": "ppm; constant, linear and quadratic in scaled m/z",
    "resolution": "log of the peak width",
    "baseline": "log level, log decay length, depth of the 1-Da pattern",
    "gain": "log intensity; linear and quadratic in scaled m/z",
    "noise": "log of the noise's standard deviation",
    "matrix": "log area of the matrix clusters",
    "ripple": "relative height on the baseline; cosine and sine of each period",
    "digestion": "log area of each peptide",
}
#: Strength of each family at amplitude 1, in its unit.
DEFAULT_WEIGHTS: Mapping[Family, float] = {
    "calibration": 30.0,
    "resolution": 0.12,
    "baseline": 0.35,
    "gain": 0.25,
    "noise": 0.20,
    "matrix": 0.60,
    "ripple": 0.60,
    "digestion": 0.30,
}
# A change of the decay length or of the 1-Da pattern is as visible as a larger one of the level.
_BASELINE_SCALE = np.array([1.0, 0.4, 0.6])
_RIPPLE_FROM = 1900.0
_RIPPLE_ONSET_DA = 60.0

FloatArray = npt.NDArray[np.float64]


class ArtifactSettings(Settings):
    """Strength of the artifacts: u_TMA = A·w_family·(√ρ·campaign + √(1 − ρ)·own).

    Parameters
    ----------
    amplitude : float
        A, the strength of all families together.
    rho : float
        Share of the variance that the TMAs of one campaign have in common.
    weights : mapping
        w of each family in its unit (see `UNITS`); a family left out does not occur.
    ripple_periods_da : tuple of float
        Shortest and longest period of the ripple.
    n_ripples : int
        Number of its periods.
    """

    amplitude: float = Field(default=0.3, ge=0)
    rho: float = Field(default=0.8, ge=0, le=1)
    weights: dict[Family, float] = Field(default_factory=lambda: dict(DEFAULT_WEIGHTS))
    ripple_periods_da: tuple[float, float] = (0.7, 5.0)
    n_ripples: int = Field(default=5, ge=1)

    @field_validator("weights")
    @classmethod
    def _not_negative(cls, value: dict[Family, float]) -> dict[Family, float]:
        if any(not np.isfinite(weight) or weight < 0 for weight in value.values()):
            raise ValueError("weights must be finite and not negative")
        return value


@dataclass(frozen=True, eq=False)
class TmaArtifacts:
    """What one TMA's measurement does to its spectra; all zeros is a perfect one.

    Parameters
    ----------
    coefficients : mapping
        Coefficients of each family, in the units of `UNITS`.
    low, high : float
        Ends of the m/z axis, by which m/z is scaled to −1 … 1.
    periods_da : ndarray of float64
        Periods of the ripple.
    """

    coefficients: Mapping[Family, FloatArray]
    low: float
    high: float
    periods_da: FloatArray

    def scaled(self, mz: FloatArray) -> FloatArray:
        """m/z scaled so that the axis runs from −1 to 1."""
        return (2 * mz - self.low - self.high) / (self.high - self.low)

    def shift_ppm(self, mz: FloatArray) -> FloatArray:
        """Calibration error at `mz` in ppm, quadratic in m/z."""
        z = self.scaled(mz)
        c = self.coefficients["calibration"]
        return np.asarray(c[0] + c[1] * z + c[2] * (1.5 * z**2 - 0.5), dtype=np.float64)

    def gain(self, mz: FloatArray) -> FloatArray:
        """Factor on every intensity at `mz`: its log is quadratic in m/z."""
        z = self.scaled(mz)
        c = self.coefficients["gain"]
        return np.asarray(np.exp(c[0] * z + c[1] * (1.5 * z**2 - 0.5)), dtype=np.float64)

    @property
    def width_factor(self) -> float:
        """Factor on the width of every peak."""
        return float(np.exp(self.coefficients["resolution"][0]))

    @property
    def noise_factor(self) -> float:
        """Factor on the standard deviation of the noise."""
        return float(np.exp(self.coefficients["noise"][0]))

    @property
    def matrix_factor(self) -> float:
        """Factor on the area of the matrix clusters."""
        return float(np.exp(self.coefficients["matrix"][0]))

    @property
    def baseline_terms(self) -> tuple[float, float, float]:
        """Factor on the baseline's level, factor on its decay length, change of its depth."""
        level, decay, depth = self.coefficients["baseline"] * _BASELINE_SCALE
        return float(np.exp(level)), float(np.exp(decay)), float(depth)

    def ripple(self, mz: FloatArray, width_da: FloatArray) -> FloatArray:
        """Relative change of the baseline above m/z 1900, averaged over bins of `width_da`."""
        onset = 1.0 / (1.0 + np.exp(-(mz - _RIPPLE_FROM - 2 * _RIPPLE_ONSET_DA) / _RIPPLE_ONSET_DA))
        onset[mz < _RIPPLE_FROM] = 0.0
        cosine, sine = self.coefficients["ripple"].reshape(2, -1)
        wave = np.zeros_like(mz)
        for period, a, b in zip(self.periods_da, cosine, sine, strict=True):
            angle = 2 * np.pi * mz / period
            wave += np.sinc(width_da / period) * (a * np.cos(angle) + b * np.sin(angle))
        wave /= np.sqrt(self.periods_da.size)
        return np.asarray(np.maximum(onset * wave, -0.9), dtype=np.float64)


def n_coefficients(family: Family, settings: ArtifactSettings, n_peptides: int) -> int:
    """Number of coefficients of a family."""
    counts: dict[Family, int] = {
        "calibration": 3,
        "baseline": 3,
        "gain": 2,
        "ripple": 2 * settings.n_ripples,
        "digestion": n_peptides,
    }
    return counts.get(family, 1)


def draw_artifacts(
    settings: ArtifactSettings,
    plans: Sequence[TmaPlan],
    *,
    n_peptides: int,
    low: float,
    high: float,
    seed: int,
) -> dict[str, TmaArtifacts]:
    """Draw the artifacts of every TMA.

    The campaign terms depend on `seed` alone, so that a counterfactual cohort of the same seed is
    measured in the same campaigns; the TMAs' own terms also depend on their names.

    Parameters
    ----------
    settings : ArtifactSettings
        Strength of the families.
    plans : sequence of TmaPlan
        TMAs with their campaigns.
    n_peptides : int
        Number of peptides, each with its own digestion.
    low, high : float
        Ends of the m/z axis.
    seed : int
        Seed of the cohort.

    Returns
    -------
    dict
        TMA name to its artifacts.

    Notes
    -----
    Campaign terms are centred over the campaigns and scaled to a root mean square of one, so that
    the strength of a family is its weight and not a matter of luck.
    """
    shortest, longest = settings.ripple_periods_da
    periods = generator(seed, "instrument", "periods").uniform(
        np.log(shortest), np.log(longest), settings.n_ripples
    )
    drawn: dict[str, dict[Family, FloatArray]] = {plan.tma: {} for plan in plans}
    for family in FAMILIES:
        count = n_coefficients(family, settings, n_peptides)
        strength = settings.amplitude * settings.weights.get(family, 0.0)
        common = _campaign_terms(generator(seed, "campaign", family), count)
        for plan in plans:
            own = generator(seed, "tma", plan.tma, family).standard_normal(count)
            drawn[plan.tma][family] = strength * (
                np.sqrt(settings.rho) * common[CAMPAIGNS.index(plan.campaign)]
                + np.sqrt(1 - settings.rho) * own
            )
    return {
        tma: TmaArtifacts(coefficients, low, high, np.exp(np.sort(periods)))
        for tma, coefficients in drawn.items()
    }


def _campaign_terms(rng: np.random.Generator, count: int) -> FloatArray:
    terms = rng.standard_normal((len(CAMPAIGNS), count))
    terms -= terms.mean(axis=0)
    return np.asarray(terms / np.sqrt(np.mean(terms**2)), dtype=np.float64)
