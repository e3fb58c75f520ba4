"""Smoothing along the m/z axis: Savitzky–Golay and Gaussian."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy import ndimage, signal

from corespot.axis import MzAxis
from corespot.preprocess.step import DataKind, Spectra, Step, register_step

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
    data = spectra.astype(np.float64)
    half = window // 2
    centre = signal.savgol_coeffs(window, order)
    smooth = ndimage.convolve1d(data, centre, axis=1, mode="nearest")
    for at in range(half):
        for column, first in ((at, 0), (-1 - at, data.shape[1] - window)):
            position = at if column >= 0 else window - 1 - at
            weights = signal.savgol_coeffs(window, order, pos=position, use="dot")
            total = np.zeros(len(data))
            for offset, weight in enumerate(weights):
                total += weight * data[:, first + offset]
            smooth[:, column] = total
    return np.asarray(smooth, dtype=np.float32)


def gaussian(spectra: Spectra, *, sigma: float) -> Spectra:
    """Convolve with a Gaussian of `sigma` bins, cut off at four sigma."""
    smooth = ndimage.gaussian_filter1d(
        spectra.astype(np.float64), sigma, axis=1, mode="nearest", truncate=4.0
    )
    return np.asarray(smooth, dtype=np.float32)


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
