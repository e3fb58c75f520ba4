"""U-Net over an image with a mask: what is no spot takes no part."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from corespot.models.layers import he_normal_

Activation = Callable[[Tensor], Tensor]

#: PyTorch's constants of batch normalisation; the sources name none.
_EPS, _MOMENTUM = 1e-5, 0.1


class MaskedNorm(nn.Module):
    """Batch normalisation by mean and variance over the places of a mask.

    With a mask of ones it is PyTorch's, but for the running variance, which is that of the batch
    and not n / (n - 1) times it, so that a batch of a single spot passes.

    Parameters
    ----------
    n_channels : int
        Channels.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Normalise `x`, (B, C, height, width), by its values where `mask` (B, 1, ...) is 1."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            values = x.float() if x.dtype.itemsize < 4 else x
            n = mask.sum().clamp(min=1)
            mean = (values * mask).sum((0, 2, 3)) / n
            variance = ((values - mean[:, None, None]).square() * mask).sum((0, 2, 3)) / n
            with torch.no_grad():
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), _MOMENTUM)
                self.running_var.lerp_(variance.to(self.running_var.dtype), _MOMENTUM)
        scale = self.weight / (variance + _EPS).sqrt()
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]


class DoubleConvolution(nn.Module):
    """Twice: convolution 3 x 3, dropout, batch normalisation, activation.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    dropout : float
        Probability that a value is dropped after each convolution.
    activation : callable
        Of the neurons.
    """

    def __init__(self, n_in: int, n_out: int, dropout: float, activation: Activation) -> None:
        super().__init__()
        self.conv1, self.norm1 = _convolution(n_in, n_out), MaskedNorm(n_out)
        self.conv2, self.norm2 = _convolution(n_out, n_out), MaskedNorm(n_out)
        self.dropout = nn.Dropout(dropout)
        self.activation = activation

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, n_in, height, width) -> (B, n_out, height, width), 0 outside `mask`."""
        h = self.norm1(self.dropout(self.conv1(x)), mask)
        h = self.activation(h) * mask
        h = self.norm2(self.dropout(self.conv2(h)), mask)
        return self.activation(h) * mask


class UNet(nn.Module):
    """U-Net without its last convolution: an image of features as large as the input.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    width : int
        Channels of the first level; every level below has twice as many.
    depth : int
        Number of times the image is halved, at least 1; height and width must be multiples of
        2 to that power.
    dropout : float
        After every convolution but those of the first level.
    activation : callable
        Of all neurons; not negative, as max-pooling beside a mask asks.

    Notes
    -----
    Features are multiplied by the mask after every block. Places without a spot hold zeros at
    every level, which is what a convolution pads with: an image that is framed with more empty
    places, by multiples of 2 to the `depth`, gives the same features.

    References
    ----------
    Ronneberger et al., "U-net: Convolutional networks for biomedical image segmentation",
    MICCAI 2015; as CompSegNet has it, with batch normalisation and padded convolutions.
    """

    def __init__(
        self, n_channels: int, width: int, depth: int, dropout: float, activation: Activation
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth + 1)]
        drops = [0.0] + [dropout] * depth
        self.down = nn.ModuleList(
            DoubleConvolution(n_in, n_out, drop, activation)
            for n_in, n_out, drop in zip([n_channels, *widths], widths, drops, strict=False)
        )
        upward = range(depth - 1, -1, -1)
        self.grow = nn.ModuleList(_doubling(widths[at + 1], widths[at]) for at in upward)
        self.norm = nn.ModuleList(MaskedNorm(widths[at]) for at in upward)
        self.up = nn.ModuleList(
            DoubleConvolution(2 * widths[at], widths[at], drops[at], activation) for at in upward
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Features of every place, (B, n_channels, height, width) -> (B, width, height, width)."""
        x = x * mask
        masks, skips = [mask], []
        for level, block in enumerate(self.down):
            if level:
                x = functional.max_pool2d(x, 2)
                # A place of a lower level is there if any of its four is.
                masks.append(functional.max_pool2d(masks[-1], 2))
            x = block(x, masks[-1])
            skips.append(x)
        for step, (grow, norm, block) in enumerate(zip(self.grow, self.norm, self.up, strict=True)):
            level = len(self.grow) - 1 - step
            x = norm(grow(x), masks[level]) * masks[level]
            x = block(torch.cat([skips[level], x], 1), masks[level])
        return x


def _convolution(n_in: int, n_out: int) -> nn.Conv2d:
    """Convolution 3 x 3 with bias and padding, He initialisation."""
    layer = nn.Conv2d(n_in, n_out, 3, padding=1)
    he_normal_(layer.weight, 9 * n_in)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def _doubling(n_in: int, n_out: int) -> nn.ConvTranspose2d:
    """Up-convolution 2 x 2 with bias; every place of its output has one place of its input."""
    layer = nn.ConvTranspose2d(n_in, n_out, 2, stride=2)
    he_normal_(layer.weight, n_in)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
