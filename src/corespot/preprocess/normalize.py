"""Intensity normalisation, one factor a spectrum."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.axis import MzAxis
from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import Spectra, Step, register_step

#: A statistic at or below this counts as zero, and its spectrum as empty.
FLOOR = 1e-12


def total_ion_count(spectra: Spectra) -> npt.NDArray[np.float64]:
    """Sum of absolute intensities of each row, shape (n,)."""
    return _sums(spectra, squared=False)


def tic(spectra: Spectra, *, total: float = 1.0, floor: float = FLOOR) -> Spectra:
    """Divide by the total ion count: rows sum to `total`, all-zero rows stay zero."""
    return _divide(spectra, total_ion_count(spectra) / total, floor)


def rms(spectra: Spectra, *, floor: float = FLOOR) -> Spectra:
    """Divide by the root mean square: that of a row becomes one, all-zero rows stay zero."""
    return _divide(spectra, np.sqrt(_sums(spectra, squared=True) / spectra.shape[1]), floor)


def median(spectra: Spectra, *, floor: float = FLOOR) -> Spectra:
    """Divide by the median positive intensity; all-zero rows stay zero.

    Zeros are left out: in sparse spectra the median of everything is zero.
    """
    from corespot.preprocess.noise_kernel import median_positive

    rows, middle = for_kernel(spectra), np.empty(len(spectra))
    each_row(lambda part: median_positive(rows[part], middle[part]), rows)
    return _divide(spectra, middle, floor)


def _sums(spectra: Spectra, *, squared: bool) -> npt.NDArray[np.float64]:
    from corespot.preprocess.scale_kernel import row_sums

    rows, sums = for_kernel(spectra), np.empty(len(spectra))
    each_row(lambda part: row_sums(rows[part], squared, sums[part]), rows)
    return sums


def _divide(spectra: Spectra, by: npt.NDArray[np.float64], floor: float) -> Spectra:
    from corespot.preprocess.scale_kernel import scale_rows

    usable = by > floor
    factor = np.where(usable, 1.0 / np.where(usable, by, 1.0), 0.0)
    rows, scaled = for_kernel(spectra), np.empty(spectra.shape, dtype=np.float32)
    each_row(lambda part: scale_rows(rows[part], factor[part], scaled[part]), rows)
    return scaled


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
