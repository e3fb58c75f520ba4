"""Conv1d: a small stack of convolutions on the hundred bins that differ most between classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from corespot.models.catalogue.conv1d import Conv1dConfig
from corespot.models.layers import Dense, he_normal_
from corespot.models.log_bins import LogBins


class Conv1dNet(nn.Module):
    """Convolutions with ReLU and dropout on the logarithms of the kept bins, then a dense layer.

    Parameters
    ----------
    config : Conv1dConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis.
    n_classes : int
        Number of classes, at least 2.

    References
    ----------
    Shamsher, "Spatial-spectral deep learning for tumor detection in colorectal cancer", the
    one-dimensional baseline.

    Notes
    -----
    Deviations: bins, means and spreads are fitted on the training spots alone, not on the whole
    data set (see `corespot.models.log_bins.LogBins`), and the kept bins stand in m/z order. The
    source gives no numbers of layers, channels and taps, and no training settings for this model;
    all of them are ours.
    """

    def __init__(self, config: Conv1dConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        self.front = LogBins(n_bins, config.n_kept)
        stack: list[nn.Module] = []
        n_in = 1
        for layer in range(config.layers):
            n_out = config.channels * 2**layer
            stack += [_convolution(n_in, n_out, config.kernel), nn.ReLU()]
            stack += [nn.Dropout(config.dropout)]
            n_in = n_out
        self.convolutions = nn.Sequential(*stack)
        width = n_in * self.front.n_channels
        self.hidden = nn.Sequential()
        if config.hidden:
            self.hidden.extend([Dense(width, config.hidden), nn.ReLU(), nn.Dropout(config.dropout)])
            width = config.hidden
        self.dense = Dense(width, n_classes)

    def prepare(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], scale: float) -> None:
        """Choose and standardise the bins on the training spots, before gradient descent."""
        self.front.fit(x, y, scale)

    def forward_features(self, x: Tensor) -> Tensor:
        """Features before the dense layer, (B, n_bins) -> (B, n_features)."""
        h = self.convolutions(self.front(x).unsqueeze(1))  # (B, channels, n_kept)
        features: Tensor = self.hidden(h.flatten(1))
        return features

    def forward_head(self, features: Tensor) -> Tensor:
        """Scores before the softmax, (B, n_features) -> (B, n_classes)."""
        scores: Tensor = self.dense(features)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, n_classes), scores before the softmax."""
        return self.forward_head(self.forward_features(x))


def _convolution(n_in: int, n_out: int, kernel: int) -> nn.Conv1d:
    """Convolution that keeps the length, He initialisation, offsets zero."""
    layer = nn.Conv1d(n_in, n_out, kernel, padding=kernel // 2)
    he_normal_(layer.weight, n_in * kernel)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
