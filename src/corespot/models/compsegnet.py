"""CompSegNet: a U-Net that learns to segment tumour from the labels of whole cores."""

from __future__ import annotations

from math import log

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from corespot.models.activation_pooling import (
    absolute_losses,
    entropy_losses,
    interval_pool,
    mean_activation,
    saturating_pool,
)
from corespot.models.catalogue.compsegnet import CompSegNetConfig, require_two_classes
from corespot.models.layers import he_normal_
from corespot.models.masked import randomly_turned
from corespot.models.peak_bins import PeakBins
from corespot.models.unet import MaskedNorm, UNet


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
        require_two_classes(n_classes)
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


def _full(output: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and mask of a network's output, in single precision at least."""
    values = output.float() if output.dtype.itemsize < 4 else output
    return values[:, 0], values[:, 1]


def _square(images: Tensor) -> Tensor:
    """Images framed to squares, so that they can be turned by a quarter."""
    side = max(images.shape[2:])
    return functional.pad(images, (0, side - images.shape[3], 0, side - images.shape[2]))
