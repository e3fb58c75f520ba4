"""ResidualNet: a deep residual network that thins its axis until few positions are left."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from corespot.errors import ModelError
from corespot.models.layers import Convolution, Dense, batch_norm, n_trainable, receptive_field
from corespot.models.registry import register
from corespot.models.search_space import Choice
from corespot.settings import Settings

_KERNEL = 5
_LEAST_BINS = 31


class ResidualNetConfig(Settings):
    """Parameters of ResidualNet.

    Parameters
    ----------
    first_filters : int
        Filters of the first block; doubled up to `most_filters`.
    most_filters : int
        Filters at which doubling ends; the last block has twice as many.
    """

    first_filters: int = Field(16, ge=1, description="filters of the first block")
    most_filters: int = Field(
        128, ge=1, description="filters at which doubling ends; the last block has twice as many"
    )


class ResidualNetBlock(nn.Module):
    """ReLU, conv 5, BN, ReLU, BN, conv 5 with stride, plus a shortcut; nothing after the sum."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Convolution(n_in, n_out, _KERNEL)
        self.norm1 = batch_norm(n_out)
        self.norm2 = batch_norm(n_out)
        self.conv2 = Convolution(n_out, n_out, _KERNEL, stride)
        changes = n_in != n_out or stride != 1
        self.shortcut = Convolution(n_in, n_out, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, L) -> (B, n_out, (L - 1) // stride + 1)."""
        h = self.norm1(self.conv1(functional.relu(x)))
        h = self.conv2(self.norm2(functional.relu(h)))
        result: Tensor = h + self.shortcut(x)
        return result


@register(
    "residualnet",
    ResidualNetConfig,
    source="Behrmann et al., Bioinformatics 34(7), 2018",
    space={
        "first_filters": Choice((8, 16, 32)),
        "most_filters": Choice((64, 128, 256)),
    },
)
class ResidualNet(nn.Module):
    """Residual network with global average pooling; 2,132,130 parameters at 27,286 bins.

    Parameters
    ----------
    config : ResidualNetConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis, at least 31.
    n_classes : int
        Number of classes, at least 2.

    Raises
    ------
    ModelError
        If the axis is too short.

    References
    ----------
    Behrmann et al., "Deep learning for tumor classification in imaging mass spectrometry",
    Bioinformatics 34(7), 2018, doi:10.1093/bioinformatics/btx724.
    """

    #: Its convolutions are wide enough for the bfloat16 matrix units of recent CPUs.
    bf16_pays_on_cpu = True
    #: A step has fixed shapes and reads nothing back: a GPU can replay it.
    steps_as_graph = True
    #: On a GPU a compiler joins rectifiers and normalisations, which do little but carry.
    compile_on_gpu = True

    def __init__(self, config: ResidualNetConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        plan = block_plan(config, n_bins)
        self.blocks = nn.Sequential(*(ResidualNetBlock(*block) for block in plan))
        self.dense = Dense(plan[-1][1], n_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """Features before the dense layer, (B, n_bins) -> (B, 2 most_filters)."""
        h: Tensor = self.blocks(x.unsqueeze(1))
        return h.mean(2)

    def forward_head(self, features: Tensor) -> Tensor:
        """Scores before the softmax, (B, 2 most_filters) -> (B, n_classes)."""
        scores: Tensor = self.dense(features)
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, n_classes), scores before the softmax."""
        return self.forward_head(self.forward_features(x))

    @classmethod
    def size(cls, config: ResidualNetConfig, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters, and bins one position sees before the average is taken."""
        with torch.device("meta"):
            network = cls(config, n_bins, n_classes)
        path = [(_KERNEL, s) for *_, stride in block_plan(config, n_bins) for s in (1, stride)]
        return n_trainable(network), receptive_field(path)


def block_plan(config: ResidualNetConfig, n_bins: int) -> list[tuple[int, int, int]]:
    """Channels in, channels out and stride of every block.

    While more than 30 positions are left: one block that keeps the length, filters doubled up to
    `most_filters`, one block that keeps every third position. Then one with twice as many filters.

    Raises
    ------
    ModelError
        If the axis is too short for a single round.
    """
    if n_bins < _LEAST_BINS:
        raise ModelError(
            f"residualnet needs an m/z axis of at least {_LEAST_BINS} bins, got {n_bins}; "
            "use a finer axis, or roc_lda"
        )
    plan = []
    n_in, filters, width = 1, config.first_filters, n_bins
    while width >= _LEAST_BINS:
        plan.append((n_in, filters, 1))
        n_in = filters
        if filters < config.most_filters:
            filters = min(2 * filters, config.most_filters)
        plan.append((n_in, filters, 3))
        n_in = filters
        width //= 3
    plan.append((n_in, 2 * config.most_filters, 3))
    return plan
