"""The leading principal components of the most different bins: the colours of an image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.errors import ModelError
from corespot.models.log_bins import LogBins

#: Values that pass through double precision at a time.
_BLOCK_VALUES = 2_000_000

Floats = npt.NDArray[np.float64]


class PcaImage(nn.Module):
    """Scores of every spot on the principal components of its standardised log bins.

    Parameters
    ----------
    n_bins : int
        Length of the m/z axis, at least 1.
    n_kept : int
        Bins that the components are made of; see `LogBins`.
    n_components : int
        Components, at least 1. Where there are fewer bins the last ones are constantly 0.

    Attributes
    ----------
    mean : Tensor, shape (n_kept,)
        Subtracted from the standardised logarithms.
    components : Tensor, shape (n_components, n_kept)
        Orthonormal rows, the one of largest variance first, each with its largest weight positive;
        zeros until it is fitted.
    variance : Tensor, shape (n_components,)
        Variance of each score over the training spots.
    share : Tensor, shape (n_components,)
        That variance as a share of all variance of the kept bins.
    low, high : Tensor, shape (n_components,)
        Range of each score over the training spots; 0 and 1 until it is fitted.

    References
    ----------
    Shamsher, "Spatial-spectral deep learning for tumor detection in colorectal cancer".

    Notes
    -----
    Deviation: the source fits selection, scales and components on the whole data set, this on the
    training spots alone.
    """

    mean: Tensor
    components: Tensor
    variance: Tensor
    share: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, n_bins: int, n_kept: int = 100, n_components: int = 3) -> None:
        super().__init__()
        if n_components < 1:
            raise ModelError(f"expected one component or more, got {n_components}")
        self.log_bins = LogBins(n_bins, n_kept)
        self.n_channels = n_components
        n_features = self.log_bins.n_channels
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("components", torch.zeros(n_components, n_features))
        self.register_buffer("variance", torch.zeros(n_components))
        self.register_buffer("share", torch.zeros(n_components))
        self.register_buffer("low", torch.zeros(n_components))
        self.register_buffer("high", torch.ones(n_components))

    def forward(self, x: Tensor) -> Tensor:
        """Scaled spectra (B, n_bins) -> scores (B, n_components)."""
        scores: Tensor = (self.log_bins(x) - self.mean) @ self.components.T
        return scores

    def fit(
        self, x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], scale: float = 1.0
    ) -> None:
        """Choose the bins, find the components, and note their ranges.

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
        """
        self.log_bins.fit(x, y, scale)
        logs = self._logarithms(x, scale)
        mean = logs.mean(axis=0)
        logs -= mean
        values, vectors = np.linalg.eigh(logs.T @ logs / len(logs))
        values, rows = np.maximum(values[::-1], 0.0), vectors[:, ::-1].T
        # Of a vector and its negative, both of which are eigenvectors, always the same.
        largest = np.abs(rows).argmax(axis=1)
        rows = rows * np.where(rows[np.arange(len(rows)), largest] < 0, -1.0, 1.0)[:, None]
        n_found = min(self.n_channels, len(rows))
        scores = logs @ rows[:n_found].T
        all_variance = values.sum()
        found = {
            "components": rows[:n_found],
            "variance": values[:n_found],
            "share": values[:n_found] / (all_variance if all_variance > 0 else 1.0),
            "low": scores.min(axis=0),
            "high": scores.max(axis=0),
        }
        self.mean.copy_(torch.from_numpy(mean))
        for name, value in found.items():
            buffer = getattr(self, name)
            buffer[:n_found].copy_(torch.from_numpy(np.ascontiguousarray(value)))

    def _logarithms(self, x: npt.NDArray[np.floating], scale: float) -> Floats:
        """Standardised logarithms of the kept bins, (n_spots, n_kept), in double precision."""
        bins = self.log_bins.bins.cpu().numpy()
        centre = self.log_bins.centre.cpu().numpy().astype(np.float64)
        spread = self.log_bins.spread.cpu().numpy().astype(np.float64)
        result = np.empty((len(x), len(bins)))
        step = max(1, _BLOCK_VALUES // x.shape[1])
        for start in range(0, len(x), step):
            kept = np.asarray(x[start : start + step], dtype=np.float64)[:, bins] * scale
            result[start : start + step] = (np.log1p(np.maximum(kept, 0.0)) - centre) / spread
        return result
