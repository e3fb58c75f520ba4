"""A 3-D convolutional network over m/z, y and x: spectral and spatial structure learnt together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from corespot.models.catalogue.conv3d import Conv3dConfig, mz_width
from corespot.models.layer_sizes import strided_length
from corespot.models.layers import Dense, he_normal_
from corespot.models.masked import masked_mean, randomly_turned
from corespot.models.peak_bins import PeakBins
from corespot.models.steady_norm import SteadyNorm3d


class VolumeLayer(nn.Module):
    """3-D convolution with a stride along m/z, BN, ReLU; nothing where there is no spot.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    mz_stride : int
        Step along m/z. The kernel is 3 × 3 spots and `mz_width` along m/z.
    """

    def __init__(self, n_in: int, n_out: int, mz_stride: int) -> None:
        super().__init__()
        width = mz_width(mz_stride)
        self.conv = nn.Conv3d(
            n_in,
            n_out,
            (width, 3, 3),
            stride=(mz_stride, 1, 1),
            padding=(width // 2, 1, 1),
            bias=False,
        )
        he_normal_(self.conv.weight, n_in * width * 9)
        self.norm = SteadyNorm3d(n_out)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, n_in, L, h, w) -> (B, n_out, (L - 1) // mz_stride + 1, h, w)."""
        return functional.relu(self.norm(self.conv(x))) * mask


class Conv3d(nn.Module):
    """3-D convolutions over (m/z, y, x), a mean over the spots, and a head that knows its m/z.

    Parameters
    ----------
    config : Conv3dConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis.
    n_classes : int
        Number of classes, at least 2.

    References
    ----------
    Lee & Lee, "Spatial-spectral integrative 3D convolutional neural network for MSI-based cancer
    diagnosis".

    Notes
    -----
    A reconstruction: only the abstract of the source is public. It says that 3-D convolutions act
    on spectral and spatial structure at once, directly on the measured cube, and that experiments
    which destroy one of the two show that both are used. Layers, widths and training are ours.

    The patch enters as two volumes: the values of the peaks, and the mask that tells a missing
    spot from one of average intensity. The mask is applied again after every layer, so that a
    patch gives the same scores however much empty frame surrounds its spots. Kernels are shared
    along m/z, but which peak is high is what matters: the head therefore has weights of its own
    for every position along m/z.
    """

    def __init__(self, config: Conv3dConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        self.augment = config.augment
        self.front = PeakBins(n_bins, config.n_peaks, config.reach)
        self.layers = nn.ModuleList(VolumeLayer(*layer) for layer in config.plan)
        length = strided_length(self.front.n_channels, config.mz_strides)
        self.dropout = nn.Dropout(config.dropout)
        self.dense = Dense(config.channels[-1] * length, n_classes)

    def prepare(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], scale: float) -> None:
        """Find the peaks of the training spots.

        Parameters
        ----------
        x : ndarray, shape (n_spots, n_bins)
            Spectra of the training spots.
        y : ndarray of int64, shape (n_spots,)
            Class index of each.
        scale : float
            Factor by which spectra are multiplied before they reach the network.
        """
        self.front.fit(x, y, scale)

    def forward_features(self, images: Tensor) -> Tensor:
        """Features before the head, (B, n_peaks + 1, h, w) -> (B, channels · m/z positions)."""
        if self.training and self.augment:
            images = randomly_turned(images)
        values, mask = images[:, None, :-1], images[:, None, -1:]  # (B, 1, n_peaks, h, w)
        h = torch.cat([values * mask, mask.expand_as(values)], 1)
        for layer in self.layers:
            h = layer(h, mask)
        return masked_mean(h, images[:, -1:]).flatten(1)

    def forward_head(self, features: Tensor) -> Tensor:
        """Scores before the softmax, (B, channels · m/z positions) -> (B, n_classes)."""
        scores: Tensor = self.dense(self.dropout(features))
        return scores

    def forward(self, images: Tensor) -> Tensor:
        """Images of peaks and a mask -> scores before the softmax, (B, n_classes)."""
        return self.forward_head(self.forward_features(images))
