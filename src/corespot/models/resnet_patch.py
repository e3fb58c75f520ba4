"""ResNet-18 on patches of spots, each coloured by its first principal components."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.models.catalogue.resnet_patch import ResNetPatchConfig
from corespot.models.masked import masked_mean, randomly_turned, scaled_to_unit
from corespot.models.pca_image import PcaImage
from corespot.models.resnet18 import ResNet18, load_imagenet_weights


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
