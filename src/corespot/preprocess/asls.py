"""Baseline removal by asymmetric least squares."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy.linalg import solveh_banded

from corespot.axis import MzAxis
from corespot.preprocess.baseline import ADDITIVE, NO_BASELINE, subtract
from corespot.preprocess.step import Spectra, Step, register_step


def asls_baseline(
    spectra: Spectra,
    *,
    smoothness: float = 1e6,
    asymmetry: float = 0.01,
    max_iterations: int = 50,
    tolerance: float = 1e-3,
) -> npt.NDArray[np.float64]:
    """Smooth curve that is punished lightly for lying below the data and heavily for above.

    Minimises Σ wᵢ (yᵢ − zᵢ)² + λ Σ (Δ²zᵢ)² with wᵢ = p where yᵢ > zᵢ and 1 − p elsewhere, until
    the weights settle.

    Parameters
    ----------
    spectra : ndarray of float32, shape (n, n_bins)
        Intensities.
    smoothness : float
        λ; grows with the fourth power of the width of what is kept.
    asymmetry : float
        p, between 0 and ½.
    max_iterations : int
        Limit on reweightings.
    tolerance : float
        Relative change of the weights (Euclidean norm) that ends the iteration.

    Returns
    -------
    ndarray of float64, shape (n, n_bins)
        Baseline.

    References
    ----------
    Eilers, Anal. Chem. 75, 2003 (doi:10.1021/ac034173t); Eilers & Boelens, Baseline correction
    with asymmetric least squares smoothing, 2005.
    """
    penalty = smoothness * _second_difference_bands(spectra.shape[1])
    baseline = np.empty(spectra.shape, dtype=np.float64)
    for row, values in enumerate(spectra.astype(np.float64)):
        weights = np.ones_like(values)
        for _ in range(max_iterations + 1):
            bands = penalty.copy()
            bands[2] += weights
            fit = solveh_banded(
                bands, weights * values, overwrite_ab=True, overwrite_b=True, check_finite=False
            )
            updated = np.where(values > fit, asymmetry, 1 - asymmetry)
            change = np.linalg.norm(updated - weights) / np.linalg.norm(weights)
            weights = updated
            if change < tolerance:
                break
        baseline[row] = fit
    return baseline


def _second_difference_bands(n_bins: int) -> npt.NDArray[np.float64]:
    """Upper bands of DᵀD for second differences D, shape (3, n_bins), diagonal last."""
    bands = np.zeros((3, n_bins))
    for offset, values in enumerate(([1.0, 4.0, 1.0], [-2.0, -2.0], [1.0])):
        for start, value in enumerate(values):
            # Row k of D touches bins k, k+1, k+2; the pair (start, start+offset) within it.
            first = start + offset
            bands[2 - offset, first : first + n_bins - 2] += value
    return bands


@register_step
class AslsBaseline(Step):
    """Subtract the asymmetric least squares baseline; see `asls_baseline`. Slow."""

    step: Literal["baseline"] = "baseline"
    method: Literal["asls"] = "asls"
    smoothness: float = Field(default=1e6, gt=0)
    asymmetry: float = Field(default=0.01, gt=0, lt=0.5)
    max_iterations: int = Field(default=50, ge=1)
    tolerance: float = Field(default=1e-3, gt=0)

    skip_on_centroid: ClassVar[str | None] = NO_BASELINE
    before_transform: ClassVar[str | None] = ADDITIVE

    def minimum_bins(self) -> int:
        """Second differences need three bins."""
        return 3

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Spectra above their baseline; what lies below becomes zero."""
        baseline = asls_baseline(
            spectra,
            smoothness=self.smoothness,
            asymmetry=self.asymmetry,
            max_iterations=self.max_iterations,
            tolerance=self.tolerance,
        )
        return subtract(spectra, baseline), axis
