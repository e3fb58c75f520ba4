"""DilatedNet: dilated convolutions until every position sees the whole axis, at full resolution."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional

from corespot.models.layers import Convolution, Dense, batch_norm, n_trainable
from corespot.models.registry import register
from corespot.models.search_space import Choice, Range
from corespot.settings import Settings


class DilatedConfig(Settings):
    """Parameters of DilatedNet.

    Parameters
    ----------
    channels : int
        Channels of every dilated layer.
    kernel : int
        Taps of every dilated layer, odd.
    growth : int
        Factor of the dilation from layer to layer, at most (kernel + 1) / 2: every layer then
        fills the gaps between the taps of the next from one side alone, so that also positions at
        the edge of the axis see all of it.
    maps : int
        Maps that the head keeps of the channels; it has `maps` weights a bin and class.
    dropout : float
        Probability that a value of a map is dropped before the dense layer.
    """

    channels: int = Field(4, ge=1, description="channels of every dilated layer")
    kernel: int = Field(9, ge=3, description="taps of every dilated layer, odd")
    growth: int = Field(
        5, ge=2, description="factor of the dilation from layer to layer, at most (kernel + 1) / 2"
    )
    maps: int = Field(1, ge=1, description="maps that the dense layer reads, bin by bin")
    dropout: float = Field(0.5, ge=0.0, lt=1.0, description="dropout before the dense layer")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd, so that the padding is the same on both sides")
        return value

    @model_validator(mode="after")
    def _without_gaps(self) -> Self:
        most = (self.kernel + 1) // 2
        if self.growth > most:
            raise ValueError(
                f"growth must be at most {most} with kernel {self.kernel} ((kernel + 1) / 2), or "
                f"positions near the edges would not see all of the axis; got {self.growth}"
            )
        return self


class DilatedBlock(nn.Module):
    """ReLU, dilated convolution, BN, plus its input."""

    def __init__(self, n_channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.conv = Convolution(n_channels, n_channels, kernel, dilation=dilation)
        self.norm = batch_norm(n_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, L) -> (B, channels, L)."""
        result: Tensor = self.norm(self.conv(functional.relu(x))).add_(x)
        return result


@register(
    "dilated",
    DilatedConfig,
    source="van Kersbergen et al., SPIE Medical Imaging 2019 (a reconstruction)",
    training={"epochs": 10, "batch_size": 32, "learning_rate": 3e-3, "schedule": "cosine"},
    space={
        "channels": Choice((2, 4, 8)),
        "kernel": Range(3, 13, whole=True, step=2),
        "growth": Range(2, 7, whole=True),
        "maps": Choice((1, 2, 4)),
        "dropout": Range(0.0, 0.7),
    },
)
class DilatedNet(nn.Module):
    """Residual network of dilated convolutions; 55,536 parameters at 27,286 bins.

    Parameters
    ----------
    config : DilatedConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis; the number of layers follows from it.
    n_classes : int
        Number of classes, at least 2.

    References
    ----------
    van Kersbergen et al., "Cancer detection in mass spectrometry imaging data by dilated
    convolutional neural networks", SPIE Medical Imaging 2019, doi:10.1117/12.2512360.

    Notes
    -----
    Deviation: a reconstruction. Only the abstract is public: one-dimensional dilated convolutions
    that see local and global mass patterns without more parameters and without down-sampling. The
    numbers of layers, channels and taps, the residual blocks and the head are ours. The head keeps
    the position: an average over the axis would forget which peak is high. The logarithm of one
    plus the scaled intensity comes first (negative ones count as zero): without it the network
    errs more on slides it was not trained on.
    """

    #: Its convolutions are so narrow that bfloat16 on a CPU costs accuracy for little time.
    bf16_pays_on_cpu = False

    def __init__(self, config: DilatedConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        _, *further = dilations(config, n_bins)
        n, kernel = config.channels, config.kernel
        self.stem = Convolution(1, n, kernel)
        self.stem_norm = batch_norm(n)
        self.blocks = nn.Sequential(*(DilatedBlock(n, kernel, d) for d in further))
        self.squeeze = Convolution(n, config.maps, 1)
        self.norm = batch_norm(config.maps)
        self.dropout = nn.Dropout(config.dropout)
        self.dense = Dense(config.maps * n_bins, n_classes)

    def forward_maps(self, x: Tensor) -> Tensor:
        """Maps before their batch norm, (B, n_bins) -> (B, maps, n_bins)."""
        logs = x.clamp(min=0).log1p().unsqueeze(1)  # (B, 1, n_bins)
        h = self.stem_norm(self.stem(logs))  # (B, channels, n_bins)
        maps: Tensor = self.squeeze(functional.relu(self.blocks(h)))
        return maps

    def forward_features(self, x: Tensor) -> Tensor:
        """Features before the dense layer, (B, n_bins) -> (B, maps * n_bins)."""
        return functional.relu(self.norm(self.forward_maps(x))).flatten(1)

    def forward_head(self, features: Tensor) -> Tensor:
        """Scores before the softmax, (B, maps * n_bins) -> (B, n_classes)."""
        scores: Tensor = self.dense(self.dropout(features))
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, n_classes), scores before the softmax."""
        return self.forward_head(self.forward_features(x))

    @classmethod
    def size(cls, config: DilatedConfig, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters, and bins that one position of a map sees: 2 n_bins - 1 or more."""
        with torch.device("meta"):
            network = cls(config, n_bins, n_classes)
        return n_trainable(network), 1 + (config.kernel - 1) * sum(dilations(config, n_bins))


def dilations(config: DilatedConfig, n_bins: int) -> list[int]:
    """Dilation of every layer: 1, growth, growth², … until one edge sees the other.

    Parameters
    ----------
    config : DilatedConfig
        Taps and growth.
    n_bins : int
        Length of the m/z axis.

    Returns
    -------
    list of int
        The shortest that reaches ``n_bins - 1`` bins to either side, at least one layer.
    """
    result, reach = [1], config.kernel // 2
    while reach < n_bins - 1:
        result.append(result[-1] * config.growth)
        reach += config.kernel // 2 * result[-1]
    return result
