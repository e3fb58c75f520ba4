"""Smoothing along the m/z axis: Savitzky–Golay and Gaussian."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from corespot.axis import MzAxis
from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import DataKind, Spectra, Step, register_step

FloatVector = npt.NDArray[np.float64]
FloatBlock = npt.NDArray[np.float64]

NO_SMOOTHING = "peak-picked data is sticks; smoothing would smear one peak into its neighbours"


def savitzky_golay(spectra: Spectra, *, window: int, order: int) -> Spectra:
    """Replace each value by that of the polynomial fitted to its window.

    At both ends the polynomial of the first or last full window is evaluated, as scipy's
    ``mode="interp"`` does.

    Parameters
    ----------
    spectra : ndarray of float32, shape (n, n_bins)
        Intensities.
    window : int
        Odd number of bins, at most n_bins.
    order : int
        Degree of the polynomial, below `window`.

    Notes
    -----
    scipy fits the ends of all rows with one matrix product, whose last digit depends on the
    number of rows. Here each end value is a fixed weighted sum, so blocks do not matter.

    References
    ----------
    Savitzky & Golay, Anal. Chem. 36, 1964 (doi:10.1021/ac60214a047).
    """
    centre, ends = _savgol_weights(window, order)
    return _weigh(spectra, centre, ends)


def gaussian(spectra: Spectra, *, sigma: float) -> Spectra:
    """Convolve with a Gaussian of `sigma` bins, cut off at four sigma."""
    reach = int(4.0 * sigma + 0.5)
    weights = np.exp(-0.5 / (sigma * sigma) * np.arange(-reach, reach + 1) ** 2)
    return _weigh(spectra, weights / weights.sum(), np.empty((0, 0)))


@lru_cache(maxsize=8)
def _savgol_weights(window: int, order: int) -> tuple[FloatVector, FloatBlock]:
    """Weights inside, and for every bin that is nearer to an end than half a window."""
    from scipy import signal

    inside = signal.savgol_coeffs(window, order)[::-1].copy()
    positions = [(at, window - 1 - at) for at in range(window // 2)]
    ends = [
        signal.savgol_coeffs(window, order, pos=position, use="dot")
        for both in positions
        for position in both
    ]
    return inside, np.array(ends)


def _weigh(spectra: Spectra, weights: FloatVector, ends: FloatBlock) -> Spectra:
    from corespot.preprocess.smooth_kernel import weigh_rows

    # scipy's own question, on which the order of its sums depends.
    mirrored = bool(np.all(np.abs(weights - weights[::-1]) <= np.finfo(np.float64).eps))
    rows, smooth = for_kernel(spectra), np.empty(spectra.shape, dtype=np.float32)
    each_row(lambda part: weigh_rows(rows[part], weights, mirrored, ends, smooth[part]), rows)
    return smooth


class _Smoothing(Step):
    skip_on_centroid: ClassVar[str | None] = NO_SMOOTHING

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Refuse a window wider than the axis."""
        need = self.minimum_bins()
        if need > axis.n_bins:
            return [f"its window spans {need} bins, but the axis has {axis.n_bins}; narrow it"]
        return []


@register_step
class SavgolSmooth(_Smoothing):
    """Savitzky–Golay smoothing; may dip slightly below zero beside steep peaks."""

    step: Literal["smooth"] = "smooth"
    method: Literal["savgol"] = "savgol"
    window: int = Field(default=9, ge=3)
    order: int = Field(default=2, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window % 2 == 0:
            raise ValueError("window must be odd")
        if self.order >= self.window:
            raise ValueError("order must be below window")
        return self

    def minimum_bins(self) -> int:
        """The window."""
        return self.window

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Smoothed spectra on the same axis."""
        return savitzky_golay(spectra, window=self.window, order=self.order), axis


@register_step
class GaussianSmooth(_Smoothing):
    """Gaussian smoothing."""

    step: Literal["smooth"] = "smooth"
    method: Literal["gaussian"] = "gaussian"
    sigma: float = Field(default=2.0, gt=0)

    def minimum_bins(self) -> int:
        """The kernel."""
        return 2 * int(4 * self.sigma + 0.5) + 1

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Smoothed spectra on the same axis."""
        return gaussian(spectra, sigma=self.sigma), axis
