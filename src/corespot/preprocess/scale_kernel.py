"""Compiled sums over rows, to the bit as numpy adds, and rows times a factor each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Rows = npt.NDArray[np.floating]
FloatVector = npt.NDArray[np.float64]
FloatBlock = npt.NDArray[np.float64]
IntVector = npt.NDArray[np.int64]

#: Terms that numpy adds in eight running sums before it halves; part of what the result is.
_LEAF = 128

#: What is added up.
PLAIN, ABSOLUTE, SQUARED = 0, 1, 2


@compiled
def pairwise_sum(row: Rows, kind: int, terms: FloatVector) -> float:
    """Sum of values as they are, absolute or squared, in numpy's order.

    Eight running sums a leaf, leaves added in pairs; `terms` has room for those of a leaf.
    """
    n = row.size
    if n > _LEAF:
        half = n // 2
        half -= half % 8
        left = pairwise_sum(row[:half], kind, terms)
        return left + pairwise_sum(row[half:], kind, terms)
    if kind == SQUARED:
        for i in range(n):
            terms[i] = np.float64(row[i]) * np.float64(row[i])
    elif kind == ABSOLUTE:
        for i in range(n):
            terms[i] = abs(np.float64(row[i]))
    else:
        for i in range(n):
            terms[i] = np.float64(row[i])
    whole = n - n % 8
    total = 0.0
    if whole:
        a, b, c, d = terms[0], terms[1], terms[2], terms[3]
        e, f, g, h = terms[4], terms[5], terms[6], terms[7]
        for i in range(8, whole, 8):
            a += terms[i]
            b += terms[i + 1]
            c += terms[i + 2]
            d += terms[i + 3]
            e += terms[i + 4]
            f += terms[i + 5]
            g += terms[i + 6]
            h += terms[i + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(whole, n):
        total += terms[i]
    return total


@compiled
def row_sums(spectra: Rows, kind: int, sums: FloatVector) -> None:
    """Sum of the values of each row, absolute or squared."""
    terms = np.empty(_LEAF)
    for row in range(spectra.shape[0]):
        sums[row] = pairwise_sum(spectra[row], kind, terms)


@compiled
def scale_rows(spectra: Rows, factors: FloatVector, scaled: Rows) -> None:
    """Each row times its factor, multiplied in float64."""
    for row in range(spectra.shape[0]):
        values, out, factor = spectra[row], scaled[row], factors[row]
        for i in range(values.size):
            out[i] = np.float64(values[i]) * factor


@compiled
def window_values(
    spectra: Rows, starts: IntVector, stops: IntVector, summed: bool, values: Rows
) -> None:
    """Highest value in each window of each row, or the sum; zero in windows without bins."""
    terms = np.empty(_LEAF)
    for row in range(spectra.shape[0]):
        data = spectra[row]
        for k in range(starts.size):
            start, stop = starts[k], stops[k]
            if stop <= start:
                values[row, k] = 0.0
            elif summed:
                values[row, k] = pairwise_sum(data[start:stop], PLAIN, terms)
            else:
                highest = data[start]
                for i in range(start + 1, stop):
                    highest = max(highest, data[i])
                values[row, k] = highest


@compiled
def phase_sums(
    spectra: Rows, cuts: IntVector, weights: FloatBlock, real: FloatBlock, imaginary: FloatBlock
) -> None:
    """Weighted sums of each row's segments, their mean taken off; a segment ends at the next cut.

    The mean goes first: a level does not cancel over a broken number of cluster spacings.
    """
    terms = np.empty(_LEAF)
    for row in range(spectra.shape[0]):
        for k in range(cuts.size - 1):
            start, stop = cuts[k], cuts[k + 1]
            part = spectra[row, start:stop]
            level = pairwise_sum(part, PLAIN, terms) / part.size
            products = np.empty(part.size)
            for turn in range(2):
                for i in range(part.size):
                    products[i] = (np.float64(part[i]) - level) * weights[turn, start + i]
                total = pairwise_sum(products, PLAIN, terms)
                if turn == 0:
                    real[row, k] = total
                else:
                    imaginary[row, k] = total
