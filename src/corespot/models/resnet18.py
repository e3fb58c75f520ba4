"""ResNet-18 in plain PyTorch, with the names of torchvision's weights."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn
from torch.nn import functional

from corespot.errors import ModelError
from corespot.models.catalogue.resnet_patch import STAGE_WIDTHS
from corespot.models.steady_norm import SteadyNorm2d

Stem = Literal["imagenet", "small"]

#: Features of the last map.
N_FEATURES = STAGE_WIDTHS[-1]
#: Not weights: the classes of ImageNet, and counters that older files lack.
_NOT_NEEDED = ("fc.weight", "fc.bias")
_COUNTER = "num_batches_tracked"


class BasicBlock(nn.Module):
    """conv 3 with stride, BN, ReLU, conv 3, BN, plus a shortcut; ReLU after the sum."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = SteadyNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = SteadyNorm2d(n_out)
        self.downsample = (
            nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), SteadyNorm2d(n_out))
            if n_in != n_out or stride != 1
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, h, w) -> (B, n_out, (h - 1) // stride + 1, (w - 1) // stride + 1)."""
        h = functional.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        return functional.relu(h + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """ResNet-18; 11,689,512 parameters with three channels, 1,000 classes and ImageNet's stem.

    Parameters
    ----------
    n_classes : int
        Outputs of the last layer.
    n_channels : int
        Channels of an image.
    stem : {"imagenet", "small"}
        First layers: a 7 × 7 convolution with stride 2 and a max-pool with stride 2, or, for
        images of a few spots, a 3 × 3 convolution that keeps every position.

    References
    ----------
    He et al., "Deep residual learning for image recognition", CVPR 2016, table 1.
    """

    def __init__(self, n_classes: int = 1000, n_channels: int = 3, stem: Stem = "imagenet") -> None:
        super().__init__()
        large = stem == "imagenet"
        kernel, stride = (7, 2) if large else (3, 1)
        self.conv1 = nn.Conv2d(n_channels, 64, kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = SteadyNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if large else nn.Identity()
        self.layer1 = _stage(64, STAGE_WIDTHS[0], 1)
        self.layer2 = _stage(STAGE_WIDTHS[0], STAGE_WIDTHS[1], 2)
        self.layer3 = _stage(STAGE_WIDTHS[1], STAGE_WIDTHS[2], 2)
        self.layer4 = _stage(STAGE_WIDTHS[2], STAGE_WIDTHS[3], 2)
        self.fc = nn.Linear(N_FEATURES, n_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_map(self, x: Tensor) -> Tensor:
        """The last map, (B, n_channels, height, width) -> (B, 512, h, w)."""
        h = self.maxpool(functional.relu(self.bn1(self.conv1(x))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            h = stage(h)
        result: Tensor = h
        return result

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_channels, height, width) -> (B, n_classes), with global average pooling."""
        scores: Tensor = self.fc(self.forward_map(x).mean((2, 3)))
        return scores


def _stage(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(n_in, n_out, stride), BasicBlock(n_out, n_out, 1))


def load_imagenet_weights(network: ResNet18, path: Path) -> bytes:
    """Take all weights but those of the last layer from a safetensors file.

    Parameters
    ----------
    network : ResNet18
        With three channels and ImageNet's stem.
    path : Path
        A file with torchvision's names (``conv1.weight``, ``layer1.0.bn1.running_mean``, …).

    Returns
    -------
    bytes
        Content of the file.

    Raises
    ------
    ModelError
        If the file is missing, no safetensors file, or of another network.
    """
    if not path.is_file():
        raise ModelError(
            f"weights: there is no file {path}; give the path of a local safetensors file with "
            "the weights of ResNet-18, or null to train from scratch"
        )
    content = path.read_bytes()
    try:
        tensors = load_tensors(content)
    except SafetensorError:
        raise ModelError(_how_to_convert(path)) from None
    own = network.state_dict()
    needed = {name: value for name, value in own.items() if name not in _NOT_NEEDED}
    faults = [
        f"{name} is missing"
        for name in needed
        if name not in tensors and not name.endswith(_COUNTER)
    ]
    faults += [f"{name} is unknown" for name in tensors if name not in own]
    faults += [
        f"{name} has shape {tuple(tensors[name].shape)}, expected {tuple(value.shape)}"
        for name, value in needed.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise ModelError(
            f"weights: {path} does not hold torchvision's ResNet-18: "
            + "; ".join(faults[:5])
            + more
        )
    network.load_state_dict({**own, **{name: tensors[name] for name in needed if name in tensors}})
    return content


def _how_to_convert(path: Path) -> str:
    target = path.with_suffix(".safetensors")
    if target == path:
        target = path.with_name(path.stem + "-converted.safetensors")
    return (
        f"weights: {path} is no safetensors file, and files that could hold code are never "
        "opened here. Convert weights saved by PyTorch once, in Python:\n"
        "  import torch, safetensors.torch\n"
        f"  safetensors.torch.save_file(torch.load({str(path)!r}, weights_only=True), "
        f"{str(target)!r})"
    )
