"""IsotopeNet's residual block on a CPU: compiled passes instead of one tensor an operation.

With eight channels and three taps there is little to compute and much to carry: every tensor of a
block is larger than a processor's caches. The passes of `isotope_block_kernel` read the input,
work tile by tile in the cache, and write only what the next pass cannot do without.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.models.isotope_block_slopes import compiled_slopes, plain_slopes
from corespot.models.isotope_passes import Fixed, affine, array, deal, kernels

Array = npt.NDArray[Any]

_KINDS = (torch.float32, torch.float64)
#: On shorter axes PyTorch's own operations are as fast, and nothing has to be compiled.
_SHORT = 512


def is_served(x: Tensor, weight: Tensor, norm1: nn.Module, norm2: nn.Module) -> bool:
    """Whether the compiled passes take this input, these weights and these normalisations.

    It depends on kinds and on the length of the axis alone, so that a spectrum is computed the same
    way in every batch.
    """
    if x.device.type != "cpu" or x.dtype not in _KINDS or x.dtype != weight.dtype:
        return False
    if x.shape[2] < _SHORT or x.shape[0] == 0 or _is_watched():
        return False
    plain = all(
        type(norm) is nn.BatchNorm1d and norm.track_running_stats and norm.momentum is not None
        for norm in (norm1, norm2)
    )
    return plain and norm1.training == norm2.training and kernels() is not None


def computed_by(network: nn.Module, n_bins: int) -> str:
    """Who computes a network's blocks: a fact on every fit, since the last digits depend on it."""
    on_cpu = next(network.parameters()).device.type == "cpu"
    served = on_cpu and n_bins >= _SHORT and kernels() is not None
    return "compiled passes" if served else "PyTorch"


def _is_watched() -> bool:
    """Whether PyTorch follows or converts every operation, which a compiled pass is not."""
    return torch.is_autocast_enabled("cpu") or bool(torch.compiler.is_compiling())


def compiled_block(
    x: Tensor, w1: Tensor, w2: Tensor, ws: Tensor | None, norm1: nn.BatchNorm1d,
    norm2: nn.BatchNorm1d, stride: int,
) -> Tensor:  # fmt: skip
    """ReLU, convolution, normalisation, twice, plus the shortcut; gradients are exact.

    Parameters
    ----------
    x : Tensor, shape (B, n_in, L)
        Input, for which `is_served` holds.
    w1, w2 : Tensor, shapes (C, n_in, 3) and (C, C, 3)
        Weights of the convolutions.
    ws : Tensor, shape (C, n_in, 1), optional
        Weights of the shortcut; without them it is the input itself.
    norm1, norm2 : nn.BatchNorm1d
        In training their running statistics are brought forward.
    stride : int
        Of the second convolution and the shortcut.
    """
    norms = (norm1, norm2)
    known = None
    if not norm1.training:
        known = tuple((n.running_mean, n.running_var) for n in norms)
    fixed = Fixed(stride, (norm1.eps, norm2.eps), known)  # type: ignore[arg-type]
    params = (w1, norm1.weight, norm1.bias, w2, norm2.weight, norm2.bias, ws)
    y, *found = _Block.apply(x, *params, fixed)  # type: ignore[no-untyped-call]
    for norm, mean, variance in zip(norms, found[::2], found[1::2], strict=False):
        _bring_forward(norm, mean, variance)
    result: Tensor = y
    return result


def _bring_forward(norm: nn.BatchNorm1d, mean: Tensor, variance: Tensor) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked is not None
    assert norm.momentum is not None
    with torch.no_grad():
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance, norm.momentum)
        norm.num_batches_tracked.add_(1)


class _Block(torch.autograd.Function):
    """The block and, in training, mean and unbiased variance of both its convolutions."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *rest: Any) -> Any:
        *params, fixed = rest
        w1, g1, b1, w2, g2, b2, ws = (array(p) for p in params)
        x, data = x.contiguous(), array(x)
        n, _, length = data.shape
        y = x.new_empty(n, len(w2), (length - 1) // fixed.stride + 1)
        ws = np.zeros((len(w2), 0), data.dtype) if ws is None else ws[:, :, 0]
        pack, needed = kernels(), any(ctx.needs_input_grad)
        assert pack is not None
        found: tuple[Tensor, ...] = ()
        ctx.fixed, v, kept = fixed, x.new_empty(0, 1, 1), x.new_empty(0, 1, 1)
        if fixed.known is not None:
            (m1, s1), (m2, s2) = (
                (_wide(mean), 1 / np.sqrt(_wide(variance) + eps))
                for (mean, variance), eps in zip(fixed.known, fixed.eps, strict=True)
            )
            first, second = affine(g1, b1, m1, s1), affine(g2, b2, m2, s2)
            deal(pack.evaluated, data, w1, *first, w2, *second, ws, fixed.stride, array(y))
        else:
            if data.shape[1] > 1:
                kept = x.new_empty(n, len(w1), length)
            rows = np.zeros((n, len(w1))), np.zeros((n, len(w1)))
            deal(pack.first_moments, data, w1, array(kept), *rows)
            m1, var1 = _moments(*rows, length)
            s1 = 1 / np.sqrt(var1 + fixed.eps[0])
            v = torch.empty_like(y) if needed else y
            rows = np.zeros((n, len(w2))), np.zeros((n, len(w2)))
            deal(pack.second_convolution, data, array(kept), w1, *affine(g1, b1, m1, s1), w2,
                  fixed.stride, array(v), *rows)  # fmt: skip
            m2, var2 = _moments(*rows, y.shape[2])
            s2 = 1 / np.sqrt(var2 + fixed.eps[1])
            deal(pack.finished, data, array(v), *affine(g2, b2, m2, s2), ws, fixed.stride,
                  array(y))  # fmt: skip
            found = tuple(
                torch.from_numpy(value).to(params[1])
                for mean, variance, count in ((m1, var1, n * length), (m2, var2, n * y.shape[2]))
                for value in (mean, variance * (count / max(count - 1, 1)))
            )
            ctx.mark_non_differentiable(*found)
        ctx.statistics = (m1, s1), (m2, s2)
        ctx.save_for_backward(x, *params, v, kept)
        return (y, *found)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        x, *params, v, kept = ctx.saved_tensors
        needs = ctx.needs_input_grad[: 1 + len(params)]
        by_params = any(needs[1:])
        if torch.is_grad_enabled() or (by_params and ctx.fixed.known is not None):
            return (*plain_slopes(x, params, ctx.fixed, slopes[0], needs), None)
        found = compiled_slopes(x, params, v, kept, ctx, slopes[0].contiguous(), needs[0])
        return (*(f if need else None for f, need in zip(found, needs, strict=True)), None)


def _moments(mean: Array, squares: Array, length: int) -> tuple[Array, Array]:
    """Mean and biased variance of all rows from those of each, `length` values a row."""
    middle = mean.mean(0)
    apart = squares.sum(0) + length * np.square(mean - middle).sum(0)
    return middle, apart / (len(mean) * length)


def _wide(tensor: Tensor) -> Array:
    wide: Array = np.array(tensor.detach().numpy(), np.float64)
    return wide
