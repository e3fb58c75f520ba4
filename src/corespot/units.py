"""Units of the m/z axis: daltons, parts per million, and tolerances that carry their unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

MassLike = TypeVar("MassLike", float, npt.NDArray[np.float64])

#: Mass of a proton in daltons (CODATA 2018); tryptic peptides are seen as [M+H]+.
PROTON_DA = 1.007276466


def da_to_ppm(delta_da: MassLike, mz: MassLike) -> MassLike:
    """Express a mass difference in Da as parts per million of `mz`."""
    return delta_da / mz * 1e6


def ppm_to_da(delta_ppm: MassLike, mz: MassLike) -> MassLike:
    """Express a relative mass difference in ppm of `mz` in Da."""
    return delta_ppm * mz / 1e6


@dataclass(frozen=True)
class Tolerance:
    """Half-width of an m/z window, with its unit.

    Parameters
    ----------
    value : float
        Half-width, positive.
    unit : {"da", "ppm"}
        Unit of `value`.

    Raises
    ------
    ValueError
        If `value` is not positive and finite, or `unit` is unknown.
    """

    value: float
    unit: Literal["da", "ppm"]

    def __post_init__(self) -> None:
        if not np.isfinite(self.value) or self.value <= 0:
            raise ValueError(f"a tolerance must be positive and finite, got {self.value!r}")
        if self.unit not in ("da", "ppm"):
            raise ValueError(f"a tolerance is in 'da' or 'ppm', got {self.unit!r}")

    def at_da(self, mz: float) -> float:
        """Half-width in Da at `mz`."""
        return self.value if self.unit == "da" else ppm_to_da(self.value, mz)

    def bounds(self, mz: float) -> tuple[float, float]:
        """Lower and upper m/z of the window around `mz`."""
        half = self.at_da(mz)
        return mz - half, mz + half

    def __str__(self) -> str:
        return f"{self.value:g} {'Da' if self.unit == 'da' else 'ppm'}"
