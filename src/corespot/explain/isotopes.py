"""Isotope patterns of singly charged peptides: spacing, expected shape, chains of peaks."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

#: Mean spacing in Da of the isotope peaks of a singly charged peptide.
ISOTOPE_SPACING_DA = 1.00235


def expected_heavy_isotopes(mz: float) -> float:
    """Mean number of heavy isotopes in an average peptide of this m/z.

    The isotope pattern is close to a Poisson distribution with this mean: the monoisotopic
    peak is the highest below m/z 1736, the next one above.

    References
    ----------
    Breen et al., "Automatic Poisson peak harvesting for high throughput protein
    identification", Electrophoresis 21(11), 2000: λ = 0.000594 M − 0.03091.
    """
    return max(0.000594 * mz - 0.03091, 0.0)


@dataclass(frozen=True)
class IsotopeNeighbour:
    """A peak of the same isotope pattern as a higher one.

    Parameters
    ----------
    step : int
        Isotope spacings from the higher peak; negative towards smaller m/z.
    index : int
        Position among the candidates.
    """

    step: int
    index: int


def isotope_neighbours(
    seed: int,
    mz: npt.NDArray[np.float64],
    height: npt.NDArray[np.float64],
    free: npt.NDArray[np.bool_],
    *,
    tolerance_da: float,
    floor: float = 0.05,
    rise: float = 1.1,
    tail: int = 3,
) -> list[IsotopeNeighbour]:
    """Find the peaks that continue the isotope pattern of the peak `seed`.

    Walks away from the seed in steps of one isotope spacing, to larger m/z and, as far as an
    average peptide of this mass allows the seed to be a heavy isotope, to smaller m/z. A step
    is taken if there is a free peak that does not rise in size and has not vanished. Its sign
    may differ: a model can weigh the isotopes of one peptide against each other.

    Parameters
    ----------
    seed : int
        The highest peak of the pattern.
    mz : ndarray of float64, shape (n,)
        Increasing m/z of the candidate peaks.
    height : ndarray of float64, shape (n,)
        Their signed heights.
    free : ndarray of bool, shape (n,)
        Candidates not yet used by a higher pattern.
    tolerance_da : float
        Deviation allowed in the spacing, in Da.
    floor : float
        Smallest height of a neighbour, as a fraction of the seed's.
    rise : float
        Largest ratio of a peak to the one before it, walking away from the seed.
    tail : int
        Most steps to larger m/z, beyond the mean number of heavy isotopes.
    """
    found: list[IsotopeNeighbour] = []
    lighter = ceil(expected_heavy_isotopes(float(mz[seed])))
    for direction, steps in ((1, lighter + tail), (-1, lighter)):
        last, position = abs(float(height[seed])), float(mz[seed])
        for step in range(1, steps + 1):
            target = position + direction * ISOTOPE_SPACING_DA
            start, stop = np.searchsorted(mz, [target - tolerance_da, target + tolerance_da])
            near = np.arange(start, stop)
            near = near[free[near] & (near != seed)]
            if near.size == 0:
                break
            best = int(near[np.argmax(np.abs(height[near]))])
            reached = abs(float(height[best]))
            if reached > rise * last or reached < floor * abs(float(height[seed])):
                break
            found.append(IsotopeNeighbour(direction * step, best))
            last, position = reached, float(mz[best])
    return sorted(found, key=lambda neighbour: neighbour.step)
