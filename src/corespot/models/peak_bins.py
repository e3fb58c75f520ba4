"""The strongest varying peaks of the mean spectrum, summed, in logarithms, on a common scale."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.errors import ModelError

#: Values held in double precision at a time: bounds the working memory to some tens of megabytes.
_BLOCK_VALUES = 2_000_000

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


class PeakBins(nn.Module):
    """log(1 + summed intensity), standardised, of the peaks that vary most between spots.

    Parameters
    ----------
    n_bins : int
        Length of the m/z axis, at least 1.
    n_peaks : int
        Peaks to keep, at least 1. An axis of no more bins than this is a peak list: every bin is
        a channel.
    reach : int
        Most bins that a window extends to each side of its apex; 0 makes every bin a peak of its
        own, which is right for a peak list of more bins than `n_peaks`.

    Attributes
    ----------
    apex : Tensor of int64, shape (n_channels,)
        Bin of the top of each peak, in m/z order.
    first, stop : Tensor of int64, shape (n_channels,)
        The window of each peak is bins first to stop - 1. Where there are fewer peaks than
        channels the last windows are empty and their channels constantly 0.
    centre, spread : Tensor, shape (n_channels,)
        Mean and standard deviation of the logarithms over the training spots; 0 and 1 until it is
        fitted, and spread 1 for a peak that never changes.

    Notes
    -----
    Peaks are the local maxima of the largest class mean, so that a peak which only a small class
    has is one of them. A window ends before the minima on both sides of its apex, or `reach` bins
    from it. Of all windows those are kept whose sum has the largest standard deviation over the
    training spots. Windows do not overlap.
    """

    apex: Tensor
    first: Tensor
    stop: Tensor
    centre: Tensor
    spread: Tensor
    offset: Tensor

    def __init__(self, n_bins: int, n_peaks: int, reach: int = 5) -> None:
        super().__init__()
        if n_bins < 1 or n_peaks < 1 or reach < 0:
            raise ModelError(
                "expected an m/z axis and a number of peaks of 1 or more and a reach of 0 or more, "
                f"got {n_bins}, {n_peaks} and {reach}"
            )
        self.n_bins, self.n_channels = n_bins, min(n_bins, n_peaks)
        self.reach = 0 if n_bins <= n_peaks else reach
        bins = torch.arange(self.n_channels)
        self.register_buffer("apex", bins)
        self.register_buffer("first", bins.clone())
        self.register_buffer("stop", bins + 1)
        self.register_buffer("centre", torch.zeros(self.n_channels))
        self.register_buffer("spread", torch.ones(self.n_channels))
        self.register_buffer("offset", torch.arange(2 * self.reach + 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Scaled spectra (B, n_bins) -> standardised logarithms (B, n_channels)."""
        bins = self.first[:, None] + self.offset  # (n_channels, width)
        inside = bins < self.stop[:, None]
        chosen = x.index_select(1, bins.clamp(max=self.n_bins - 1).flatten())
        sums = (chosen.view(len(x), *bins.shape) * inside).sum(2)
        return (sums.clamp(min=0).log1p() - self.centre) / self.spread

    def fit(
        self, x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], scale: float = 1.0
    ) -> None:
        """Find the peaks, choose among them, and learn their scales.

        Parameters
        ----------
        x : ndarray, shape (n_spots, n_bins)
            Spectra of the training spots, also a memory map: it is read in blocks of rows, twice.
        y : ndarray of int64, shape (n_spots,)
            Class index of each.
        scale : float
            Factor by which spectra are multiplied before they reach `forward`.

        Raises
        ------
        ModelError
            If the width of `x` is not the axis, or there is not one class index a spectrum.
        """
        if x.ndim != 2 or x.shape[1] != self.n_bins or len(x) == 0 or y.shape != (len(x),):
            raise ModelError(
                f"expected spectra of {self.n_bins} bins and a class index each, got spectra of "
                f"shape {x.shape} and class indices of shape {y.shape}"
            )
        if self.reach:
            apex, first, stop = peak_windows(_largest_class_mean(x, y) * scale, self.reach)
        else:
            apex = np.arange(self.n_bins, dtype=np.int64)
            first, stop = apex, apex + 1
        variance, centre, spread = _moments(x, first, stop, scale)
        kept = np.sort(np.argsort(-variance, kind="stable")[: self.n_channels])
        for name, values, empty in (
            ("apex", apex, 0),
            ("first", first, 0),
            ("stop", stop, 0),
            ("centre", centre, 0),
            ("spread", spread, 1),
        ):
            padded = np.full(self.n_channels, empty, dtype=values.dtype)
            padded[: len(kept)] = values[kept]
            getattr(self, name).copy_(torch.from_numpy(padded))


def peak_windows(mean: Floats, reach: int) -> tuple[Indices, Indices, Indices]:
    """Apex, first bin and bin after the last of every local maximum, in m/z order.

    Parameters
    ----------
    mean : ndarray of float64, shape (n_bins,)
        A mean spectrum. Its ends count as maxima if it falls from them; a plateau has its apex in
        the middle.
    reach : int
        Most bins of a window on each side of its apex.
    """
    from scipy.signal import find_peaks

    framed = np.concatenate([[-np.inf], mean, [-np.inf]])
    apex = find_peaks(framed)[0].astype(np.int64) - 1
    # The lowest bin between two peaks belongs to neither.
    valleys = [a + int(np.argmin(mean[a : b + 1])) for a, b in pairwise(apex)]
    left = np.array([-1, *valleys], dtype=np.int64) + 1
    right = np.array([*valleys, len(mean)], dtype=np.int64)
    return apex, np.maximum(left, apex - reach), np.minimum(right, apex + reach + 1)


def _blocks(x: npt.NDArray[np.floating]) -> Iterator[tuple[slice, Floats]]:
    step = max(1, _BLOCK_VALUES // x.shape[1])
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        yield rows, np.asarray(x[rows], dtype=np.float64)


def _largest_class_mean(x: npt.NDArray[np.floating], y: npt.NDArray[np.int64]) -> Floats:
    present, index = np.unique(y, return_inverse=True)
    sums = np.zeros((len(present), x.shape[1]))
    for rows, block in _blocks(x):
        for c in range(len(present)):
            sums[c] += block[index[rows] == c].sum(axis=0)
    result: Floats = (sums / np.bincount(index)[:, None]).max(axis=0)
    return result


def _moments(
    x: npt.NDArray[np.floating], first: Indices, stop: Indices, scale: float
) -> tuple[Floats, Floats, Floats]:
    """Variance of the window sums; mean and spread (1 where constant) of their logarithms."""
    n, n_windows = len(x), len(first)
    # Counted from the first spectrum, a window that never changes sums to exactly zero.
    base = _window_sums(np.asarray(x[:1], dtype=np.float64), first, stop, scale)
    origin = np.stack([base, np.log1p(base)])
    total, squares = np.zeros((2, n_windows)), np.zeros((2, n_windows))
    for _, block in _blocks(x):
        sums = _window_sums(block, first, stop, scale)
        for k, values in enumerate((sums, np.log1p(sums))):
            values -= origin[k]
            total[k] += values.sum(axis=0)
            squares[k] += np.square(values).sum(axis=0)
    shift = total / n
    variance = np.maximum(squares / n - shift**2, 0.0)
    spread = np.sqrt(variance[1])
    spread[spread == 0] = 1.0
    return variance[0], origin[1, 0] + shift[1], spread


def _window_sums(block: Floats, first: Indices, stop: Indices, scale: float) -> Floats:
    """Sums over the windows, as the network takes them: scaled, not below zero."""
    # Every second sum that `reduceat` gives lies between two windows.
    edges = np.stack([first, stop], axis=1).ravel()
    framed = np.pad(block, ((0, 0), (0, 1)))
    result: Floats = np.maximum(np.add.reduceat(framed, edges, axis=1)[:, ::2] * scale, 0.0)
    return result
