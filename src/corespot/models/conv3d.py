"""A 3-D convolutional network over m/z, y and x: spectral and spatial structure learnt together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn
from torch.nn import functional

from corespot.models.layers import Dense, he_normal_, n_trainable, strided_length
from corespot.models.masked import masked_mean, randomly_turned
from corespot.models.peak_bins import PeakBins
from corespot.models.registry import register
from corespot.models.search_space import Choice, Range
from corespot.models.steady_norm import SteadyNorm3d
from corespot.settings import Settings


class Conv3dConfig(Settings):
    """Parameters of the 3-D convolutional network.

    Parameters
    ----------
    patch, stride : int
        Side of a patch and step between patches, in spots.
    min_coverage : float
        Least share of a patch's places that hold a spot.
    n_peaks, reach : int
        Peaks kept, and bins a peak's window extends to each side; see `PeakBins`.
    channels, mz_strides : tuple of int
        Channels of every layer, and its stride along m/z.
    dropout : float
        Before the head.
    augment : bool
        Flip and turn patches in training.
    """

    patch: int = Field(5, ge=1, description="side of a patch in spots")
    stride: int = Field(
        2, ge=1, validate_default=True, description="step between patches; no more than patch"
    )
    min_coverage: float = Field(
        0.25, ge=0.0, le=1.0, description="least share of a patch's places that hold a spot"
    )
    n_peaks: int = Field(96, ge=1, description="peaks that vary most between spots")
    reach: int = Field(
        5,
        ge=0,
        description="bins a peak's window reaches to each side; 0 for peak-picked spectra",
    )
    channels: tuple[int, ...] = Field(
        (16, 16, 16), min_length=1, description="channels of each 3-D convolution"
    )
    mz_strides: tuple[int, ...] = Field(
        (4, 2, 2),
        validate_default=True,
        description="stride along m/z of each 3-D convolution",
    )
    dropout: float = Field(0.3, ge=0.0, lt=1.0, description="dropout before the head")
    augment: bool = Field(True, description="flip and turn patches in training")

    @field_validator("stride")
    @classmethod
    def _no_gaps(cls, value: int, info: ValidationInfo) -> int:
        patch = info.data.get("patch", value)
        if value > patch:
            raise ValueError(
                f"must not exceed patch ({patch}), or spots between patches would be seen by none"
            )
        return value

    @field_validator("channels", "mz_strides")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if any(number < 1 for number in value):
            raise ValueError("must be 1 or more, each of them")
        return value

    @field_validator("mz_strides")
    @classmethod
    def _one_a_layer(cls, value: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        channels = info.data.get("channels", value)
        if len(value) != len(channels):
            raise ValueError(f"must be as many as channels, {len(channels)}")
        return value


class VolumeLayer(nn.Module):
    """3-D convolution with a stride along m/z, BN, ReLU; nothing where there is no spot.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    mz_stride : int
        Step along m/z. The kernel is 3 × 3 spots and as wide along m/z as neighbouring steps
        overlap by one position, at least 3.
    """

    def __init__(self, n_in: int, n_out: int, mz_stride: int) -> None:
        super().__init__()
        width = max(3, 2 * mz_stride - 1)
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


@register(
    "conv3d",
    Conv3dConfig,
    source="Lee & Lee, spatial-spectral 3-D network (a reconstruction)",
    input="patch",
    training={"learning_rate": 1e-3, "weight_decay": 1e-4, "batch_size": 32, "epochs": 20},
    space={
        "patch": Choice((3, 5, 7)),
        "stride": Choice((1, 2, 3)),
        "n_peaks": Range(32, 256, log=True, whole=True),
        "reach": Range(0, 10, whole=True),
        "channels": Choice(((8, 8, 8), (16, 16, 16), (16, 32, 32))),
        "dropout": Range(0.0, 0.6),
        "augment": Choice((True, False)),
    },
)
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
        inputs = (2, *config.channels[:-1])
        plan = zip(inputs, config.channels, config.mz_strides, strict=True)
        self.layers = nn.ModuleList(VolumeLayer(*layer) for layer in plan)
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

    @classmethod
    def size(cls, config: Conv3dConfig, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters; the head sees the whole axis."""
        with torch.device("meta"):
            return n_trainable(cls(config, n_bins, n_classes)), None
