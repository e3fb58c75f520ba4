"""Intensity normalisation, one factor a spectrum."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.axis import MzAxis
from corespot.preprocess.step import Spectra, Step, register_step

#: A statistic at or below this counts as zero, and its spectrum as empty.
FLOOR = 1e-12


def total_ion_count(spectra: Spectra) -> npt.NDArray[np.float64]:
    """Sum of absolute intensities of each row, shape (n,)."""
    # Cast first: a buffered cast inside sum() would split rows differently in different blocks.
    total: npt.NDArray[np.float64] = np.abs(spectra.astype(np.float64)).sum(axis=1)
    return total


def tic(spectra: Spectra, *, total: float = 1.0, floor: float = FLOOR) -> Spectra:
    """Divide by the total ion count: rows sum to `total`, all-zero rows stay zero."""
    return _divide(spectra, total_ion_count(spectra) / total, floor)


def rms(spectra: Spectra, *, floor: float = FLOOR) -> Spectra:
    """Divide by the root mean square: that of a row becomes one, all-zero rows stay zero."""
    square = spectra.astype(np.float64) ** 2
    return _divide(spectra, np.sqrt(square.mean(axis=1)), floor)


def median(spectra: Spectra, *, floor: float = FLOOR) -> Spectra:
    """Divide by the median positive intensity; all-zero rows stay zero.

    Zeros are left out: in sparse spectra the median of everything is zero.
    """
    ordered = np.sort(spectra.astype(np.float64), axis=1)
    n_bins = spectra.shape[1]
    n_positive = (spectra > 0).sum(axis=1)
    rows = np.arange(len(spectra))
    first = n_bins - n_positive
    low = np.minimum(first + (n_positive - 1) // 2, n_bins - 1)
    high = np.minimum(first + n_positive // 2, n_bins - 1)
    middle = np.where(n_positive > 0, (ordered[rows, low] + ordered[rows, high]) / 2, 0.0)
    return _divide(spectra, middle, floor)


def _divide(spectra: Spectra, by: npt.NDArray[np.float64], floor: float) -> Spectra:
    usable = by > floor
    factor = np.where(usable, 1.0 / np.where(usable, by, 1.0), 0.0)
    return (spectra.astype(np.float64) * factor[:, None]).astype(np.float32)


@register_step
class Normalize(Step):
    """Bring every spectrum to the same overall intensity.

    Parameters
    ----------
    method : {"tic", "rms", "median", "none"}
        Statistic that becomes `to`: mean intensity, root mean square, median positive intensity.
    to : float
        Its new value. With ``tic`` and the default 1 the *mean* intensity is one, that is, rows
        sum to the number of bins: independent of the axis length, and of a size that networks
        and float16 take.
    """

    step: Literal["normalize"] = "normalize"
    method: Literal["tic", "rms", "median", "none"] = "tic"
    to: float = Field(default=1.0, gt=0)

    before_transform: ClassVar[str | None] = (
        "dividing by a total makes sense for intensities, not for their logarithm or root"
    )

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Scaled spectra on the same axis."""
        if self.method == "none":
            return spectra, axis
        if self.method == "tic":
            return tic(spectra, total=self.to * axis.n_bins), axis
        scaled = rms(spectra) if self.method == "rms" else median(spectra)
        return (scaled if self.to == 1 else scaled * np.float32(self.to)), axis
