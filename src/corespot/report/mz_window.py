"""The part of an m/z axis that is looked at: zoomed, moved, and written in an address."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Self

from corespot.axis import MzAxis
from corespot.units import Tolerance

#: Narrowest window in Da: less would show a bin or two.
NARROWEST_DA = 0.5
#: m/z shown below a mass that is looked at, and above it, where its isotopes are, in Da.
BEFORE_DA, AFTER_DA = 2.5, 5.5
_ADDRESS = re.compile(r"(\d{1,7}(?:\.\d{1,6})?)-(\d{1,7}(?:\.\d{1,6})?)")


@dataclass(frozen=True)
class MzWindow:
    """A range of m/z.

    Parameters
    ----------
    low, high : float
        Its ends, `low` below `high`.
    """

    low: float
    high: float

    @classmethod
    def whole(cls, axis: MzAxis) -> Self:
        """The window that holds every bin of `axis`."""
        return cls(float(axis.edges[0]), float(axis.edges[-1]))

    @classmethod
    def around(cls, mz: float, axis: MzAxis, *, tolerance: Tolerance | None = None) -> Self:
        """The window that shows a mass and its isotopes, and all of `tolerance` round it."""
        half = 0.0 if tolerance is None else 1.2 * tolerance.at_da(mz)
        found = cls(mz - max(BEFORE_DA, half), mz + max(AFTER_DA, half))
        return found.within(axis)

    @classmethod
    def between(cls, one: float, other: float, axis: MzAxis) -> Self:
        """The window between two masses in either order, within `axis`."""
        return cls(min(one, other), max(one, other)).within(axis)

    @classmethod
    def parsed(cls, text: str | None, axis: MzAxis) -> Self:
        """What an address such as ``1100-1110`` asks for; the whole axis if it is none."""
        found = _ADDRESS.fullmatch(text or "")
        if found is None:
            return cls.whole(axis)
        return cls.between(float(found[1]), float(found[2]), axis)

    @property
    def text(self) -> str:
        """The window as `parsed` reads it."""
        return f"{_short(self.low)}-{_short(self.high)}"

    @property
    def width(self) -> float:
        """Its width in Da."""
        return self.high - self.low

    def within(self, axis: MzAxis) -> Self:
        """The window moved into the axis and cut to it, not narrower than `NARROWEST_DA`."""
        first, last = float(axis.edges[0]), float(axis.edges[-1])
        room = last - first
        ends = (self.low, self.high)
        if not all(math.isfinite(end) for end in ends):
            return type(self)(first, last)
        width = min(max(self.width, min(NARROWEST_DA, room)), room)
        if width >= room * (1 - 1e-9):  # moved ends are a rounding error apart
            return type(self)(first, last)
        middle = self.low + self.width / 2
        low = min(max(middle - width / 2, first), last - width)
        return type(self)(low, low + width)

    def zoomed(self, factor: float, axis: MzAxis) -> Self:
        """The window `factor` times as wide about its middle."""
        half, middle = factor * self.width / 2, self.low + self.width / 2
        return type(self)(middle - half, middle + half).within(axis)

    def moved(self, share: float, axis: MzAxis) -> Self:
        """The window moved by `share` of its width, as far as the axis goes."""
        step = share * self.width
        return type(self)(self.low + step, self.high + step).within(axis)

    def is_whole(self, axis: MzAxis) -> bool:
        """Whether it shows the whole axis."""
        return bool(self.low <= axis.mz[0] and self.high >= axis.mz[-1])

    def holds(self, mz: float) -> bool:
        """Whether `mz` lies inside."""
        return self.low <= mz <= self.high


def _short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
