"""Whether a table of predictions can be what it says: refused before anything is computed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.errors import StoreError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def check_values(row: Ints, y: Ints, probability: Floats, n_rows: int) -> None:
    """Refuse rows outside the store, unknown classes, and values that are no probabilities.

    Parameters
    ----------
    row, y : ndarray of int64, shape (n,)
        Row of the store and true class.
    probability : ndarray, shape (n, n_classes)
        Class probabilities.
    n_rows : int
        Rows of the spot table.

    Raises
    ------
    StoreError
        Naming the first offender.
    """
    n_classes = probability.shape[1]
    if row.min() < 0 or row.max() >= n_rows:
        raise StoreError(
            f"predictions name row {row.max() if row.min() >= 0 else row.min()}, but the spot "
            f"table has {n_rows} rows: they belong to another store"
        )
    if y.min() < 0 or y.max() >= n_classes:
        raise StoreError(f"predictions hold class number {y.max()}, but there are {n_classes}")
    sums = probability.sum(axis=1)
    # Half-precision networks leave rounding of about 1e-3 in the sum.
    bad = ~np.isfinite(sums) | (probability < 0).any(axis=1) | (np.abs(sums - 1.0) > 5e-3)
    if bad.any():
        where = int(np.flatnonzero(bad)[0])
        raise StoreError(
            f"row {row[where]}: {probability[where].tolist()} are not probabilities that sum to 1"
        )


def check_repeats(row: Ints, repeat: Ints) -> None:
    """Refuse spots predicted twice in a repeat, and repeats of different spots.

    Parameters
    ----------
    row, repeat : ndarray of int64, shape (n,)
        Row of the store and repeat, sorted by repeat and then by row.

    Raises
    ------
    StoreError
        Naming the first offender.
    """
    if np.any((np.diff(row) == 0) & (np.diff(repeat) == 0)):
        twice = row[1:][(np.diff(row) == 0) & (np.diff(repeat) == 0)][0]
        raise StoreError(f"row {twice} is predicted twice in one repeat")
    number, size = np.unique(repeat, return_counts=True)
    if len(set(size.tolist())) > 1 or np.any(row.reshape(len(number), -1) != row[: size[0]]):
        raise StoreError("the repeats hold predictions of different spots: a fold is missing")
