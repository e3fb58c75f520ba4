"""The loss of logistic regression over spectra that are standardised as they are read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Values held in double precision at a time: 2 MiB, which stay in the cache of a core.
_BLOCK_VALUES = 2**18


def moments(x: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of every bin; spread 1 where it never changes.

    Parameters
    ----------
    x : ndarray or SpectraRows, shape (n_spots, n_bins)
        Intensities.
    """
    # Counted from the first spectrum, a bin that never changes sums to exactly zero.
    first = np.asarray(x[:1], dtype=np.float64)[0]
    total, squares = np.zeros_like(first), np.zeros_like(first)
    for _, block in _blocks(x, first):
        total += block.sum(axis=0)
    centre = first + total / len(x)
    for _, block in _blocks(x, centre):
        squares += np.einsum("ij,ij->j", block, block)
    spread: Floats = np.sqrt(squares / len(x))
    spread[spread == 0] = 1.0
    return centre, spread


class BlockedLoss:
    """What logistic regression minimises, and its slopes, over spectra read block by block.

    With z the standardised bins, s the class weights n / (k n_c) and n spectra, the mean of
    s (−log p) and ‖w‖² / (2 c n), as scikit-learn has it, so that its solver takes the same steps.

    Parameters
    ----------
    x : ndarray or SpectraRows, shape (n_spots, n_bins)
        Intensities.
    y : ndarray of int64, shape (n_spots,)
        Class index of each, none missing; of two classes the second is told from the first.
    centre, spread : ndarray of float64, shape (n_bins,)
        Of the bins.
    c : float
        Inverse strength of the penalty.
    """

    def __init__(
        self,
        x: npt.NDArray[np.floating],
        y: Ints,
        *,
        centre: Floats,
        spread: Floats,
        c: float,
    ) -> None:
        self._x, self._y, self._centre, self._spread = x, y, centre, spread
        counts = np.bincount(y)
        n_classes = len(counts)
        self._weight = (len(y) / (n_classes * counts))[y]
        self._rows = 1 if n_classes == 2 else n_classes
        self._penalty = 1 / (c * len(y))

    @property
    def start(self) -> Floats:
        """Where the search begins: nothing but zeros."""
        return np.zeros(self._rows * (len(self._centre) + 1))

    def parts(self, values: Floats) -> tuple[Floats, Floats]:
        """Weights (n_rows, n_bins) and offsets (n_rows,) of what is searched for."""
        table = values.reshape(self._rows, -1)
        return table[:, :-1], table[:, -1]

    def __call__(self, values: Floats) -> tuple[float, Floats]:
        """Value and slopes."""
        weights, offsets = self.parts(values)
        loss = 0.0
        slopes = np.zeros((self._rows, values.size // self._rows))
        scaled = (weights / self._spread).T
        for rows, centred in _blocks(self._x, self._centre):
            lost, slope = self._pointwise(centred @ scaled + offsets, rows)
            loss += lost
            slopes[:, :-1] += slope.T @ centred
            slopes[:, -1] += slope.sum(axis=0)
        slopes[:, :-1] /= self._spread
        slopes[:, :-1] += self._penalty * weights
        return loss + 0.5 * self._penalty * float(np.sum(weights**2)), slopes.ravel()

    def _pointwise(self, scores: Floats, rows: slice) -> tuple[float, Floats]:
        """Loss of some spectra, and its slopes by their scores, (n, n_rows)."""
        y = self._y[rows]
        weight = self._weight[rows] / len(self._y)
        if self._rows == 1:
            # Two classes, as scores of the second against the first.
            scores = np.concatenate([np.zeros_like(scores), scores], axis=1)
        top = scores.max(axis=1, keepdims=True)
        grown = np.exp(scores - top)
        total = grown.sum(axis=1, keepdims=True)
        own = np.arange(len(y)), y
        lost = weight @ (np.log(total) + top - scores[own][:, None])[:, 0]
        slope = grown / total
        slope[own] -= 1.0
        return float(lost), (slope * weight[:, None])[:, -self._rows :]


def _blocks(x: npt.NDArray[np.floating], centre: Floats) -> Iterator[tuple[slice, Floats]]:
    """Spectra less a centre, some at a time; the memory is used again."""
    step = max(1, _BLOCK_VALUES // x.shape[1])
    memory = np.empty((min(step, len(x)), x.shape[1]))
    for start in range(0, len(x), step):
        rows = slice(start, min(start + step, len(x)))
        block = memory[: rows.stop - start]
        np.subtract(x[rows], centre, out=block)
        yield rows, block
