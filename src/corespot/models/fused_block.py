"""IsotopeNet's residual block on a GPU: passes that recompute instead of storing.

With eight channels and three taps a block has little to compute and much to carry. Run layer by
layer, it writes and reads some ten tensors of the size of its output, all kept for the backward
pass. Here its first convolution is never stored: each pass reads the input and computes it again.
What is stored is the second convolution and the output, and the backward pass makes one tensor of
its own. The kernels are in `fused_block_kernel`.

They are tested in Triton's interpreter against the plain layers. **They have not been run, let
alone timed, on a GPU yet.**
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

#: Setting this variable to anything leaves every step as PyTorch runs it.
PLAIN = "CORESPOT_PLAIN_GPU"

#: Positions a program works on at a time, and how many times it does: more at a time and the
#: backward passes need more registers than there are.
_TILE, _STEPS = 32, 32
#: Two warps a program; no loads ahead of the loop, which would take all shared memory.
_LAUNCH = {"num_warps": 2, "num_stages": 1}
#: Channels that the kernels hold in registers.
_MOST_CHANNELS = 16


@cache
def _kernels() -> ModuleType | None:
    """The kernels; None where Triton is not installed."""
    try:
        from corespot.models import fused_block_kernel
    except ImportError:
        return None
    return fused_block_kernel


def computed_on_gpu(network: nn.Module) -> str:
    """Who computes a network's blocks in training: a fact of the fit; empty off a GPU."""
    device = next(network.parameters()).device
    return "" if device.type != "cuda" else "Triton passes" if _serves(device) else "PyTorch"


def is_fused(x: Tensor, w1: Tensor, norm1: nn.Module, norm2: nn.Module) -> bool:
    """Whether the fused block serves this input: training on a GPU that Triton compiles for."""
    if x.device.type != "cuda" or not norm1.training or not norm2.training or x.shape[0] < 2:
        return False
    if torch.compiler.is_compiling() or max(w1.shape[:2]) > _MOST_CHANNELS:
        return False
    return x.dtype in (torch.float32, torch.bfloat16) and _serves(x.device)


def _serves(device: torch.device) -> bool:
    modern = torch.cuda.get_device_capability(device) >= (8, 0)
    return modern and not os.environ.get(PLAIN) and _kernels() is not None


@dataclass(frozen=True)
class _Shape:
    """Sizes of a block, and the number type of what it stores."""

    n: int
    n_in: int
    n_out: int
    length: int
    out_length: int
    stride: int
    identity: bool
    stored: torch.dtype

    @property
    def precision(self) -> str:
        """How matrix units multiply: almost as float32 does, or better than bfloat16 is kept."""
        return "tf32x3" if self.stored == torch.float32 else "tf32"

    def parts(self, length: int) -> int:
        """Programs that share an axis of `length`."""
        return -(-length // (_TILE * _STEPS))


def fused_block(
    x: Tensor,
    w1: Tensor,
    w2: Tensor,
    ws: Tensor | None,
    norm1: nn.Module,
    norm2: nn.Module,
    stride: int,
) -> Tensor:
    """ReLU, convolution, normalisation, twice, plus the shortcut, in training.

    Parameters
    ----------
    x : Tensor, shape (B, n_in, L)
        Input, for which `is_fused` holds.
    w1, w2 : Tensor, shapes (C, n_in, 3) and (C, C, 3)
        Weights of the convolutions.
    norm1, norm2 : nn.BatchNorm1d
        Their running statistics are brought forward.
    ws : Tensor, shape (C, n_in, 1), optional
        Weights of the shortcut; without them it is the input itself.
    stride : int
        Of the second convolution and of the shortcut.

    Returns
    -------
    Tensor, shape (B, C, (L - 1) // stride + 1)
        In bfloat16 under autocast, else in the type of `x`.
    """
    stored = torch.bfloat16 if torch.is_autocast_enabled(x.device.type) else x.dtype
    eps = norm1.eps, norm2.eps
    with torch.autocast(x.device.type, enabled=False):
        y, *found = _FusedBlock.apply(  # type: ignore[no-untyped-call]
            x, w1, norm1.weight, norm1.bias, w2, norm2.weight, norm2.bias, ws, stride, eps, stored
        )
        _bring_forward(norm1, *found[:2])
        _bring_forward(norm2, *found[2:])
    result: Tensor = y
    return result


def _bring_forward(norm: Any, mean: Tensor, variance: Tensor) -> None:
    with torch.no_grad():
        norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
        norm.running_var.lerp_(variance.to(norm.running_var.dtype), norm.momentum)
        norm.num_batches_tracked.add_(1)


class _FusedBlock(torch.autograd.Function):
    """The block, and mean and unbiased variance of both its convolutions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *rest: Any) -> Any:
        w1, g1, b1, w2, g2, b2, ws, stride, eps, stored = rest
        # Kernels read what is in no order of their own: weights in float32, row after row.
        x, w1, w2 = x.contiguous(), w1.contiguous(), w2.contiguous()
        n, n_in, length = x.shape
        out_length = (length - 1) // stride + 1
        shape = _Shape(n, n_in, len(w1), length, out_length, stride, ws is None, stored)
        shortcut = w1 if ws is None else ws.contiguous()  # not read if there is none
        first = _first_moments(shape, x, w1)
        scale1, shift1 = _affine(g1, b1, first, eps[0])
        b, second = _second_convolution(shape, x, w1, scale1, shift1, w2)
        scale2, shift2 = _affine(g2, b2, second, eps[1])
        y = x.new_empty((n, shape.n_out, out_length), dtype=stored)
        _kernel("finish")[(n, -(-out_length // _TILE))](
            x, b, scale2, shift2, shortcut, y, length, out_length,
            IN=n_in, OUT=shape.n_out, STRIDE=stride, IDENTITY=shape.identity,
            TILE=_TILE, PRECISION=shape.precision, **_LAUNCH,
        )  # fmt: skip
        ctx.save_for_backward(
            x, b, w1, g1, w2, g2, shortcut, scale1, shift1,
            *_statistics(first, eps[0]), *_statistics(second, eps[1]),
        )  # fmt: skip
        ctx.shape = shape
        counts = n * length, n * out_length
        found = [
            value
            for (mean, variance), count in zip((first, second), counts, strict=True)
            for value in (mean, variance * (count / (count - 1)))
        ]
        ctx.mark_non_differentiable(*found)
        return y, *found

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        x, b, w1, g1, w2, g2, shortcut, scale1, shift1, m1, i1, m2, i2 = ctx.saved_tensors
        shape: _Shape = ctx.shape
        g = gradients[0].contiguous()
        slope_b2, slope_g2 = _second_sums(shape, b, g, m2, i2)
        count = shape.n * shape.out_length
        less2, normal2 = (slope_b2 / count).float(), (slope_g2 / count).float()
        d, sums1, slope_w2 = _through_second(
            shape, (x, b, g, w1, scale1, shift1, m1, i1, w2, m2, i2, g2 * i2, less2, normal2)
        )
        slope_b1, slope_g1 = sums1
        count = shape.n * shape.length
        less1, normal1 = (slope_b1 / count).float(), (slope_g1 / count).float()
        dx, slope_w1, slope_ws = _through_first(
            shape,
            (x, g, d, w1, m1, i1, g1 * i1, less1, normal1, shortcut),
            wants_input=ctx.needs_input_grad[0],
        )
        affine1, affine2 = (
            (slope_g.to(like.dtype), slope_b.to(like.dtype))
            for slope_g, slope_b, like in ((slope_g1, slope_b1, g1), (slope_g2, slope_b2, g2))
        )
        beside = None if shape.identity else slope_ws
        return dx, slope_w1, *affine1, slope_w2, *affine2, beside, None, None, None


def _kernel(name: str) -> Any:
    pack = _kernels()
    assert pack is not None, "is_fused was asked first"
    return getattr(pack, name)


def _first_moments(shape: _Shape, x: Tensor, w1: Tensor) -> tuple[Tensor, Tensor]:
    parts = shape.parts(shape.length)
    partial = _partial(x, shape.n * parts, 2, shape.n_out)
    _kernel("first_moments")[(shape.n, parts)](
        x, w1, partial, shape.length,
        IN=shape.n_in, OUT=shape.n_out,
        TILE=_TILE, STEPS=_STEPS, PRECISION=shape.precision, **_LAUNCH,
    )  # fmt: skip
    return _joined(partial, shape.n, shape.length)


def _second_convolution(
    shape: _Shape, x: Tensor, w1: Tensor, scale1: Tensor, shift1: Tensor, w2: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    b = x.new_empty((shape.n, shape.n_out, shape.out_length), dtype=shape.stored)
    parts = shape.parts(shape.out_length)
    partial = _partial(x, shape.n * parts, 2, shape.n_out)
    _kernel("second_convolution")[(shape.n, parts)](
        x, w1, scale1, shift1, w2, b, partial, shape.length, shape.out_length,
        IN=shape.n_in, OUT=shape.n_out, STRIDE=shape.stride,
        TILE=_TILE, STEPS=_STEPS, PRECISION=shape.precision, **_LAUNCH,
    )  # fmt: skip
    return b, _joined(partial, shape.n, shape.out_length)


def _second_sums(
    shape: _Shape, b: Tensor, g: Tensor, mean: Tensor, inverse: Tensor
) -> tuple[Tensor, Tensor]:
    parts = shape.parts(shape.out_length)
    partial = _partial(b, shape.n * parts, 2, shape.n_out)
    _kernel("second_sums")[(shape.n, parts)](
        b, g, mean, inverse, partial, shape.out_length,
        OUT=shape.n_out, TILE=_TILE, STEPS=_STEPS, **_LAUNCH,
    )  # fmt: skip
    plain, product = partial.sum(0, dtype=torch.float64)
    return plain, product


def _through_second(
    shape: _Shape, given: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    x, c = given[0], shape.n_out
    d = x.new_empty((shape.n, c, shape.length), dtype=shape.stored)
    parts = shape.parts(shape.length)
    partial, slopes = _partial(x, shape.n * parts, 2, c), _partial(x, shape.n * parts, 3, c, c)
    _kernel("through_second")[(shape.n, parts)](
        *given, d, partial, slopes, shape.length, shape.out_length,
        IN=shape.n_in, OUT=c, STRIDE=shape.stride,
        TILE=_TILE, STEPS=_STEPS, PRECISION=shape.precision, **_LAUNCH,
    )  # fmt: skip
    plain, product = partial.sum(0, dtype=torch.float64)
    return d, (plain, product), slopes.sum(0).permute(1, 2, 0).contiguous()


def _through_first(
    shape: _Shape, given: tuple[Tensor, ...], *, wants_input: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    x = given[0]
    dx = torch.empty_like(x) if wants_input else None
    parts = shape.parts(shape.length)
    slopes = _partial(x, shape.n * parts, 4, shape.n_out, shape.n_in)
    _kernel("through_first")[(shape.n, parts)](
        *given, x if dx is None else dx, slopes, shape.length, shape.out_length,
        IN=shape.n_in, OUT=shape.n_out, STRIDE=shape.stride, IDENTITY=shape.identity,
        WANTS_INPUT=wants_input, TILE=_TILE, STEPS=_STEPS, PRECISION=shape.precision, **_LAUNCH,
    )  # fmt: skip
    total = slopes.sum(0)
    return dx, total[:3].permute(1, 2, 0).contiguous(), total[3:].permute(1, 2, 0).contiguous()


def _partial(like: Tensor, *sizes: int) -> Tensor:
    """What the programs of a pass find, each in its own place."""
    return torch.empty(sizes, dtype=torch.float32, device=like.device)


def _joined(partial: Tensor, n: int, length: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel from the moments that the programs found.

    References
    ----------
    Chan, Golub & LeVeque, "Algorithms for computing the sample variance", 1983.
    """
    reach = _TILE * _STEPS
    ends = torch.arange(1, len(partial) // n + 1, device=partial.device) * reach
    sizes = (ends.clamp(max=length) - (ends - reach)).double().repeat(n)[:, None]
    total, squares = partial.double().unbind(1)
    mean = total.sum(0) / (n * length)
    apart = (sizes * (total / sizes - mean).square()).sum(0)
    return mean.float(), ((squares.sum(0) + apart) / (n * length)).float()


def _statistics(moments: tuple[Tensor, Tensor], eps: float) -> tuple[Tensor, Tensor]:
    return moments[0], (moments[1] + eps).rsqrt()


def _affine(
    gain: Tensor, offset: Tensor, moments: tuple[Tensor, Tensor], eps: float
) -> tuple[Tensor, Tensor]:
    """Scale and shift that normalise, stretch and move."""
    mean, inverse = _statistics(moments, eps)
    scale = gain.detach().float() * inverse
    return scale, offset.detach().float() - mean * scale
