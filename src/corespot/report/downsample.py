"""Fewer points for the screen without losing a peak."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def minmax_indices(y: npt.NDArray[Any], n: int) -> npt.NDArray[np.intp]:
    """Positions of at most `n` points that keep the extremes of every stretch of `y`.

    The points are cut into equal stretches; of each, the lowest and the highest are kept, and
    the two ends of the whole. NaN counts as absent; a stretch of NaN keeps one.

    Raises
    ------
    ValueError
        If `n` is below 4 or `y` is not a vector.
    """
    if n < 4 or y.ndim != 1:
        raise ValueError(f"expected n >= 4 and a vector, got n = {n} and shape {y.shape}")
    if y.size <= n:
        return np.arange(y.size)
    stretches = (n - 2) // 2
    length = -(-y.size // stretches)
    count = -(-y.size // length)
    padded = np.full(count * length, np.nan)
    padded[: y.size] = y
    rows = padded.reshape(count, length)
    start = np.arange(count) * length
    lowest = start + np.argmin(np.where(np.isnan(rows), np.inf, rows), axis=1)
    highest = start + np.argmax(np.where(np.isnan(rows), -np.inf, rows), axis=1)
    return np.unique(np.concatenate([[0], lowest, highest, [y.size - 1]]))


def downsample_minmax(
    x: npt.NDArray[Any], y: npt.NDArray[Any], n: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Keep at most `n` points of a curve, among them every stretch's minimum and maximum.

    Parameters
    ----------
    x, y : ndarray, shape (n_points,)
        The curve, by increasing `x`.
    n : int
        Most points returned, at least 4; a curve that short is returned as it is.

    Raises
    ------
    ValueError
        If `x` and `y` differ in length, or `n` is below 4.
    """
    if x.shape != y.shape:
        raise ValueError(f"x has shape {x.shape}, y has {y.shape}")
    keep = minmax_indices(y, n)
    return x[keep], y[keep]
