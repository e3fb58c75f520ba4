"""Grouped, class-aware folds inside a training part, by which ROC/LDA chooses K."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from corespot.errors import ModelError

Splits = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]

_DEALS = 20


def inner_splits(
    groups: npt.NDArray[np.generic], y: npt.NDArray[np.int64], n_folds: int, seed: int
) -> Splits:
    """Deal spectra into grouped folds with every class on both sides.

    Parameters
    ----------
    groups : ndarray, shape (n,)
        What is never split.
    y : ndarray of int, shape (n,)
        Class index of each spectrum.
    n_folds : int
        Folds wanted; fewer if a class is in fewer groups.
    seed : int
        Seed of the deal.

    Returns
    -------
    list of (ndarray of int64, ndarray of int64)
        Positions of the training and the test spectra.

    Raises
    ------
    ModelError
        If a class is in a single group, or no deal leaves every class on both sides.
    """
    n_classes = int(y.max()) + 1
    fewest = min(len(np.unique(groups[y == c])) for c in range(n_classes))
    folds = min(n_folds, fewest)
    if folds >= 2:
        for deal in range(_DEALS):
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**31 + deal)
            splits: Splits = list(splitter.split(groups, y, groups))
            parts = [part for split in splits for part in split]
            if all(len(np.unique(y[part])) == n_classes for part in parts):
                return splits
    raise ModelError(
        f'k="inner" needs every class in two or more groups of the training spectra, in folds '
        f"with all classes; the rarest class is in {fewest}. Give K as a number, or group by "
        "patient or core"
    )
