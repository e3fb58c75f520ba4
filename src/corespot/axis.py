"""The m/z axis: one strictly increasing float64 vector shared by all spectra of a store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from corespot.units import Tolerance

AxisKind = Literal["equidistant", "ppm", "tof", "listed"]


@dataclass(frozen=True, eq=False)
class MzAxis:
    """Centres of the m/z bins of a spectra store.

    Parameters
    ----------
    mz : ndarray of float64, shape (n_bins,)
        Bin centres in Da per charge, positive and strictly increasing.
    kind : {"equidistant", "ppm", "tof", "listed"}
        Spacing law: constant in m/z, in log m/z, in √(m/z), or simply listed.

    Raises
    ------
    ValueError
        If `mz` is empty, not one-dimensional, not finite, not positive or not increasing.
    """

    mz: npt.NDArray[np.float64]
    kind: AxisKind = "listed"

    def __post_init__(self) -> None:
        mz = np.array(self.mz, dtype=np.float64)
        if mz.ndim != 1 or mz.size == 0:
            raise ValueError(f"an m/z axis is a non-empty vector, got shape {mz.shape}")
        if not np.all(np.isfinite(mz)) or mz[0] <= 0:
            raise ValueError("an m/z axis must be finite and positive")
        if np.any(np.diff(mz) <= 0):
            at = int(np.argmax(np.diff(mz) <= 0))
            raise ValueError(
                f"an m/z axis must increase: bin {at} has {mz[at]!r}, the next {mz[at + 1]!r}"
            )
        mz.flags.writeable = False
        object.__setattr__(self, "mz", mz)

    @classmethod
    def equidistant(cls, low: float, high: float, n_bins: int) -> MzAxis:
        """Axis of `n_bins` centres from `low` to `high`, constant in m/z."""
        return cls(np.linspace(low, high, n_bins), "equidistant")

    @classmethod
    def constant_ppm(cls, low: float, high: float, n_bins: int) -> MzAxis:
        """Axis of `n_bins` centres from `low` to `high`, constant in relative width."""
        return cls(np.geomspace(low, high, n_bins), "ppm")

    @classmethod
    def tof(cls, low: float, high: float, n_bins: int) -> MzAxis:
        """Axis of `n_bins` centres from `low` to `high`, constant in √(m/z) as flight time is."""
        return cls(np.linspace(np.sqrt(low), np.sqrt(high), n_bins) ** 2, "tof")

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return int(self.mz.size)

    def __len__(self) -> int:
        return self.n_bins

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MzAxis) and np.array_equal(self.mz, other.mz)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @cached_property
    def edges(self) -> npt.NDArray[np.float64]:
        """Bin edges, shape (n_bins + 1,): midpoints between centres, mirrored at both ends."""
        if self.n_bins == 1:
            return np.array([self.mz[0] - 0.5, self.mz[0] + 0.5])
        middle = (self.mz[:-1] + self.mz[1:]) / 2
        first = 2 * self.mz[0] - middle[0]
        last = 2 * self.mz[-1] - middle[-1]
        return np.concatenate([[first], middle, [last]])

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the bin centres; equal axes, equal fingerprints."""
        return hashlib.sha256(self.mz.astype("<f8").tobytes()).hexdigest()

    def nearest(self, mz: float) -> int:
        """Index of the bin whose centre is closest to `mz`."""
        right = int(np.clip(np.searchsorted(self.mz, mz), 1, max(self.n_bins - 1, 1)))
        if self.n_bins == 1:
            return 0
        return right - 1 if mz - self.mz[right - 1] <= self.mz[right] - mz else right

    def window(self, mz: float, tolerance: Tolerance) -> slice:
        """Bins whose centres lie within `tolerance` of `mz`, as a slice (may be empty)."""
        low, high = tolerance.bounds(mz)
        start = int(np.searchsorted(self.mz, low, side="left"))
        stop = int(np.searchsorted(self.mz, high, side="right"))
        return slice(start, stop)

    def width_da(self, mz: float) -> float:
        """Width in Da of the bin nearest to `mz`."""
        at = self.nearest(mz)
        return float(self.edges[at + 1] - self.edges[at])
