"""A 3-D convolutional network over m/z, y and x: spectral and spatial structure learnt together."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from corespot.models.layer_sizes import (
    convolution_parameters,
    dense_parameters,
    norm_parameters,
    strided_length,
)
from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Choice, Range


@register(
    "conv3d",
    "corespot.models.conv3d:Conv3d",
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
class Conv3dConfig(ModelConfig):
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

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters; the head sees the whole axis."""
        n = 0
        for n_in, n_out, mz_stride in self.plan:
            n += convolution_parameters(n_in, n_out, 9 * mz_width(mz_stride))
            n += norm_parameters(n_out)
        length = strided_length(min(n_bins, self.n_peaks), self.mz_strides)
        return n + dense_parameters(self.channels[-1] * length, n_classes), None

    @property
    def plan(self) -> list[tuple[int, int, int]]:
        """Channels in, channels out and stride along m/z of every layer; two volumes enter."""
        inputs = (2, *self.channels[:-1])
        return list(zip(inputs, self.channels, self.mz_strides, strict=True))


def mz_width(mz_stride: int) -> int:
    """Width of a kernel along m/z: neighbouring steps overlap by one position; at least 3."""
    return max(3, 2 * mz_stride - 1)
