"""Compiled medians: the value of a rank, found digit by digit instead of by sorting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Rows = npt.NDArray[np.floating]
FloatVector = npt.NDArray[np.float64]
IntVector = npt.NDArray[np.int64]

#: Bits of a digit; five of them hold the 63 bits of a float64 that is not negative.
_DIGIT = 13


@compiled
def ranked(bits: IntVector, spare: IntVector, rank: int) -> int:
    """Bits of the float of `rank` (from 0) among floats that are not negative.

    Read as whole numbers, their bits are in the same order. Those that share the leading digit
    of the one looked for are kept and sorted out by the next digit.
    """
    counts = np.empty(2**_DIGIT, np.int64)
    left = bits.size
    from_, to = bits, spare
    for digit in range(5):
        shift = max(63 - _DIGIT * (digit + 1), 0)
        mask = 2**_DIGIT - 1 if digit < 4 else 2 ** (63 - 4 * _DIGIT) - 1
        counts[:] = 0
        for i in range(left):
            counts[(from_[i] >> shift) & mask] += 1
        wanted = 0
        while rank >= counts[wanted]:
            rank -= counts[wanted]
            wanted += 1
        kept = 0
        for i in range(left):
            to[kept] = from_[i]
            kept += ((from_[i] >> shift) & mask) == wanted
        if digit == 0:
            # The caller's floats stay as they are for a second rank.
            from_, to = spare, np.empty(kept, np.int64)
        else:
            from_, to = to, from_
        left = kept
        if left == 1:
            break
    found: int = from_[0]
    return found


@compiled
def median_of(values: FloatVector, spare: IntVector) -> float:
    """Median of floats that are not negative; NaN where one is."""
    n = values.size
    bits = values.view(np.int64)
    total = 0.0
    for i in range(n):
        total += values[i]
    if total != total:
        return np.nan
    pair = np.empty(2, np.int64)
    pair[0] = ranked(bits, spare, (n - 1) // 2)
    pair[1] = pair[0] if n % 2 else ranked(bits, spare, n // 2)
    middle = pair.view(np.float64)
    median: float = (middle[0] + middle[1]) / 2
    return median


@compiled
def median_steps(spectra: Rows, medians: FloatVector) -> None:
    """Median absolute difference of neighbours in each row."""
    n_rows, n = spectra.shape
    steps, spare = np.empty(n - 1), np.empty(n - 1, np.int64)
    for row in range(n_rows):
        values = spectra[row]
        for i in range(n - 1):
            steps[i] = abs(np.float64(values[i + 1]) - np.float64(values[i]))
        medians[row] = median_of(steps, spare)


@compiled
def median_positive(spectra: Rows, medians: FloatVector) -> None:
    """Median of the positive values of each row; zero where there are none."""
    n_rows, n = spectra.shape
    positive, spare = np.empty(n), np.empty(n, np.int64)
    for row in range(n_rows):
        values, kept = spectra[row], 0
        for i in range(n):
            positive[kept] = values[i]
            kept += values[i] > 0
        medians[row] = median_of(positive[:kept], spare) if kept else 0.0
