"""Conv1d: a small stack of convolutions on the hundred bins that differ most between classes."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field, field_validator

from corespot.models.layer_sizes import convolution_parameters, dense_parameters
from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Choice, Range


@register(
    "conv1d",
    "corespot.models.conv1d:Conv1dNet",
    source="Shamsher, 2025, baseline",
    training={"epochs": 20, "batch_size": 32, "learning_rate": 1e-3, "weight_decay": 1e-2},
    space={
        "n_kept": Range(25, 400, log=True, whole=True),
        "channels": Choice((8, 16, 32)),
        "layers": Range(1, 4, whole=True),
        "kernel": Range(3, 9, whole=True, step=2),
        "hidden": Choice((0, 32, 64)),
        "dropout": Range(0.0, 0.7),
    },
)
class Conv1dConfig(ModelConfig):
    """Parameters of the convolutional baseline.

    Parameters
    ----------
    n_kept : int
        Bins kept; all of them on a shorter axis.
    channels : int
        Channels of the first convolution; every further one has twice as many.
    layers : int
        Number of convolutions.
    kernel : int
        Kept bins that a convolution spans, odd.
    hidden : int
        Units of a dense layer before the last one; 0 for none.
    dropout : float
        Probability that a value is dropped after each of these layers.
    """

    n_kept: int = Field(100, ge=1, description="bins kept; all of them on a shorter axis")
    channels: int = Field(
        16, ge=1, description="channels of the first convolution, doubled in every further one"
    )
    layers: int = Field(2, ge=1, description="number of convolutions")
    kernel: int = Field(3, ge=1, description="kept bins that a convolution spans, odd")
    hidden: int = Field(0, ge=0, description="units of a dense layer before the last; 0 for none")
    dropout: float = Field(0.5, ge=0.0, lt=1.0, description="dropout after every hidden layer")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd, so that the padding is the same on both sides")
        return value

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters; neighbours among the kept bins may be far apart on the axis."""
        channels = [1, *(self.channels * 2**layer for layer in range(self.layers))]
        n = sum(
            convolution_parameters(n_in, n_out, self.kernel, offset=True)
            for n_in, n_out in pairwise(channels)
        )
        widths = [channels[-1] * min(self.n_kept, n_bins), self.hidden, n_classes]
        return n + sum(dense_parameters(*pair) for pair in pairwise(w for w in widths if w)), None
