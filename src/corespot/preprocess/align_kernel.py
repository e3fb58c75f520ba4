"""Compiled alignment: the best of many corrections, and reading spectra where they were shifted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Rows = npt.NDArray[np.floating]
FloatVector = npt.NDArray[np.float64]
FloatBlock = npt.NDArray[np.float64]
IntVector = npt.NDArray[np.int64]


@compiled
def best_moves(
    real: FloatBlock,
    imaginary: FloatBlock,
    rows: IntVector,
    cosines: FloatBlock,
    sines: FloatBlock,
    best: IntVector,
) -> None:
    """First move that scores highest for each of `rows`; moves are the rows of the tables."""
    for row in rows:
        highest = -np.inf
        for move in range(cosines.shape[0]):
            score = 0.0
            for k in range(cosines.shape[1]):
                score += real[row, k] * cosines[move, k] + imaginary[row, k] * sines[move, k]
            if score > highest:
                highest, best[row] = score, move


@compiled
def read_shifted(
    spectra: Rows,
    mz: FloatVector,
    position: FloatVector,
    low: FloatVector,
    high: FloatVector,
    aligned: Rows,
) -> None:
    """Read each row at m/z whose error in ppm runs from `low` to `high`, as numpy interpolates."""
    last = mz.size - 1
    for row in range(spectra.shape[0]):
        data, out = spectra[row], aligned[row]
        if low[row] == 0 and high[row] == 0:
            for i in range(mz.size):
                out[i] = data[i]
            continue
        at = 0
        for i in range(mz.size):
            error = low[row] + (high[row] - low[row]) * position[i]
            wanted = mz[i] + error * mz[i] / 1e6
            while at < last and mz[at + 1] <= wanted:
                at += 1
            while at > 0 and mz[at] > wanted:
                at -= 1
            if at == last or wanted <= mz[at]:
                out[i] = data[at]
            else:
                start = np.float64(data[at])
                slope = (np.float64(data[at + 1]) - start) / (mz[at + 1] - mz[at])
                out[i] = slope * (wanted - mz[at]) + start
