"""Baseline removal by asymmetric least squares."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from corespot.axis import MzAxis
from corespot.preprocess.baseline import (
    ADDITIVE,
    NO_BASELINE,
    BaselineKernel,
    FloatBlock,
    lies_above,
    lies_below,
)
from corespot.preprocess.step import Spectra, Step, register_step
from corespot.threads import n_threads


def asls_baseline(
    spectra: Spectra,
    *,
    smoothness: float = 1e6,
    asymmetry: float = 0.01,
    max_iterations: int = 50,
    tolerance: float = 1e-3,
) -> FloatBlock:
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

    Notes
    -----
    The banded system is factored as LDLᵀ; LAPACK's LLᵀ differs from it by about 1e-9 of the
    highest intensity at the default smoothness.
    """
    if spectra.shape[1] < 3:
        return spectra.astype(np.float64)  # no second differences, nothing to smooth
    kernel = _asls(smoothness, asymmetry, max_iterations, tolerance)
    return lies_below(kernel, spectra, rows_a_call=_rows_a_call(len(spectra)))


def _asls(
    smoothness: float, asymmetry: float, max_iterations: int, tolerance: float
) -> BaselineKernel:
    from corespot.preprocess.asls_kernel import subtract_asls

    return lambda rows, above, below: subtract_asls(
        rows, smoothness, asymmetry, max_iterations, tolerance, above, below
    )


def _rows_a_call(n_rows: int) -> int:
    """An equal share for every core, but enough to work on side by side."""
    from corespot.preprocess.asls_kernel import LANES

    return max(LANES, -(-n_rows // n_threads()))


@register_step
class AslsBaseline(Step):
    """Subtract the asymmetric least squares baseline; see `asls_baseline`."""

    step: Literal["baseline"] = "baseline"
    method: Literal["asls"] = "asls"
    smoothness: float = Field(default=1e6, gt=0)
    asymmetry: float = Field(default=0.01, gt=0, lt=0.5)
    max_iterations: int = Field(default=50, ge=1)
    tolerance: float = Field(default=1e-3, gt=0)

    skip_on_centroid: ClassVar[str | None] = NO_BASELINE
    before_transform: ClassVar[str | None] = ADDITIVE
    costly_call: ClassVar[bool] = True

    def minimum_bins(self) -> int:
        """Second differences need three bins."""
        return 3

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Spectra above their baseline; what lies below becomes zero."""
        kernel = _asls(self.smoothness, self.asymmetry, self.max_iterations, self.tolerance)
        return lies_above(kernel, spectra, rows_a_call=_rows_a_call(len(spectra))), axis
