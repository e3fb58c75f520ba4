"""Compiled: sums over the rows of a block, and zeros in each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled


@compiled
def add_rows(
    block: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
    total: npt.NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    """Add some rows of a block to `total`, one after the other, in the bins from start to stop.

    Parameters
    ----------
    block : ndarray of float32, shape (n, n_bins)
        Spectra.
    rows : ndarray of int64, shape (k,)
        Which of them.
    total : ndarray of float64, shape (n_bins,)
        Changed in place.
    start, stop : int
        Bins that this call adds up.
    """
    for row in rows:
        values, sums = block[row, start:stop], total[start:stop]
        for j in range(values.size):
            sums[j] += values[j]


@compiled
def count_zeros(block: npt.NDArray[np.float32], counts: npt.NDArray[np.int64]) -> None:
    """Count the zeros of each row.

    Parameters
    ----------
    block : ndarray of float32, shape (n, n_bins)
        Spectra.
    counts : ndarray of int64, shape (n,)
        Receives the counts.
    """
    for i in range(block.shape[0]):
        values = block[i]
        n = 0
        for j in range(values.size):
            n += values[j] == 0
        counts[i] = n
