"""DilatedNet: dilated convolutions until every position sees the whole axis, at full resolution."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from corespot.models.layer_sizes import convolution_parameters, dense_parameters, norm_parameters
from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Choice, Range


@register(
    "dilated",
    "corespot.models.dilated:DilatedNet",
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
class DilatedConfig(ModelConfig):
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

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters, and bins that one position of a map sees: 2 n_bins - 1 or more."""
        spacing = dilations(self, n_bins)
        inputs = [1, *[self.channels] * (len(spacing) - 1)]
        n = sum(convolution_parameters(n_in, self.channels, self.kernel) for n_in in inputs)
        n += len(spacing) * norm_parameters(self.channels)
        n += convolution_parameters(self.channels, self.maps, 1) + norm_parameters(self.maps)
        n += dense_parameters(self.maps * n_bins, n_classes)
        return n, 1 + (self.kernel - 1) * sum(spacing)


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
