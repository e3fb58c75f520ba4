"""ResNet-18 on patches of spots, each coloured by its first principal components."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from corespot.models.layer_sizes import (
    convolution_parameters,
    dense_parameters,
    norm_parameters,
    residual_block_parameters,
)
from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Choice, Range

#: Channels of the four stages, of which each holds two blocks.
STAGE_WIDTHS = (64, 128, 256, 512)


@register(
    "resnet_patch",
    "corespot.models.resnet_patch:ResNetPatch",
    source="Shamsher, 2025; He et al., CVPR 2016",
    input="patch",
    training={"learning_rate": 1e-4, "weight_decay": 1e-4, "batch_size": 32, "epochs": 10},
    space={
        "patch": Choice((6, 8, 16, 32)),
        "stride": Choice((3, 4, 8, 16, 32)),
        "n_bins_kept": Range(50, 400, log=True, whole=True),
        "n_components": Range(3, 8, whole=True),
        "scaling": Choice(("patch", "training")),
        "stem": Choice(("imagenet", "small")),
        "dropout": Range(0.0, 0.7),
        "augment": Choice((True, False)),
    },
)
class ResNetPatchConfig(ModelConfig):
    """Parameters of the patch ResNet-18.

    Parameters
    ----------
    patch, stride : int
        Side of a patch and step between patches, in spots.
    min_coverage : float
        Least share of a patch's places that hold a spot.
    n_bins_kept, n_components : int
        Bins with the largest difference of class means, and their principal components.
    scaling : {"patch", "training"}
        Whether a component is scaled to [0, 1] in every patch, or by its range in training.
    stem : {"imagenet", "small"}
        First layers; ``small`` keeps every spot, for cores of a few spots.
    weights : str, optional
        Safetensors file with ImageNet's weights.
    dropout : float
        Before the head.
    augment : bool
        Flip and turn patches in training.
    """

    patch: int = Field(32, ge=1, description="side of a patch in spots")
    stride: int = Field(
        32, ge=1, validate_default=True, description="step between patches; no more than patch"
    )
    min_coverage: float = Field(
        0.25, ge=0.0, le=1.0, description="least share of a patch's places that hold a spot"
    )
    n_bins_kept: int = Field(
        100, ge=1, description="bins with the largest difference of class means that are kept"
    )
    n_components: int = Field(3, ge=1, description="principal components, the image's channels")
    scaling: Literal["patch", "training"] = Field(
        "patch", description="scale a component to [0, 1] in every patch, or by its training range"
    )
    stem: Literal["imagenet", "small"] = Field(
        "imagenet", description="first layers; small keeps every spot, for cores of a few spots"
    )
    weights: str | None = Field(
        None, description="safetensors file with ImageNet's weights; null: train from scratch"
    )
    dropout: float = Field(0.5, ge=0.0, lt=1.0, description="dropout before the head")
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

    @field_validator("weights")
    @classmethod
    def _fits_the_file(cls, value: str | None, info: ValidationInfo) -> str | None:
        stem, n_components = info.data.get("stem"), info.data.get("n_components")
        if value is not None and (stem == "small" or n_components not in (3, None)):
            raise ValueError(
                "are those of a network with stem imagenet and 3 components, here stem is "
                f"{stem} and n_components {n_components}"
            )
        return value

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters, from ImageNet's weights those alone; components see all bins."""
        *early, last = [_stage(*widths) for widths in pairwise((64, *STAGE_WIDTHS))]
        head = dense_parameters(STAGE_WIDTHS[-1], n_classes)
        if self.weights is not None:  # all before the last stage is frozen
            return last + head, None
        taps = 49 if self.stem == "imagenet" else 9
        stem = convolution_parameters(self.n_components, 64, taps) + norm_parameters(64)
        return stem + sum(early) + last + head, None


def _stage(n_in: int, n_out: int) -> int:
    """Parameters of two blocks, the first of which widens; its shortcut is normalised, too."""
    stride = 2 if n_in != n_out else 1
    first = residual_block_parameters(n_in, n_out, 9, stride)
    first += norm_parameters(n_out) if n_in != n_out else 0
    return first + residual_block_parameters(n_out, n_out, 9, 1)
