"""The logarithms of the bins that differ most between the classes, each on a common scale."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.errors import ModelError

#: Values turned into logarithms at a time: bounds the working memory to some tens of megabytes.
_BLOCK_VALUES = 2_000_000

Floats = npt.NDArray[np.float64]


class LogBins(nn.Module):
    """log(1 + intensity), standardised, of the bins with the largest difference of class means.

    Parameters
    ----------
    n_bins : int
        Length of the m/z axis, at least 1.
    n_kept : int
        Bins to keep, at least 1; all of them if the axis has fewer.

    Attributes
    ----------
    bins : Tensor of int64, shape (n_kept,)
        Bins kept, in m/z order; the first ones until it is fitted.
    centre, spread : Tensor, shape (n_kept,)
        Mean and standard deviation of their logarithms over the training spots; 0 and 1 until it
        is fitted, and spread 1 for a bin that never changes.

    References
    ----------
    Shamsher, "Spatial-spectral deep learning for tumor detection in colorectal cancer".

    Notes
    -----
    Deviations: the source fits on the whole data set, this on the training spots alone. A
    spectrum is multiplied by one over the root mean square of the training spectra before the
    logarithm is taken, so that intensities of any unit bend alike. Intensities below zero, which a
    baseline correction may leave, count as zero.
    """

    bins: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(self, n_bins: int, n_kept: int) -> None:
        super().__init__()
        if n_bins < 1 or n_kept < 1:
            raise ModelError(
                f"expected an m/z axis and a number of kept bins of 1 or more, got {n_bins} and "
                f"{n_kept}"
            )
        self.n_bins, self.n_kept = n_bins, min(n_kept, n_bins)
        self.register_buffer("bins", torch.arange(self.n_kept))
        self.register_buffer("centre", torch.zeros(self.n_kept))
        self.register_buffer("spread", torch.ones(self.n_kept))

    @property
    def n_channels(self) -> int:
        """Channels that come out: the number of kept bins."""
        return self.n_kept

    def forward(self, x: Tensor) -> Tensor:
        """Scaled spectra (B, n_bins) -> standardised logarithms (B, n_kept)."""
        kept = x.index_select(1, self.bins).clamp(min=0)
        return (kept.log1p() - self.centre) / self.spread

    def fit(
        self, x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], scale: float = 1.0
    ) -> None:
        """Choose the bins and their scales.

        Parameters
        ----------
        x : ndarray, shape (n_spots, n_bins)
            Spectra of the training spots, also a memory map: it is read in blocks of rows.
        y : ndarray of int64, shape (n_spots,)
            Class index of each.
        scale : float
            Factor by which spectra are multiplied before they reach `forward`.

        Raises
        ------
        ModelError
            If the width of `x` is not the axis, or there is not one class index a spectrum.

        Notes
        -----
        Of more than two classes a bin counts with the largest difference between any two of their
        means; of bins that differ alike the lower one is kept.
        """
        if x.ndim != 2 or x.shape[1] != self.n_bins or len(x) == 0 or y.shape != (len(x),):
            raise ModelError(
                f"expected spectra of {self.n_bins} bins and a class index each, got spectra of "
                f"shape {x.shape} and class indices of shape {y.shape}"
            )
        centre, spread, means = _moments(x, y, scale)
        difference = (means.max(axis=0) - means.min(axis=0)) / spread
        best = np.argsort(-difference, kind="stable")[: self.n_kept]
        bins = np.sort(best).astype(np.int64)
        self.bins.copy_(torch.from_numpy(bins))
        self.centre.copy_(torch.from_numpy(centre[bins]))
        self.spread.copy_(torch.from_numpy(spread[bins]))


def _moments(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], scale: float
) -> tuple[Floats, Floats, Floats]:
    """Mean, spread (1 where constant) and class means of the logarithms of every bin."""
    present, index = np.unique(y, return_inverse=True)
    # Counted from the first spectrum, a bin that never changes sums to exactly zero.
    first = _logarithms(x[:1], scale)[0]
    sums = np.zeros((len(present), x.shape[1]))
    squares = np.zeros(x.shape[1])
    step = max(1, _BLOCK_VALUES // x.shape[1])
    for start in range(0, len(x), step):
        block = _logarithms(x[start : start + step], scale) - first
        classes = index[start : start + step]
        for c in range(len(present)):
            sums[c] += block[classes == c].sum(axis=0)
        squares += np.square(block, out=block).sum(axis=0)
    shift = sums.sum(axis=0) / len(x)
    spread = np.sqrt(np.maximum(squares / len(x) - shift**2, 0.0))
    spread[spread == 0] = 1.0
    means = first + sums / np.bincount(index)[:, None]
    return first + shift, spread, means


def _logarithms(x: npt.NDArray[np.floating], scale: float) -> Floats:
    """log(1 + scale x) in double precision, negative intensities as zero."""
    values = np.maximum(np.asarray(x, dtype=np.float64) * scale, 0.0)
    result: Floats = np.log1p(values, out=values)
    return result
