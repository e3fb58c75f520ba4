"""CompSegNet: a U-Net that learns to segment tumour from the labels of whole cores."""

from __future__ import annotations

from math import log
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional

from corespot.errors import ModelError
from corespot.models.activation_pooling import (
    absolute_losses,
    entropy_losses,
    interval_pool,
    mean_activation,
    saturating_pool,
)
from corespot.models.layers import he_normal_, n_trainable
from corespot.models.masked import randomly_turned
from corespot.models.peak_bins import PeakBins
from corespot.models.registry import register
from corespot.models.search_space import Choice, Range
from corespot.models.unet import MaskedNorm, UNet
from corespot.settings import Settings

#: Published α, β and γ of each form.
_PUBLISHED = {"2018": (0.1, 5.0, 0.001), "2022": (0.05, 0.8, 0.0)}


class CompSegNetConfig(Settings):
    """Parameters of CompSegNet."""

    form: Literal["2018", "2022"] = Field(
        "2022", description="pooling, loss and activation function of the first or the later paper"
    )
    alpha: float | None = Field(
        None, gt=0, lt=1, description="least share of tumour in a positive core; null: published"
    )
    beta: float | None = Field(
        None,
        gt=0,
        description="2018: steepness; 2022: range of shares above alpha, with alpha + beta of 1 or "
        "more a core may be all tumour; null: published",
    )
    gamma: float | None = Field(
        None, ge=0, description="2018: slope that the pool keeps when it is full; null: published"
    )
    channels: int = Field(
        600, ge=1, description="most peaks that become channels; a shorter peak list is taken whole"
    )
    width: int = Field(16, ge=1, description="channels of the first level; published: 64")
    depth: int = Field(2, ge=1, le=6, description="times the image is halved; published: 4")
    dropout: float = Field(
        0.2, ge=0, lt=1, description="after every convolution but those of the first level"
    )
    output_norm: bool = Field(
        False, description="batch normalisation of the map before its sigmoid, as published"
    )
    initial_activation: float = Field(
        0.05, gt=0, lt=1, description="about where the map starts; unpublished, a half if plain"
    )
    margin_loss: bool = Field(
        False,
        description="2022: take the loss's means over the image with its empty margin, as "
        "published, not over the spots",
    )
    augment: bool = Field(True, description="train on flipped and turned cores")
    positive: str | None = Field(
        None, description="class that only some spots of its cores show; null: the first class"
    )
    threshold: float | Literal["inner"] = Field(
        "inner",
        description="activation from which a spot is positive, or 'inner': chosen by grouped "
        "folds inside the training part",
    )
    inner_folds: int = Field(3, ge=2, description="folds that choose the threshold")

    @field_validator("form", "positive", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        # YAML reads a bare year, or a class called 1, as a number.
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("threshold")
    @classmethod
    def _activation(cls, value: float | str) -> float | str:
        if isinstance(value, float) and not 0 < value < 1:
            raise ValueError("must lie between 0 and 1, or be 'inner'")
        return value

    @model_validator(mode="after")
    def _of_the_form(self) -> Self:
        if self.form == "2022" and self.gamma is not None:
            raise ValueError("gamma belongs to form 2018: leave it out, or choose that form")
        if self.form == "2018" and self.margin_loss:
            raise ValueError("margin_loss belongs to form 2022: leave it out, or choose that form")
        return self

    @property
    def pooling(self) -> tuple[float, float, float]:
        """α, β and γ, those left out as published for the form."""
        given = (self.alpha, self.beta, self.gamma)
        pairs = zip(given, _PUBLISHED[self.form], strict=True)
        alpha, beta, gamma = (default if own is None else own for own, default in pairs)
        return alpha, beta, gamma


@register(
    "compsegnet",
    CompSegNetConfig,
    source="Schuhmacher et al., COMPAY 2019, and its later form of 2022",
    input="core",
    most_classes=2,
    training={
        "epochs": 40,
        "batch_size": 7,
        "optimizer": "rmsprop",
        "learning_rate": 1e-3,
        "weight_decay": 1e-3,
        "schedule": "cosine",
    },
    space={
        "batch_size": Choice((4, 7, 14)),
        "channels": Range(100, 600, log=True, whole=True),
        "width": Choice((8, 16, 32)),
        "depth": Range(1, 3, whole=True),
        "dropout": Range(0.0, 0.5),
        "initial_activation": Range(0.02, 0.5, log=True),
        "augment": Choice((True, False)),
    },
)
class CompSegNet(nn.Module):
    """U-Net whose activation map is pooled to one number, which alone is trained.

    Of 427 channels, with width 64, depth 4 and output_norm, it has the published 31,289,667
    parameters.

    Parameters
    ----------
    config : CompSegNetConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis, at least 1.
    n_classes : int
        Two: index 1 is the class of cores that hold tumour, 0 that of cores free of it.

    Raises
    ------
    ModelError
        If there are not two classes.

    References
    ----------
    Schuhmacher, Gerwert, Mosig, "A generic neural network approach to infer segmenting
    classifiers for disease-associated regions in medical images", COMPAY 2019.
    Schuhmacher et al., "A framework for falsifiable explanations of machine learning models",
    2022.

    Notes
    -----
    Deviations: places without a spot are held at zero in all levels, and left out of batch
    statistics and (unless `margin_loss`) out of the loss, so that an empty margin plays no part.
    The offset of the map starts at `initial_activation`: at a half, where a plain sigmoid starts,
    both pools are flat and negative cores hardly teach. Both losses weigh the classes. Defaults
    of `width`, `depth` and `output_norm` are for cohorts of tens of small cores.
    """

    def __init__(self, config: CompSegNetConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        if n_classes != 2:
            raise ModelError(
                f"compsegnet knows one positive class and its absence, got {n_classes} classes; "
                "make a task of two classes, or leave this model out of `models`"
            )
        self.config = config
        self.front = PeakBins(n_bins, config.channels)
        activation = functional.softplus if config.form == "2018" else functional.relu
        self.unet = UNet(
            self.front.n_channels, config.width, config.depth, config.dropout, activation
        )
        self.map = nn.Conv2d(config.width, 1, 1)
        self.norm = MaskedNorm(1) if config.output_norm else None
        he_normal_(self.map.weight, config.width)
        start = config.initial_activation
        offset = self.map.bias if self.norm is None else self.norm.bias
        assert offset is not None
        nn.init.constant_(offset, log(start / (1 - start)))

    @property
    def multiple(self) -> int:
        """Height and width of its images are multiples of this."""
        return int(2**self.config.depth)

    def prepare(
        self, x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], scale: float = 1.0
    ) -> None:
        """Choose the peaks on the training spots."""
        self.front.fit(x, y, scale)

    def forward_features(self, images: Tensor) -> Tensor:
        """Features of every place: (B, n_channels + 1, height, width) -> (B, width, ...)."""
        features: Tensor = self.unet(images[:, :-1], images[:, -1:])
        return features

    def forward_head(self, features: Tensor, mask: Tensor) -> Tensor:
        """Activation map before the sigmoid: (B, width, height, width) -> (B, 1, height, width)."""
        logits: Tensor = self.map(features)
        return logits if self.norm is None else self.norm(logits, mask)

    def forward(self, images: Tensor) -> Tensor:
        """Map before the sigmoid, and the mask: (B, n_channels + 1, h, w) -> (B, 2, h, w).

        In training the images are turned at random, the map with them.
        """
        if self.training and self.config.augment:
            images = randomly_turned(_square(images))
        mask = images[:, -1:]
        logits = self.forward_head(self.forward_features(images), mask)
        return torch.cat([logits, mask.to(logits.dtype)], 1)

    def losses(self, output: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """Loss of every core by the form's pooled activation, shape (B,)."""
        logits, mask = _full(output)
        alpha, beta, gamma = self.config.pooling
        positive, weight = y.to(logits.dtype), weights[y].to(logits.dtype)
        if self.config.form == "2018":
            return absolute_losses(
                logits, mask, positive, weight, alpha=alpha, beta=beta, gamma=gamma
            )
        margin = self.config.margin_loss
        return entropy_losses(logits, mask, positive, weight, alpha=alpha, beta=beta, margin=margin)

    def example_scores(self, output: Tensor) -> Tensor:
        """Scores of every core, (B, 2): positive if its pool is more than half full."""
        mean = mean_activation(*_full(output))
        alpha, beta, gamma = self.config.pooling
        if self.config.form == "2018":
            full = saturating_pool(mean, alpha, beta, gamma) / alpha
        else:
            full = interval_pool(mean, alpha, beta)
        return torch.stack([0.5 - full, full - 0.5], 1)

    @classmethod
    def size(cls, config: CompSegNetConfig, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters; every map sees all peaks of the axis."""
        with torch.device("meta"):
            return n_trainable(cls(config, n_bins, n_classes)), None


def _full(output: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and mask of a network's output, in single precision at least."""
    values = output.float() if output.dtype.itemsize < 4 else output
    return values[:, 0], values[:, 1]


def _square(images: Tensor) -> Tensor:
    """Images framed to squares, so that they can be turned by a quarter."""
    side = max(images.shape[2:])
    return functional.pad(images, (0, side - images.shape[3], 0, side - images.shape[2]))
