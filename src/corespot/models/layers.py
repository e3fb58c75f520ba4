"""Layers shared by the spectral networks; all act on ``(batch, channels, length)``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Below this many weights a tap the CPU convolution as shifted matrix products is the faster one.
_FEW_WEIGHTS = 64
#: The same where the taps lie apart, which PyTorch's CPU convolution is slower at.
_FEW_WEIGHTS_DILATED = 256

#: Lasagne's batch normalisation, as in the paper.
_EPS, _MOMENTUM = 1e-4, 0.1


def batch_norm(n_channels: int) -> nn.BatchNorm1d:
    """Batch normalisation with Lasagne's constants: eps 1e-4, momentum 0.1.

    Notes
    -----
    Deviation: Lasagne keeps a running mean of 1/σ, PyTorch one of σ².
    """
    return nn.BatchNorm1d(n_channels, eps=_EPS, momentum=_MOMENTUM)


def he_normal_(weight: Tensor, fan_in: int) -> None:
    """Fill `weight` from N(0, 2 / fan_in) in place.

    References
    ----------
    He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10.
    """
    with torch.no_grad():
        weight.normal_(0.0, (2.0 / fan_in) ** 0.5)


class Convolution(nn.Module):
    """Convolution without bias, zero padding d (k-1)//2 on each side, He initialisation.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : int
        Odd width.
    stride : int
        Step; the output has ``(length - 1) // stride + 1`` positions.
    dilation : int
        Positions d from one tap to the next.

    Notes
    -----
    On the CPU a convolution of few channels is computed as one matrix product a tap. It gives the
    same numbers up to rounding and spares the layout changes that PyTorch's CPU convolution
    spends most of its time on with so few channels. Taps of a dilated convolution that reach
    beyond the axis then cost nothing.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: int, stride: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation = kernel, stride, dilation
        self.weight = nn.Parameter(torch.empty(n_out, n_in, kernel))
        he_normal_(self.weight, n_in * kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `x`, (B, n_in, L) -> (B, n_out, (L - 1) // stride + 1)."""
        most = _FEW_WEIGHTS if self.dilation == 1 else _FEW_WEIGHTS_DILATED
        few = self.weight.shape[0] * self.weight.shape[1] <= most
        on_cpu = x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        if few and on_cpu and self.stride == 1 and x.dtype == self.weight.dtype:
            result: Tensor = _TapConvolution.apply(  # type: ignore[no-untyped-call]
                x, self.weight, self.dilation
            )
            return result
        padding = self.dilation * ((self.kernel - 1) // 2)
        return functional.conv1d(x, self.weight, None, self.stride, padding, self.dilation)


class _TapConvolution(torch.autograd.Function):
    """Stride-one convolution: the sum over taps of a channel matrix times the shifted input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        # A tap's matrix must be contiguous, or the batched product falls back to a slow path.
        return _shifted_products(x, weight.permute(2, 0, 1).contiguous(), dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            # The transposed convolution: taps in reverse, channels swapped.
            taps = weight.flip(2).permute(2, 1, 0).contiguous()
            grad_x = _shifted_products(gradient, taps, ctx.dilation)
        if ctx.needs_input_grad[1]:
            grad_weight = torch.empty_like(weight)
            length = x.shape[2]
            for tap in range(weight.shape[2]):
                out, source = _overlap((tap - weight.shape[2] // 2) * ctx.dilation, length)
                pair = torch.bmm(gradient[:, :, out], x[:, :, source].transpose(1, 2))
                grad_weight[:, :, tap] = pair.sum(0)
        return grad_x, grad_weight, None


def _shifted_products(x: Tensor, taps: Tensor, dilation: int) -> Tensor:
    """Sum over taps of ``taps[t] @ x``, shifted by `dilation` a tap; (B, C, L) -> (B, D, L)."""
    n, _, length = x.shape
    kernel, n_out, n_in = taps.shape
    middle = kernel // 2
    result = torch.matmul(taps[middle], x)
    for tap in range(kernel):
        out, source = _overlap((tap - middle) * dilation, length)
        if tap != middle and out.stop > out.start:
            matrices = taps[tap].expand(n, n_out, n_in)
            result[:, :, out].baddbmm_(matrices, x[:, :, source])
    return result


def _overlap(shift: int, length: int) -> tuple[slice, slice]:
    """Positions of the output, and those of the input that lie `shift` further on."""
    first, stop = max(0, -shift), min(length, length - shift)
    stop = max(first, stop)
    return slice(first, stop), slice(first + shift, stop + shift)


class LocallyConnected(nn.Module):
    """Unshared convolution of one map: every position has its own kernel; no bias, zero padded.

    Parameters
    ----------
    length : int
        Positions, unchanged by the layer.
    kernel : int
        Odd width.
    """

    def __init__(self, length: int, kernel: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.empty(length, kernel))
        he_normal_(self.weight, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Connect `x` locally, (B, length) -> (B, length)."""
        half = (self.kernel - 1) // 2
        windows = functional.pad(x, (half, half)).unfold(1, self.kernel, 1)  # (B, length, kernel)
        return (windows * self.weight).sum(2)


class Dense(nn.Linear):
    """Fully connected layer with bias, He initialisation, bias zero."""

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        he_normal_(self.weight, self.in_features)
        nn.init.zeros_(self.bias)


def n_trainable(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
