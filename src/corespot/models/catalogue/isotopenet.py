"""IsotopeNet: a small residual network whose features see about one isotope pattern."""

from __future__ import annotations

from math import prod

from pydantic import Field, field_validator

from corespot.errors import ModelError
from corespot.models.layer_sizes import (
    dense_parameters,
    norm_parameters,
    receptive_field,
    residual_block_parameters,
    strided_length,
)
from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Choice, Range

#: Channels in, channels out and stride of the four residual blocks, Table I.
BLOCKS = ((1, 8, 1), (8, 8, 5), (8, 8, 1), (8, 1, 3))
_STRIDES = tuple(stride for _, _, stride in BLOCKS)
#: Kernel and stride of their convolutions.
_PATH = tuple((3, s) for stride in _STRIDES for s in (1, stride))


@register(
    "isotopenet",
    "corespot.models.isotopenet:IsotopeNet",
    source="Behrmann et al., Bioinformatics 34(7), 2018, Table I",
    space={
        "dropout": Range(0.0, 0.6),
        "local_kernel": Choice((3, 5, 7, 9)),
    },
)
class IsotopeNetConfig(ModelConfig):
    """Parameters of IsotopeNet.

    Parameters
    ----------
    dropout : float
        Probability that a feature is dropped before the locally connected layer.
    local_kernel : int
        Width of the locally connected layer.
    """

    dropout: float = Field(
        0.3, ge=0.0, lt=1.0, description="dropout before the locally connected layer"
    )
    local_kernel: int = Field(
        5, ge=1, description="width of the locally connected layer, odd; 5 gives 13,935 parameters"
    )

    @field_validator("local_kernel")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd, so that the padding is the same on both sides")
        return value

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters, and bins one feature sees after the locally connected layer."""
        length = self.length(n_bins)
        n = sum(residual_block_parameters(n_in, n_out, 3, s) for n_in, n_out, s in BLOCKS)
        n += length * self.local_kernel + norm_parameters(1)
        field = receptive_field([*_PATH, (self.local_kernel, 1)])  # 109 with kernel 5
        return n + dense_parameters(length, n_classes), field

    def length(self, n_bins: int) -> int:
        """Positions left after the blocks.

        Raises
        ------
        ModelError
            If the axis is so short that the locally connected layer would be wider than what it
            looks at.
        """
        total_stride = prod(_STRIDES)
        least = total_stride * (self.local_kernel - 1) + 1
        if n_bins < least:
            raise ModelError(
                f"isotopenet needs an m/z axis of at least {least} bins (its strides leave one in "
                f"{total_stride}, and the locally connected layer spans {self.local_kernel}), got "
                f"{n_bins}; use a finer axis, a smaller local_kernel, or roc_lda"
            )
        return strided_length(n_bins, _STRIDES)


def block_receptive_field() -> int:
    """Bins seen by one position before the locally connected layer: 49."""
    return receptive_field(_PATH)
