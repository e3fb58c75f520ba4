"""IsotopeNet's residual block on a CPU: compiled passes instead of one tensor an operation.

With eight channels and three taps there is little to compute and much to carry: every tensor of a
block is larger than a processor's caches. The passes of `isotope_block_kernel` read the input,
work tile by tile in the cache, and write only what the next pass cannot do without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from corespot.threads import in_threads, n_threads

Array = npt.NDArray[Any]

_KINDS = (torch.float32, torch.float64)
#: On shorter axes PyTorch's own operations are as fast, and nothing has to be compiled.
_SHORT = 512
#: Values below which a pass is not worth dealing out to threads.
_SMALL = 200_000
#: Parts that each thread gets, so that none waits long for the last.
_PARTS = 4


@cache
def kernels() -> ModuleType | None:
    """The compiled passes; None where numba cannot be loaded."""
    try:
        from corespot.models import isotope_block_kernel
    except (ImportError, OSError):
        return None
    return isotope_block_kernel


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


@dataclass(frozen=True)
class _Fixed:
    """What is no tensor to be differentiated by."""

    stride: int
    eps: tuple[float, float]
    #: Mean and variance of both normalisations; None: those of the batch.
    known: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None


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
    fixed = _Fixed(stride, (norm1.eps, norm2.eps), known)  # type: ignore[arg-type]
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
        w1, g1, b1, w2, g2, b2, ws = (_array(p) for p in params)
        x, data = x.contiguous(), _array(x)
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
            affine = _affine(g1, b1, m1, s1), _affine(g2, b2, m2, s2)
            _deal(pack.evaluated, data, w1, *affine[0], w2, *affine[1], ws, fixed.stride, _array(y))
        else:
            if data.shape[1] > 1:
                kept = x.new_empty(n, len(w1), length)
            rows = np.zeros((n, len(w1))), np.zeros((n, len(w1)))
            _deal(pack.first_moments, data, w1, _array(kept), *rows)
            m1, var1 = _moments(*rows, length)
            s1 = 1 / np.sqrt(var1 + fixed.eps[0])
            v = torch.empty_like(y) if needed else y
            rows = np.zeros((n, len(w2))), np.zeros((n, len(w2)))
            _deal(pack.second_convolution, data, _array(kept), w1, *_affine(g1, b1, m1, s1), w2,
                  fixed.stride, _array(v), *rows)  # fmt: skip
            m2, var2 = _moments(*rows, y.shape[2])
            s2 = 1 / np.sqrt(var2 + fixed.eps[1])
            _deal(pack.finished, data, _array(v), *_affine(g2, b2, m2, s2), ws, fixed.stride,
                  _array(y))  # fmt: skip
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
            return (*_plain_slopes(x, params, ctx.fixed, slopes[0], needs), None)
        found = _compiled_slopes(x, params, v, kept, ctx, slopes[0].contiguous(), needs[0])
        return (*(f if need else None for f, need in zip(found, needs, strict=True)), None)


def _compiled_slopes(
    x: Tensor, params: list[Tensor | None], v: Tensor, kept: Tensor, ctx: Any, slope: Tensor,
    by_x: bool,
) -> list[Tensor | None]:  # fmt: skip
    """Gradients by the input (if wanted) and by all parameters (in training)."""
    pack, fixed, dx = kernels(), ctx.fixed, None
    assert pack is not None
    (m1, s1), (m2, s2) = ctx.statistics
    w1, g1, b1, w2, g2, _, ws = (_array(p) for p in params)
    data, dy, value, u = _array(x), _array(slope), _array(v), _array(kept)
    kind, n, (n_mid, n_in, _) = data.dtype, len(data), w1.shape
    ws = np.zeros((n_mid, 0), kind) if ws is None else ws[:, :, 0]
    turn = w2.transpose(1, 0, 2)[:, :, ::-1] if fixed.stride == 1 else w2.transpose(2, 1, 0)
    back1, back2 = w1.transpose(1, 0, 2)[:, :, ::-1].copy(), turn.copy()
    first = data, u, w1, *_affine(g1, b1, m1, s1)
    zero = np.zeros(n_mid)
    if fixed.known is not None:
        second = _cast(kind, g2 * s2, zero, zero)
        middle = _cast(kind, g1 * s1, zero, zero)
        found: list[Array | None] = [None] * 7
    else:
        # Normalisation: its own gradient takes two sums over the batch off the slope.
        total, along = np.zeros((n, n_mid)), np.zeros((n, n_mid))
        by_ws = np.zeros((n, *ws.shape))
        _deal(pack.output_sums, data, value, m2.astype(kind), dy, fixed.stride, total, along, by_ws)
        beta2, gamma2 = total.sum(0), s2 * along.sum(0)
        second = _through_norm(kind, g2, m2, s2, beta2, gamma2, n * dy.shape[2])
        total, along = np.zeros((n, n_mid)), np.zeros((n, n_mid))
        by_w2, few = np.zeros((n, *w2.shape)), 0 if by_x else n
        with_r, u_with_r = (np.zeros((few, n_mid, n_in, 3)) for _ in range(2))
        alone = np.zeros((few, n_in, 3))
        _deal(pack.hidden_sums, *first, m1.astype(kind), back2, fixed.stride, value, *second, dy,
              total, along, by_w2, with_r, u_with_r, alone)  # fmt: skip
        beta1, gamma1 = total.sum(0), s1 * along.sum(0)
        count = n * data.shape[2]
        middle = _through_norm(kind, g1, m1, s1, beta1, gamma1, count)
        # All by sums: no pass over the batch where nothing has to be passed on.
        by_w1 = (g1 * s1)[:, None, None] * (
            with_r.sum(0)
            - (beta1 / count)[:, None, None] * alone.sum(0)
            - (s1 * gamma1 / count)[:, None, None] * u_with_r.sum(0)
        )
        shortcut = None if params[6] is None else by_ws.sum(0)[:, :, None]
        found = [by_w1, gamma1, beta1, by_w2.sum(0), gamma2, beta2, shortcut]
    if by_x:
        dx = torch.empty_like(x)
        rows = np.zeros((0 if fixed.known is not None else n, n_mid, n_in, 3))
        _deal(pack.input_slope, *first, back1, back2, fixed.stride, value, *second, *middle, dy,
              ws.T.copy(), _array(dx), rows)  # fmt: skip
        found[0] = rows.sum(0)
    return [dx, *(None if f is None else torch.from_numpy(f).to(x) for f in found)]


def _through_norm(
    kind: Any, weight: Array, mean: Array, s: Array, beta: Array, gamma: Array, count: int
) -> list[Array]:
    """Factors of slope and value, and the offset, of the gradient before a normalisation."""
    factor = weight.astype(np.float64) * s
    by_value = -factor * s * gamma / count
    return _cast(kind, factor, by_value, -factor * beta / count - by_value * mean)


def _plain_slopes(
    x: Tensor, params: list[Tensor | None], fixed: _Fixed, slope: Tensor, needs: tuple[bool, ...]
) -> list[Tensor | None]:
    """The same gradients by PyTorch's own operations, which can be differentiated once more."""
    graph = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs: list[Tensor | None] = [x, *params]
        if not graph:
            inputs = [
                None if t is None else t.detach().requires_grad_(need)
                for t, need in zip(inputs, needs, strict=True)
            ]
        wanted = [t for t, need in zip(inputs, needs, strict=True) if need and t is not None]
        y = _plain(inputs, fixed)
        found = iter(torch.autograd.grad(y, wanted, slope, create_graph=graph))
    return [next(found) if need else None for need in needs]


def _plain(inputs: list[Any], fixed: _Fixed) -> Tensor:
    x, w1, g1, b1, w2, g2, b2, ws = inputs
    statistics = fixed.known or ((None, None), (None, None))
    h = functional.conv1d(functional.relu(x), w1, padding=1)
    h = _normalised(h, statistics[0], g1, b1, fixed.eps[0])
    h = functional.conv1d(functional.relu(h), w2, stride=fixed.stride, padding=1)
    h = _normalised(h, statistics[1], g2, b2, fixed.eps[1])
    around: Tensor = x if ws is None else functional.conv1d(x, ws, stride=fixed.stride)
    return torch.add(h, around)


def _normalised(
    h: Tensor, known: tuple[Any, Any], weight: Tensor, bias: Tensor, eps: float
) -> Tensor:
    return functional.batch_norm(h, *known, weight, bias, training=known[0] is None, eps=eps)


def _deal(kernel: Callable[..., None], x: Array, *rest: Any) -> None:
    """Run a pass over all rows, dealt out to threads where that pays."""
    n, threads = len(x), min(n_threads(), torch.get_num_threads())
    parts = 1 if x.size < _SMALL else min(n, threads * _PARTS)
    bounds = np.linspace(0, n, parts + 1).astype(int)
    spans = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
    in_threads(lambda span: kernel(x, *rest, *span), spans, most=threads)


def _moments(mean: Array, squares: Array, length: int) -> tuple[Array, Array]:
    """Mean and biased variance of all rows from those of each, `length` values a row."""
    middle = mean.mean(0)
    apart = squares.sum(0) + length * np.square(mean - middle).sum(0)
    return middle, apart / (len(mean) * length)


def _affine(weight: Array, bias: Array, mean: Array, s: Array) -> list[Array]:
    scale = weight.astype(np.float64) * s
    return _cast(weight.dtype, scale, bias - mean * scale)


def _cast(kind: Any, *arrays: Array) -> list[Array]:
    return [np.ascontiguousarray(a, kind) for a in arrays]


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else np.ascontiguousarray(tensor.detach().numpy())


def _wide(tensor: Tensor) -> Array:
    wide: Array = np.array(tensor.detach().numpy(), np.float64)
    return wide
