"""CompSegNet: a U-Net that learns to segment tumour from the labels of whole cores."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from corespot.errors import ModelError
from corespot.models.layer_sizes import convolution_parameters, norm_parameters
from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Choice, Range

#: Published α, β and γ of each form.
_PUBLISHED = {"2018": (0.1, 5.0, 0.001), "2022": (0.05, 0.8, 0.0)}


@register(
    "compsegnet",
    "corespot.models.compsegnet:CompSegNet",
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
class CompSegNetConfig(ModelConfig):
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

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters; every map sees all peaks of the axis."""
        require_two_classes(n_classes)
        widths = [self.width * 2**level for level in range(self.depth + 1)]
        n = _double_convolution(min(n_bins, self.channels), self.width)
        for shallow, deep in pairwise(widths):  # down a level, and up again
            n += _double_convolution(shallow, deep)
            n += convolution_parameters(deep, shallow, 4, offset=True) + norm_parameters(shallow)
            n += _double_convolution(2 * shallow, shallow)
        n += convolution_parameters(self.width, 1, 1, offset=True)
        return n + (norm_parameters(1) if self.output_norm else 0), None


def require_two_classes(n_classes: int) -> None:
    """Refuse tasks that are not of two classes.

    Raises
    ------
    ModelError
        If there are more or fewer.
    """
    if n_classes != 2:
        raise ModelError(
            f"compsegnet knows one positive class and its absence, got {n_classes} classes; "
            "make a task of two classes, or leave this model out of `models`"
        )


def _double_convolution(n_in: int, n_out: int) -> int:
    """Parameters of two convolutions 3 x 3 with offsets, each with its normalisation."""
    convolutions = convolution_parameters(n_in, n_out, 9, offset=True)
    convolutions += convolution_parameters(n_out, n_out, 9, offset=True)
    return convolutions + 2 * norm_parameters(n_out)
