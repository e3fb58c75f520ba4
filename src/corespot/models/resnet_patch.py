"""ResNet-18 on patches of spots, each coloured by its first principal components."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn

from corespot.models.layers import n_trainable
from corespot.models.masked import masked_mean, randomly_turned, scaled_to_unit
from corespot.models.pca_image import PcaImage
from corespot.models.registry import register
from corespot.models.resnet18 import ResNet18, load_imagenet_weights
from corespot.models.search_space import Choice, Range
from corespot.settings import Settings


class ResNetPatchConfig(Settings):
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


@register(
    "resnet_patch",
    ResNetPatchConfig,
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
class ResNetPatch(nn.Module):
    """ResNet-18 over patches of principal components; 11,177,538 parameters for two classes.

    Parameters
    ----------
    config : ResNetPatchConfig
        Its parameters.
    n_bins : int
        Length of the m/z axis.
    n_classes : int
        Number of classes, at least 2.

    Attributes
    ----------
    about : dict
        ``training_scope``: which layers train, from which weights.

    References
    ----------
    Shamsher, "Spatial-spectral deep learning for tumor detection in colorectal cancer"; He et
    al., "Deep residual learning for image recognition", CVPR 2016.

    Notes
    -----
    With ``weights`` only the last stage and the head train, as in the source, and the batch norms
    of the layers before keep ImageNet's statistics; without, every layer trains.

    Deviations: the source trains on patches that are full of spots; here a patch may hold few, so
    that the last map, where it is larger than one position, is averaged over the spots alone.
    The source says no more than that a patch is scaled to [0, 1]; here each component is, over
    the spots that are there.
    """

    def __init__(self, config: ResNetPatchConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        self.config = config
        self.front = PcaImage(n_bins, config.n_bins_kept, config.n_components)
        self.resnet = ResNet18(n_classes, config.n_components, config.stem)
        self.dropout = nn.Dropout(config.dropout)
        self._frozen: list[nn.Module] = []
        self.about = {"training_scope": "all layers, from scratch"}
        if config.weights is not None:
            net = self.resnet
            self._frozen = [net.conv1, net.bn1, net.layer1, net.layer2, net.layer3]
            for module in self._frozen:
                module.requires_grad_(False)
            self.about["training_scope"] = f"layer4 and head of {Path(config.weights).name}"

    @property
    def training_scope(self) -> str:
        """Which layers train, from which weights."""
        return self.about["training_scope"]

    def prepare(self, x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], scale: float) -> None:
        """Fit the front on the training spots, and read the weights file if there is one.

        Parameters
        ----------
        x : ndarray, shape (n_spots, n_bins)
            Spectra of the training spots.
        y : ndarray of int64, shape (n_spots,)
            Class index of each.
        scale : float
            Factor by which spectra are multiplied before they reach the network.

        Raises
        ------
        ModelError
            If the weights file is missing, of another format, or of another network.
        """
        self.front.fit(x, y, scale)
        if self.config.weights is not None:
            path = Path(self.config.weights)
            content = load_imagenet_weights(self.resnet, path)
            digest = hashlib.sha256(content).hexdigest()
            self.about["training_scope"] = f"layer4 and head of {path.name}, sha256 {digest}"

    def train(self, mode: bool = True) -> ResNetPatch:
        """Switch to training; frozen layers keep their statistics."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward_features(self, images: Tensor) -> Tensor:
        """Features before the head, (B, n_components + 1, height, width) -> (B, 512)."""
        if self.training and self.config.augment:
            images = randomly_turned(images)
        values, mask = images[:, :-1], images[:, -1:]
        h = self.resnet.forward_map(self._scaled(values, mask))  # (B, 512, h, w)
        return masked_mean(h, mask)

    def forward_head(self, features: Tensor) -> Tensor:
        """Scores before the softmax, (B, 512) -> (B, n_classes)."""
        scores: Tensor = self.resnet.fc(self.dropout(features))
        return scores

    def forward(self, images: Tensor) -> Tensor:
        """Images of component scores and a mask -> scores before the softmax, (B, n_classes)."""
        return self.forward_head(self.forward_features(images))

    def _scaled(self, values: Tensor, mask: Tensor) -> Tensor:
        """Components in [0, 1], missing spots 0."""
        if self.config.scaling == "patch":
            return scaled_to_unit(values, mask)
        low, high = self.front.low[:, None, None], self.front.high[:, None, None]
        extent = torch.where(high > low, high - low, 1.0)
        # Held-out spots may lie a little outside: cut off, they would have no slope.
        return (values - low) / extent * mask

    @classmethod
    def size(cls, config: ResNetPatchConfig, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters; the components see the whole axis."""
        with torch.device("meta"):
            return n_trainable(cls(config, n_bins, n_classes)), None
