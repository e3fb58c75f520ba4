"""Compiled weighted means of neighbours, added in scipy's order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Rows = npt.NDArray[np.floating]
FloatVector = npt.NDArray[np.float64]
FloatBlock = npt.NDArray[np.float64]

#: Bins made at a time, so that all passes over them stay in the first cache.
_TILE = 1024


@compiled
def add_pair(left: FloatVector, right: FloatVector, weight: float, total: FloatVector) -> None:
    """Add the weighted sum of two neighbours."""
    for i in range(total.size):
        total[i] += (left[i] + right[i]) * weight


@compiled
def weigh_rows(
    spectra: Rows, weights: FloatVector, mirrored: bool, ends: FloatBlock, smooth: Rows
) -> None:
    """Weighted sum of an odd number of neighbours of each bin, the ends of a row repeated.

    `mirrored`: weights are the same left and right, so that scipy adds neighbours in pairs.
    `ends` holds other weights, of the first and the last window, for the bins nearest to both
    ends in turn; it may be empty.
    """
    n_rows, n = spectra.shape
    width = weights.size
    half = width // 2
    padded, total, nothing = np.empty(n + 2 * half), np.empty(_TILE), np.zeros(_TILE)
    for row in range(n_rows):
        data, out = spectra[row], smooth[row]
        padded[:half], padded[half + n :] = data[0], data[n - 1]
        inner = padded[half : half + n]
        for i in range(n):
            inner[i] = data[i]
        for start in range(0, n, _TILE):
            size = min(_TILE, n - start)
            # scipy begins with the middle of a pair, or else with the last.
            first = half if mirrored else width - 1
            for i in range(size):
                total[i] = padded[start + first + i] * weights[first]
            for k in range(half if mirrored else width - 1):
                left = padded[start + k : start + k + size]
                far = start + width - 1 - k
                right = padded[far : far + size] if mirrored else nothing[:size]
                add_pair(left, right, weights[k], total[:size])
            for i in range(size):
                out[start + i] = total[i]
        for at in range(ends.shape[0] // 2):
            for side in range(2):
                first = (n - width) * side
                sum_ = 0.0
                for k in range(width):
                    sum_ += ends[2 * at + side, k] * np.float64(data[first + k])
                out[n - 1 - at if side else at] = sum_
