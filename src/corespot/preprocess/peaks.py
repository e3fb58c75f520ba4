"""Peak picking within one spectrum: its own local maxima, or windows at listed m/z."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from corespot.axis import MzAxis
from corespot.preprocess.noise import noise_level
from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import DataKind, Spectra, Step, register_step
from corespot.units import Tolerance

IntVector = npt.NDArray[np.int64]

_TOLERANCE = re.compile(r"^\s*([0-9.eE+-]+)\s*(da|ppm)\s*$", re.IGNORECASE)


def parse_tolerance(text: str) -> Tolerance:
    """Read ``"0.3 Da"`` or ``"200 ppm"``.

    Raises
    ------
    ValueError
        If it is neither.
    """
    match = _TOLERANCE.match(text)
    try:
        if match is None:
            raise ValueError
        value = float(match.group(1))
    except ValueError:
        raise ValueError(f'expected a tolerance like "0.3 Da" or "200 ppm", got {text!r}') from None
    return Tolerance(value, "da" if match.group(2).lower() == "da" else "ppm")


def pick_maxima(
    spectra: Spectra, *, snr: float, half_window: int, measure: Literal["height", "area"]
) -> Spectra:
    """Keep local maxima that stand out of the noise, zero everywhere else.

    A bin is kept if it is the highest of the 2 · half_window + 1 bins around it and at least
    `snr` times the spectrum's `noise_level`; of equal neighbours the first is kept.

    Parameters
    ----------
    spectra : ndarray of float32, shape (n, n_bins)
        Profile intensities, baseline removed.
    snr : float
        Least height in units of the noise level.
    half_window : int
        Bins on each side that a peak must top.
    measure : {"height", "area"}
        Value kept: the height, or the sum over the same window (windows of close peaks overlap).
    """
    from corespot.preprocess.windows_kernel import keep_maxima

    least = snr * noise_level(spectra)
    rows, kept = for_kernel(spectra), np.empty(spectra.shape, dtype=np.float32)
    area = measure == "area"
    each_row(lambda part: keep_maxima(rows[part], least[part], half_window, area, kept[part]), rows)
    return kept


def read_listed(
    spectra: Spectra,
    axis: MzAxis,
    listed: MzAxis,
    *,
    tolerance: Tolerance,
    measure: Literal["height", "area"],
) -> Spectra:
    """Highest value, or sum, within `tolerance` of each listed m/z; zero where no bin lies."""
    from corespot.preprocess.scale_kernel import window_values

    starts, stops = _windows(axis, listed, tolerance)
    rows, out = for_kernel(spectra), np.empty((len(spectra), listed.n_bins), dtype=np.float32)
    summed = measure == "area"
    each_row(lambda part: window_values(rows[part], starts, stops, summed, out[part]), rows)
    return out


@lru_cache(maxsize=2)
def _windows(axis: MzAxis, listed: MzAxis, tolerance: Tolerance) -> tuple[IntVector, IntVector]:
    """First bin of each window, and the one after its last."""
    windows = [axis.window(float(mz), tolerance) for mz in listed.mz]
    starts, stops = ([getattr(window, end) for window in windows] for end in ("start", "stop"))
    return np.array(starts, dtype=np.int64), np.array(stops, dtype=np.int64)


@register_step
class PickPeaks(Step):
    """Keep a spectrum's own peaks on the axis it has; see `pick_maxima`."""

    step: Literal["peaks"] = "peaks"
    method: Literal["local_maxima"] = "local_maxima"
    snr: float = Field(default=3.0, ge=0)
    half_window: int = Field(default=5, ge=1)
    measure: Literal["height", "area"] = "height"

    skip_on_centroid: ClassVar[str | None] = "the data are peak-picked already"
    before_transform: ClassVar[str | None] = (
        "the noise level it compares with is defined on intensities"
    )
    makes_centroids: ClassVar[bool] = True

    def minimum_bins(self) -> int:
        """Three bins make a peak."""
        return 3

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Refuse a window wider than the axis."""
        need = 2 * self.half_window + 1
        if need > axis.n_bins:
            return [f"its window spans {need} bins, but the axis has {axis.n_bins}; narrow it"]
        return []

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Sparse spectra on the same axis."""
        picked = pick_maxima(
            spectra, snr=self.snr, half_window=self.half_window, measure=self.measure
        )
        return picked, axis


@register_step
class ListedPeaks(Step):
    """Reduce the axis to listed m/z; see `read_listed`.

    Parameters
    ----------
    mz : tuple of float
        Increasing m/z values, given beforehand: a list found on the cohort itself is a fitted
        step and belongs inside the fold.
    tolerance : str
        Half-width of each window, ``"0.3 Da"`` or ``"200 ppm"``.
    measure : {"height", "area"}
        Highest value in the window, or sum over it.
    """

    step: Literal["peaks"] = "peaks"
    method: Literal["listed"] = "listed"
    mz: tuple[float, ...]
    tolerance: str = "0.3 Da"
    measure: Literal["height", "area"] = "height"

    makes_centroids: ClassVar[bool] = True

    @model_validator(mode="after")
    def _increasing(self) -> Self:
        parse_tolerance(self.tolerance)
        if not self.mz or not all(math.isfinite(mz) and mz > 0 for mz in self.mz):
            raise ValueError("mz must list one or more positive m/z values")
        if any(high <= low for low, high in zip(self.mz, self.mz[1:], strict=False)):
            raise ValueError("mz must increase, without repeats")
        return self

    @property
    def axis(self) -> MzAxis:
        """The axis it reduces to."""
        return MzAxis(np.array(self.mz), "listed")

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Refuse listed m/z that lie outside the axis or between its bins."""
        tolerance = parse_tolerance(self.tolerance)
        low, high = axis.edges[0], axis.edges[-1]
        outside = [mz for mz in self.mz if not low <= mz <= high]
        found = []
        if outside:
            found.append(
                f"{len(outside)} listed m/z lie outside the axis {axis.mz[0]:g}–{axis.mz[-1]:g} "
                f"({', '.join(f'{mz:g}' for mz in outside[:5])}); remove them"
            )
        if kind == "profile":
            empty = [
                mz for mz in self.mz if mz not in outside and _is_empty(axis.window(mz, tolerance))
            ]
            if empty:
                found.append(
                    f"no bin lies within {tolerance} of {len(empty)} listed m/z "
                    f"({', '.join(f'{mz:g}' for mz in empty[:5])}); bins there are "
                    f"{axis.width_da(empty[0]):.3g} Da wide: widen the tolerance"
                )
        return found

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Spectra on the listed axis."""
        listed = self.axis
        tolerance = parse_tolerance(self.tolerance)
        return read_listed(spectra, axis, listed, tolerance=tolerance, measure=self.measure), listed


def _is_empty(window: slice) -> bool:
    return bool(window.stop <= window.start)
