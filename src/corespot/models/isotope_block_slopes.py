"""Gradients of IsotopeNet's block: by compiled passes, or by PyTorch where they need a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from corespot.models.isotope_passes import Fixed, affine, array, cast, deal, kernels

Array = npt.NDArray[Any]


def compiled_slopes(
    x: Tensor, params: list[Tensor | None], v: Tensor, kept: Tensor, ctx: Any, slope: Tensor,
    by_x: bool,
) -> list[Tensor | None]:  # fmt: skip
    """Gradients by the input (if wanted) and by all parameters (in training)."""
    pack, fixed, dx = kernels(), ctx.fixed, None
    assert pack is not None
    (m1, s1), (m2, s2) = ctx.statistics
    w1, g1, b1, w2, g2, _, ws = (array(p) for p in params)
    data, dy, value, u = array(x), array(slope), array(v), array(kept)
    kind, n, (n_mid, n_in, _) = data.dtype, len(data), w1.shape
    ws = np.zeros((n_mid, 0), kind) if ws is None else ws[:, :, 0]
    turn = w2.transpose(1, 0, 2)[:, :, ::-1] if fixed.stride == 1 else w2.transpose(2, 1, 0)
    back1, back2 = w1.transpose(1, 0, 2)[:, :, ::-1].copy(), turn.copy()
    first = data, u, w1, *affine(g1, b1, m1, s1)
    zero = np.zeros(n_mid)
    if fixed.known is not None:
        second = cast(kind, g2 * s2, zero, zero)
        middle = cast(kind, g1 * s1, zero, zero)
        found: list[Array | None] = [None] * 7
    else:
        # Normalisation: its own gradient takes two sums over the batch off the slope.
        total, along = np.zeros((n, n_mid)), np.zeros((n, n_mid))
        by_ws = np.zeros((n, *ws.shape))
        deal(pack.output_sums, data, value, m2.astype(kind), dy, fixed.stride, total, along, by_ws)
        beta2, gamma2 = total.sum(0), s2 * along.sum(0)
        second = _through_norm(kind, g2, m2, s2, beta2, gamma2, n * dy.shape[2])
        total, along = np.zeros((n, n_mid)), np.zeros((n, n_mid))
        by_w2, few = np.zeros((n, *w2.shape)), 0 if by_x else n
        with_r, u_with_r = (np.zeros((few, n_mid, n_in, 3)) for _ in range(2))
        alone = np.zeros((few, n_in, 3))
        deal(pack.hidden_sums, *first, m1.astype(kind), back2, fixed.stride, value, *second, dy,
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
        deal(pack.input_slope, *first, back1, back2, fixed.stride, value, *second, *middle, dy,
              ws.T.copy(), array(dx), rows)  # fmt: skip
        found[0] = rows.sum(0)
    return [dx, *(None if f is None else torch.from_numpy(f).to(x) for f in found)]


def _through_norm(
    kind: Any, weight: Array, mean: Array, s: Array, beta: Array, gamma: Array, count: int
) -> list[Array]:
    """Factors of slope and value, and the offset, of the gradient before a normalisation."""
    factor = weight.astype(np.float64) * s
    by_value = -factor * s * gamma / count
    return cast(kind, factor, by_value, -factor * beta / count - by_value * mean)


def plain_slopes(
    x: Tensor, params: list[Tensor | None], fixed: Fixed, slope: Tensor, needs: tuple[bool, ...]
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


def _plain(inputs: list[Any], fixed: Fixed) -> Tensor:
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
