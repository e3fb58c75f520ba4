"""ResidualNet: a deep residual network that thins its axis until few positions are left."""

from __future__ import annotations

from pydantic import Field

from corespot.errors import ModelError
from corespot.models.layer_sizes import dense_parameters, receptive_field, residual_block_parameters
from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Choice

#: Taps of every convolution.
KERNEL = 5
_LEAST_BINS = 31


@register(
    "residualnet",
    "corespot.models.residualnet:ResidualNet",
    source="Behrmann et al., Bioinformatics 34(7), 2018",
    space={
        "first_filters": Choice((8, 16, 32)),
        "most_filters": Choice((64, 128, 256)),
    },
)
class ResidualNetConfig(ModelConfig):
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

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters, and bins one position sees before the average is taken."""
        plan = block_plan(self, n_bins)
        n = sum(residual_block_parameters(n_in, n_out, KERNEL, s) for n_in, n_out, s in plan)
        n += dense_parameters(plan[-1][1], n_classes)
        return n, receptive_field((KERNEL, s) for *_, stride in plan for s in (1, stride))


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
