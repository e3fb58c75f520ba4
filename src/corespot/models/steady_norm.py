"""Batch normalisation that also trains where a batch holds a single value of each channel."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class SteadyNorm2d(nn.BatchNorm2d):
    """Batch normalisation of images; a lone value a channel is scaled by the running statistics.

    One image whose map has shrunk to one position has no variance to divide by, so that PyTorch
    refuses to train on it. Whenever there are two values or more it is PyTorch's own.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x`, (B, C, height, width)."""
        return _by_running_statistics(self, x) if _is_lone(self, x) else super().forward(x)


class SteadyNorm3d(nn.BatchNorm3d):
    """The same for volumes, (B, C, m/z, height, width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `x`, (B, C, m/z, height, width)."""
        return _by_running_statistics(self, x) if _is_lone(self, x) else super().forward(x)


def _is_lone(norm: nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> bool:
    return norm.training and x.numel() == x.shape[1]


def _by_running_statistics(norm: nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> Tensor:
    return functional.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )
