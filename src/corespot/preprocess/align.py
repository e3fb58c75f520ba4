"""Calibration alignment of each spectrum on its own, to listed m/z.

The error is a shift in ppm that is affine in m/z.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from corespot.axis import MzAxis
from corespot.preprocess.peaks import parse_tolerance
from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import DataKind, Spectra, Step, register_step
from corespot.units import Tolerance

FloatVector = npt.NDArray[np.float64]


def shift_by_references(
    spectrum: npt.NDArray[np.float32],
    axis: MzAxis,
    references: FloatVector,
    *,
    tolerance: Tolerance,
    least_matched: int,
    affine: bool,
) -> tuple[float, float]:
    """Error in ppm at the ends of the axis, from the peaks nearest to listed m/z.

    The highest bin within `tolerance` of each reference, refined by a parabola, is its peak; it
    must be a maximum inside the window. The line through the errors is Theil–Sen's (median of
    pairwise slopes), or their median when not `affine`. (0, 0) with fewer than `least_matched`.
    """
    found, errors = [], []
    for reference in references:
        window = axis.window(float(reference), tolerance)
        if window.stop - window.start < 3:
            continue
        top = window.start + int(np.argmax(spectrum[window]))
        if not window.start < top < window.stop - 1 or spectrum[top] <= 0:
            continue
        mz = apex(axis.mz, spectrum, top)
        found.append(float(reference))
        errors.append((mz - reference) / reference * 1e6)
    if len(found) < least_matched:
        return 0.0, 0.0
    mz_found, error = np.array(found), np.array(errors)
    slope = 0.0
    if affine and len(found) > 1:
        i, j = np.triu_indices(len(found), 1)
        slope = float(np.median((error[j] - error[i]) / (mz_found[j] - mz_found[i])))
    offset = float(np.median(error - slope * mz_found))
    return offset + slope * float(axis.mz[0]), offset + slope * float(axis.mz[-1])


def apex(mz: FloatVector, spectrum: npt.NDArray[np.floating], top: int) -> float:
    """m/z of the vertex of the parabola through bin `top` and its neighbours."""
    x = mz[top - 1 : top + 2] - mz[top]
    y = spectrum[top - 1 : top + 2].astype(np.float64)
    left, right = (y[1] - y[0]) / -x[0], (y[2] - y[1]) / x[2]
    curvature = (right - left) / (x[2] - x[0])
    if curvature >= 0:
        return float(mz[top])
    return float(mz[top] + (x[0] - left / curvature) / 2)


def undo_shift(
    spectra: Spectra, axis: MzAxis, ends: tuple[float, float], low: FloatVector, high: FloatVector
) -> Spectra:
    """Read each spectrum where its errors say that the axis' m/z were recorded.

    The error runs linearly from `low` ppm at ``ends[0]`` to `high` ppm at ``ends[1]`` and on.
    """
    from corespot.preprocess.align_kernel import read_shifted

    position = (axis.mz - ends[0]) / (ends[1] - ends[0])
    rows, out = for_kernel(spectra), np.empty_like(spectra)
    mz = for_kernel(axis.mz)
    each_row(
        lambda part: read_shifted(rows[part], mz, position, low[part], high[part], out[part]), rows
    )
    return out


class Alignment(Step):
    """Base of the alignments."""

    before_transform: ClassVar[str | None] = "it weighs peaks by their intensity"

    def minimum_bins(self) -> int:
        """Three bins make a peak."""
        return 3

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Refuse peak-picked data: whole peaks would fall between bins."""
        if kind == "centroid":
            return [
                "peak-picked spectra cannot be moved by fractions of a bin; align before peak "
                "picking, from profile data"
            ]
        return []


@register_step
class ReferenceAlign(Alignment):
    """Align to listed m/z, such as matrix clusters or trypsin autolysis peaks.

    Parameters
    ----------
    mz : tuple of float
        True m/z of peaks expected in every spectrum.
    tolerance : str
        Largest error looked for, ``"300 ppm"`` or ``"0.3 Da"``.
    least_matched : int
        Spectra that show fewer of the peaks are left as they are.
    affine : bool
        Fit offset and slope in ppm; otherwise the offset only.
    """

    step: Literal["align"] = "align"
    method: Literal["references"] = "references"
    mz: tuple[float, ...]
    tolerance: str = "300 ppm"
    least_matched: int = Field(default=2, ge=1)
    affine: bool = True

    @model_validator(mode="after")
    def _enough(self) -> Self:
        parse_tolerance(self.tolerance)
        if len(set(self.mz)) != len(self.mz) or len(self.mz) < self.least_matched:
            raise ValueError("mz must list different values, at least least_matched of them")
        return self

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Refuse references outside the axis or windows narrower than a peak."""
        found = super().faults(axis, kind)
        tolerance = parse_tolerance(self.tolerance)
        for mz in self.mz:
            window = axis.window(mz, tolerance)
            if window.stop - window.start < 3:
                found.append(
                    f"fewer than 3 bins lie within {tolerance} of reference m/z {mz:g} (axis "
                    f"{axis.mz[0]:g}–{axis.mz[-1]:g}, bins {axis.width_da(mz):.3g} Da); widen "
                    "the tolerance or drop the reference"
                )
        return found

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Aligned spectra on the same axis."""
        ends = np.array(
            [
                shift_by_references(
                    spectrum,
                    axis,
                    np.array(sorted(self.mz)),
                    tolerance=parse_tolerance(self.tolerance),
                    least_matched=self.least_matched,
                    affine=self.affine,
                )
                for spectrum in spectra
            ]
        ).reshape(-1, 2)
        span = (float(axis.mz[0]), float(axis.mz[-1]))
        low, high = np.ascontiguousarray(ends.T)
        return undo_shift(spectra, axis, span, low, high), axis
