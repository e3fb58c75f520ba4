"""Compiled sums over rows, to the bit as numpy adds, and rows times a factor each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Rows = npt.NDArray[np.floating]
FloatVector = npt.NDArray[np.float64]

#: Terms that numpy adds in eight running sums before it halves; part of what the result is.
_LEAF = 128


@compiled
def pairwise_sum(values: FloatVector) -> float:
    """Sum in numpy's order: eight running sums a leaf, leaves added in pairs."""
    n = values.size
    if n > _LEAF:
        half = n // 2
        half -= half % 8
        return pairwise_sum(values[:half]) + pairwise_sum(values[half:])
    whole = n - n % 8
    total = 0.0
    if whole:
        a, b, c, d = values[0], values[1], values[2], values[3]
        e, f, g, h = values[4], values[5], values[6], values[7]
        for i in range(8, whole, 8):
            a += values[i]
            b += values[i + 1]
            c += values[i + 2]
            d += values[i + 3]
            e += values[i + 4]
            f += values[i + 5]
            g += values[i + 6]
            h += values[i + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, n):
        total += values[i]
    return total


@compiled
def row_sums(spectra: Rows, squared: bool, sums: FloatVector) -> None:
    """Sum of absolute or squared values of each row."""
    n_rows, n = spectra.shape
    terms = np.empty(n)
    for row in range(n_rows):
        values = spectra[row]
        for i in range(n):
            value = np.float64(values[i])
            terms[i] = value * value if squared else abs(value)
        sums[row] = pairwise_sum(terms)


@compiled
def scale_rows(spectra: Rows, factors: FloatVector, scaled: Rows) -> None:
    """Each row times its factor, multiplied in float64."""
    for row in range(spectra.shape[0]):
        values, out, factor = spectra[row], scaled[row], factors[row]
        for i in range(values.size):
            out[i] = np.float64(values[i]) * factor
