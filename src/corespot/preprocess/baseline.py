"""Baseline removal by moving windows: convolved lower envelope, top-hat, and SNIP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.axis import MzAxis
from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import DataKind, Spectra, Step, register_step

FloatBlock = npt.NDArray[np.float64]
#: Given rows, writes what lies above their baseline, or the baseline if the last array has rows.
BaselineKernel = Callable[[npt.NDArray[Any], Spectra, FloatBlock], None]

NO_BASELINE = "peak-picked data holds no baseline; the step would eat neighbouring peaks"
ADDITIVE = "a baseline adds to intensities, not to their logarithm or root"


def convolution_baseline(spectra: Spectra, *, width: int = 20) -> FloatBlock:
    """Baseline below the data: moving minimum over `width` bins, convolved with a box as wide.

    Box and minimum windows mirror each other, so each minimum that enters the mean at bin i
    covers bin i: the baseline never exceeds the data. On a constant it equals the data; on a
    line of slope a it lies (width − 1)/2 · abs(a) below, away from the ends.

    Parameters
    ----------
    spectra : ndarray of float32, shape (n, n_bins)
        Intensities.
    width : int
        Window in bins.

    Returns
    -------
    ndarray of float64, shape (n, n_bins)
        Baseline.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, section 2.1: "convolution method, width 20".

    Deviations
    ----------
    The paper used a vendor's software whose formula is not published. A plain convolution with
    20 bins, subtracted, would turn every peak into a signed wiggle; this reading keeps what the
    name and the number say (a convolution 20 bins wide) and convolves the lower envelope.
    """
    return lies_below(_convolution(width), spectra)


def _convolution(width: int) -> BaselineKernel:
    from corespot.preprocess.windows_kernel import subtract_convolution

    return lambda rows, above, below: subtract_convolution(rows, width, above, below)


def lies_below(
    kernel: BaselineKernel, spectra: Spectra, *, rows_a_call: int | None = None
) -> FloatBlock:
    """The baseline that a kernel finds."""
    rows, below, unused = for_kernel(spectra), np.empty(spectra.shape), np.empty((0, 0), np.float32)
    each_row(lambda part: kernel(rows[part], unused, below[part]), rows, rows=rows_a_call)
    return below


def lies_above(
    kernel: BaselineKernel, spectra: Spectra, *, rows_a_call: int | None = None
) -> Spectra:
    """What `subtract` leaves of spectra above the baseline that a kernel finds, in one pass."""
    rows, above, unused = for_kernel(spectra), np.empty(spectra.shape, np.float32), np.empty((0, 0))
    each_row(lambda part: kernel(rows[part], above[part], unused), rows, rows=rows_a_call)
    return above


def tophat_baseline(spectra: Spectra, *, width: int) -> FloatBlock:
    """Morphological opening: the highest curve below the data that a bar `width` bins wide fits.

    References
    ----------
    Sauve & Speed, Normalization, baseline correction and alignment of high-throughput mass
    spectrometry data, Proc. Gensips, 2004.
    """
    return lies_below(_opening(width), spectra)


def _opening(width: int) -> BaselineKernel:
    from corespot.preprocess.windows_kernel import subtract_opening

    return lambda rows, above, below: subtract_opening(rows, width, above, below)


def snip_baseline(spectra: Spectra, *, half_window: int, decreasing: bool = True) -> FloatBlock:
    """Statistics-sensitive peak clipping: b[i] ← min(b[i], (b[i−p] + b[i+p]) / 2) for each p.

    Parameters
    ----------
    spectra : ndarray of float32, shape (n, n_bins)
        Intensities.
    half_window : int
        Largest p, about half the width of the widest peak in bins.
    decreasing : bool
        From `half_window` down to 1 (smoother baseline) or up.

    Returns
    -------
    ndarray of float64, shape (n, n_bins)
        Baseline; the outer p bins of each end are left as they are at each p.

    References
    ----------
    Ryan et al., Nucl. Instrum. Methods B 34, 1988; Morháč et al., Nucl. Instrum. Methods A 401,
    1997 (doi:10.1016/S0168-9002(97)01023-1).

    Deviations
    ----------
    Without Ryan's log-log-square-root compression.
    """
    return lies_below(_clipped(half_window, decreasing), spectra)


def _clipped(half_window: int, decreasing: bool) -> BaselineKernel:
    from corespot.preprocess.windows_kernel import subtract_clipped

    return lambda rows, above, below: subtract_clipped(rows, half_window, decreasing, above, below)


def subtract(spectra: Spectra, baseline: FloatBlock) -> Spectra:
    """Spectra minus baseline, negative remainders set to zero."""
    return np.maximum(spectra.astype(np.float64) - baseline, 0.0).astype(np.float32)


class WindowBaseline(Step):
    """Base of the baselines whose window must fit on the axis."""

    skip_on_centroid: ClassVar[str | None] = NO_BASELINE
    before_transform: ClassVar[str | None] = ADDITIVE

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Refuse a window wider than the axis."""
        need = self.minimum_bins()
        if need > axis.n_bins:
            return [
                f"its window spans {need} bins, but the axis has {axis.n_bins}; "
                f"use a window of at most {max(axis.n_bins // 10, 2)} bins"
            ]
        return []


@register_step
class ConvolutionBaseline(WindowBaseline):
    """Subtract the convolved lower envelope; see `convolution_baseline`."""

    step: Literal["baseline"] = "baseline"
    method: Literal["convolution"] = "convolution"
    width: int = Field(default=20, ge=2)

    def minimum_bins(self) -> int:
        """The window."""
        return self.width

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Spectra above their baseline, never negative."""
        return lies_above(_convolution(self.width), spectra), axis


@register_step
class TophatBaseline(WindowBaseline):
    """Subtract the morphological opening; see `tophat_baseline`."""

    step: Literal["baseline"] = "baseline"
    method: Literal["tophat"] = "tophat"
    width: int = Field(default=100, ge=2)

    def minimum_bins(self) -> int:
        """The window."""
        return self.width

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Spectra above their opening: between zero and the data."""
        return lies_above(_opening(self.width), spectra), axis


@register_step
class SnipBaseline(WindowBaseline):
    """Subtract the clipped-peak baseline; see `snip_baseline`."""

    step: Literal["baseline"] = "baseline"
    method: Literal["snip"] = "snip"
    half_window: int = Field(default=40, ge=1)
    decreasing: bool = True

    def minimum_bins(self) -> int:
        """Both half-windows and the bin between."""
        return 2 * self.half_window + 1

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Spectra above their baseline, never negative."""
        return lies_above(_clipped(self.half_window, self.decreasing), spectra), axis
