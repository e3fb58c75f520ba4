"""Intensity normalisation, one factor a spectrum."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.axis import MzAxis
from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import Spectra, Step, register_step

FloatVector = npt.NDArray[np.float64]

#: A statistic at or below this counts as zero, and its spectrum as empty.
FLOOR = 1e-12


def total_ion_count(spectra: Spectra) -> FloatVector:
    """Sum of absolute intensities of each row, shape (n,)."""
    return _sums(spectra, squared=False)


def tic(spectra: Spectra, *, total: float = 1.0, floor: float = FLOOR) -> Spectra:
    """Divide by the total ion count: rows sum to `total`, all-zero rows stay zero."""
    return _divide(spectra, lambda rows: total_ion_count(rows) / total, floor)


def rms(spectra: Spectra, *, floor: float = FLOOR) -> Spectra:
    """Divide by the root mean square: that of a row becomes one, all-zero rows stay zero."""
    n_bins = spectra.shape[1]
    return _divide(spectra, lambda rows: np.sqrt(_sums(rows, squared=True) / n_bins), floor)


def median(spectra: Spectra, *, floor: float = FLOOR) -> Spectra:
    """Divide by the median positive intensity; all-zero rows stay zero.

    Zeros are left out: in sparse spectra the median of everything is zero.
    """
    return _divide(spectra, _median_positive, floor)


def _sums(spectra: Spectra, *, squared: bool) -> FloatVector:
    from corespot.preprocess.scale_kernel import ABSOLUTE, SQUARED, row_sums

    kind = SQUARED if squared else ABSOLUTE
    rows, sums = for_kernel(spectra), np.empty(len(spectra))
    each_row(lambda part: row_sums(rows[part], kind, sums[part]), rows)
    return sums


def _median_positive(spectra: Spectra) -> FloatVector:
    from corespot.preprocess.noise_kernel import median_positive

    rows, middle = for_kernel(spectra), np.empty(len(spectra))
    each_row(lambda part: median_positive(rows[part], middle[part]), rows)
    return middle


def _divide(spectra: Spectra, statistic: Callable[[Spectra], FloatVector], floor: float) -> Spectra:
    """Divide rows by their statistic while they are in the cache from having it taken."""
    from corespot.preprocess.scale_kernel import scale_rows

    rows, scaled = for_kernel(spectra), np.empty(spectra.shape, dtype=np.float32)

    def work(part: slice) -> None:
        by = statistic(rows[part])
        usable = by > floor
        factor = np.where(usable, 1.0 / np.where(usable, by, 1.0), 0.0)
        scale_rows(rows[part], factor, scaled[part])

    each_row(work, rows)
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
