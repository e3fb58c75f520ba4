"""Compiled passes over IsotopeNet's residual block, tile by tile in the processor's cache.

All take a run of rows ``first:stop`` of a batch and write sums row by row, so that neither threads
nor the split of the batch play a part in them. Positions outside the axis count as zero.

All in one file: numba's cache on disk would not see a change in a function of another one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled_freely

Array = npt.NDArray[Any]

#: Positions worked on at a time: the buffers of a tile stay in a core's nearest cache.
_TILE = 480


@compiled_freely
def _convolve(weight: Array, source: Array, into: Array, n: int) -> None:
    """``into[d, i] = Σ weight[d, c, t] source[c, i + t]``; three taps, four channels a sweep."""
    for d in range(weight.shape[0]):
        out = into[d]
        for i in range(n):
            out[i] = 0
        c, n_in = 0, weight.shape[1]
        while c + 4 <= n_in:
            p, q, r, s = source[c], source[c + 1], source[c + 2], source[c + 3]
            p0, p1, p2 = weight[d, c, 0], weight[d, c, 1], weight[d, c, 2]
            q0, q1, q2 = weight[d, c + 1, 0], weight[d, c + 1, 1], weight[d, c + 1, 2]
            r0, r1, r2 = weight[d, c + 2, 0], weight[d, c + 2, 1], weight[d, c + 2, 2]
            s0, s1, s2 = weight[d, c + 3, 0], weight[d, c + 3, 1], weight[d, c + 3, 2]
            for i in range(n):
                out[i] += (
                    (p0 * p[i] + p1 * p[i + 1] + p2 * p[i + 2])
                    + (q0 * q[i] + q1 * q[i + 1] + q2 * q[i + 2])
                    + (r0 * r[i] + r1 * r[i + 1] + r2 * r[i + 2])
                    + (s0 * s[i] + s1 * s[i + 1] + s2 * s[i + 2])
                )
            c += 4
        while c < n_in:
            p = source[c]
            p0, p1, p2 = weight[d, c, 0], weight[d, c, 1], weight[d, c, 2]
            for i in range(n):
                out[i] += p0 * p[i] + p1 * p[i + 1] + p2 * p[i + 2]
            c += 1


@compiled_freely
def _mix(weight: Array, source: Array, into: Array, n: int) -> None:
    """``into[d, i] += Σ weight[d, c] source[c, i]``."""
    for d in range(weight.shape[0]):
        out = into[d]
        c, n_in = 0, weight.shape[1]
        while c + 4 <= n_in:
            p, q, r, s = source[c], source[c + 1], source[c + 2], source[c + 3]
            p0, q0, r0, s0 = weight[d, c], weight[d, c + 1], weight[d, c + 2], weight[d, c + 3]
            for i in range(n):
                out[i] += (p0 * p[i] + q0 * q[i]) + (r0 * r[i] + s0 * s[i])
            c += 4
        while c < n_in:
            p, p0 = source[c], weight[d, c]
            for i in range(n):
                out[i] += p0 * p[i]
            c += 1


@compiled_freely
def _products(left: Array, i0: int, right: Array, j0: int, n: int, total: Array) -> None:
    """``total[d, c, t] += Σ left[d, i0 + i] right[c, j0 + i + t]``; three taps.

    Four of `left` at a time: each value of `right` that is loaded serves four sums.
    """
    zero = left.dtype.type(0)
    d, n_left = 0, left.shape[0]
    while d + 4 <= n_left:
        p, q = left[d][i0 : i0 + n], left[d + 1][i0 : i0 + n]
        r, s = left[d + 2][i0 : i0 + n], left[d + 3][i0 : i0 + n]
        for c in range(right.shape[0]):
            x = right[c][j0 : j0 + n + 2]
            p0, p1, p2, q0, q1, q2 = zero, zero, zero, zero, zero, zero
            r0, r1, r2, s0, s1, s2 = zero, zero, zero, zero, zero, zero
            for i in range(n):
                x0, x1, x2 = x[i], x[i + 1], x[i + 2]
                p0 += p[i] * x0
                p1 += p[i] * x1
                p2 += p[i] * x2
                q0 += q[i] * x0
                q1 += q[i] * x1
                q2 += q[i] * x2
                r0 += r[i] * x0
                r1 += r[i] * x1
                r2 += r[i] * x2
                s0 += s[i] * x0
                s1 += s[i] * x1
                s2 += s[i] * x2
            _add_three(total[d, c], p0, p1, p2)
            _add_three(total[d + 1, c], q0, q1, q2)
            _add_three(total[d + 2, c], r0, r1, r2)
            _add_three(total[d + 3, c], s0, s1, s2)
        d += 4
    while d < n_left:
        p = left[d][i0 : i0 + n]
        for c in range(right.shape[0]):
            x = right[c][j0 : j0 + n + 2]
            p0, p1, p2 = zero, zero, zero
            for i in range(n):
                p0 += p[i] * x[i]
                p1 += p[i] * x[i + 1]
                p2 += p[i] * x[i + 2]
            _add_three(total[d, c], p0, p1, p2)
        d += 1


@compiled_freely
def _add_three(total: Array, a: float, b: float, c: float) -> None:
    total[0] += a
    total[1] += b
    total[2] += c


@compiled_freely
def _products_of_one_tap(left: Array, i0: int, right: Array, n: int, total: Array) -> None:
    """``total[d, c] += Σ left[d, i0 + i] right[c, i]``."""
    zero = left.dtype.type(0)
    d, n_left = 0, left.shape[0]
    while d + 4 <= n_left:
        p, q = left[d][i0 : i0 + n], left[d + 1][i0 : i0 + n]
        r, s = left[d + 2][i0 : i0 + n], left[d + 3][i0 : i0 + n]
        for c in range(right.shape[0]):
            x, p0, q0, r0, s0 = right[c], zero, zero, zero, zero
            for i in range(n):
                p0 += p[i] * x[i]
                q0 += q[i] * x[i]
                r0 += r[i] * x[i]
                s0 += s[i] * x[i]
            total[d, c] += p0
            total[d + 1, c] += q0
            total[d + 2, c] += r0
            total[d + 3, c] += s0
        d += 4
    while d < n_left:
        p = left[d][i0 : i0 + n]
        for c in range(right.shape[0]):
            x, p0 = right[c], zero
            for i in range(n):
                p0 += p[i] * x[i]
            total[d, c] += p0
        d += 1


@compiled_freely
def _rectified(x: Array, low: int, high: int, into: Array) -> None:
    """ReLU of positions ``low:high`` of every channel, zero outside the axis."""
    start, stop = max(low, 0), min(high, x.shape[1])
    zero = x.dtype.type(0)
    for c in range(x.shape[0]):
        into[c, : start - low] = 0
        into[c, stop - low : high - low] = 0
        source, out = x[c][start:stop], into[c][start - low : stop - low]
        for i in range(stop - start):
            out[i] = zero if source[i] < 0 else source[i]


@compiled_freely
def _hidden(
    x: Array, kept: Array, w1: Array, scale: Array, shift: Array, low: int, high: int,
    needs_r: bool, r: Array, u: Array, a: Array,
) -> None:  # fmt: skip
    """First convolution `u` and its rectified normalisation `a` at positions ``low:high``.

    `r` receives the rectified input at ``low - 1 : high + 1``, if it is needed.
    """
    length, n = x.shape[1], high - low
    start, stop = max(low, 0), min(high, length)
    if needs_r or kept.shape[0] == 0:
        _rectified(x, low - 1, high + 1, r)
    if kept.shape[0] > 0:
        for c in range(u.shape[0]):
            source, out = kept[c][start:stop], u[c][start - low : stop - low]
            for i in range(stop - start):
                out[i] = source[i]
    else:
        _convolve(w1, r, u, n)
    zero = x.dtype.type(0)
    for c in range(u.shape[0]):
        a[c, : start - low] = 0
        a[c, stop - low : n] = 0
        source, out = u[c][start - low : stop - low], a[c][start - low : stop - low]
        factor, offset = scale[c], shift[c]
        for i in range(stop - start):
            value = factor * source[i] + offset
            out[i] = zero if value < 0 else value


@compiled_freely
def _apart(a: Array, stride: int, n_out: int, into: Array) -> None:
    """The three taps of each step as channels: ``into[3 c + t, j] = a[c, stride j + t]``."""
    for c in range(a.shape[0]):
        for t in range(3):
            for j in range(n_out):
                into[3 * c + t, j] = a[c, stride * j + t]


@compiled_freely
def _shortcut(x: Array, ws: Array, stride: int, q0: int, n: int, thin: Array, into: Array) -> None:
    """Add what goes round the convolutions."""
    if ws.shape[1] == 0:
        for c in range(x.shape[0]):
            source, out = x[c][q0 : q0 + n], into[c]
            for i in range(n):
                out[i] += source[i]
        return
    for c in range(x.shape[0]):
        for i in range(n):
            thin[c, i] = x[c, stride * (q0 + i)]
    _mix(ws, thin, into, n)


@compiled_freely
def _merge(tile: Array, n: int, seen: int, mean: Array, squares: Array) -> None:
    """Take a tile into the mean and the centred sum of squares of `seen` positions before it."""
    zero = tile.dtype.type(0)
    for c in range(tile.shape[0]):
        values, total, apart = tile[c], zero, zero
        for i in range(n):
            total += values[i]
        here = tile.dtype.type(total / n)
        for i in range(n):
            apart += (values[i] - here) * (values[i] - here)
        difference = np.float64(here) - mean[c]
        mean[c] += difference * n / (seen + n)
        squares[c] += apart + difference * difference * (seen * n / (seen + n))


@compiled_freely
def first_moments(
    x: Array, w1: Array, kept: Array, mean: Array, squares: Array, first: int, stop: int
) -> None:
    """Moments of the first convolution, row by row; kept if `kept` has rows."""
    length, n_mid = x.shape[2], w1.shape[0]
    r = np.empty((x.shape[1], _TILE + 2), x.dtype)
    u = np.empty((n_mid, _TILE), x.dtype)
    for row in range(first, stop):
        for p0 in range(0, length, _TILE):
            n = min(_TILE, length - p0)
            _rectified(x[row], p0 - 1, p0 + n + 1, r)
            _convolve(w1, r, u, n)
            _merge(u, n, p0, mean[row], squares[row])
            if kept.shape[0] > 0:
                for c in range(n_mid):
                    source, out = u[c], kept[row, c][p0 : p0 + n]
                    for i in range(n):
                        out[i] = source[i]


@compiled_freely
def second_convolution(
    x: Array, kept: Array, w1: Array, scale: Array, shift: Array, w2: Array, stride: int,
    v: Array, mean: Array, squares: Array, first: int, stop: int,
) -> None:  # fmt: skip
    """Everything up to the second convolution `v`, with its moments row by row."""
    n_mid, n_out = w1.shape[0], v.shape[2]
    step = max(1, _TILE // stride)
    wide = stride * step + 2
    r = np.empty((x.shape[1], wide + 2), x.dtype)
    u, a = np.empty((n_mid, wide), x.dtype), np.empty((n_mid, wide), x.dtype)
    taps, tile = np.empty((3 * n_mid, step), x.dtype), np.empty((n_mid, step), x.dtype)
    flat, nothing = w2.reshape(n_mid, 3 * n_mid), np.empty((0, 0), x.dtype)
    for row in range(first, stop):
        of_row = nothing
        if kept.shape[0] > 0:
            of_row = kept[row]
        for q0 in range(0, n_out, step):
            n = min(step, n_out - q0)
            low = stride * q0 - 1
            high = low + stride * (n - 1) + 3
            _hidden(x[row], of_row, w1, scale, shift, low, high, False, r, u, a)
            if stride == 1:
                _convolve(w2, a, tile, n)
            else:
                _apart(a, stride, n, taps)
                tile[:, :n] = 0
                _mix(flat, taps, tile, n)
            _merge(tile, n, q0, mean[row], squares[row])
            for c in range(n_mid):
                source, out = tile[c], v[row, c][q0 : q0 + n]
                for i in range(n):
                    out[i] = source[i]


@compiled_freely
def finished(
    x: Array, v: Array, scale: Array, shift: Array, ws: Array, stride: int, y: Array,
    first: int, stop: int,
) -> None:  # fmt: skip
    """The second convolution normalised, plus the shortcut; `y` may be `v` itself."""
    thin, tile = np.empty((x.shape[1], _TILE), x.dtype), np.empty((v.shape[1], _TILE), x.dtype)
    for row in range(first, stop):
        for q0 in range(0, v.shape[2], _TILE):
            n = min(_TILE, v.shape[2] - q0)
            for c in range(v.shape[1]):
                source, out, factor, offset = v[row, c][q0 : q0 + n], tile[c], scale[c], shift[c]
                for i in range(n):
                    out[i] = factor * source[i] + offset
            _shortcut(x[row], ws, stride, q0, n, thin, tile)
            for c in range(v.shape[1]):
                source, out = tile[c], y[row, c][q0 : q0 + n]
                for i in range(n):
                    out[i] = source[i]


@compiled_freely
def evaluated(
    x: Array, w1: Array, scale1: Array, shift1: Array, w2: Array, scale2: Array, shift2: Array,
    ws: Array, stride: int, y: Array, first: int, stop: int,
) -> None:  # fmt: skip
    """The whole block with fixed statistics, in one pass."""
    n_mid, n_out = w1.shape[0], y.shape[2]
    step = max(1, _TILE // stride)
    wide = stride * step + 2
    r = np.empty((x.shape[1], wide + 2), x.dtype)
    u, a = np.empty((n_mid, wide), x.dtype), np.empty((n_mid, wide), x.dtype)
    taps, tile = np.empty((3 * n_mid, step), x.dtype), np.empty((n_mid, step), x.dtype)
    thin = np.empty((x.shape[1], step), x.dtype)
    flat, nothing = w2.reshape(n_mid, 3 * n_mid), np.empty((0, 0), x.dtype)
    for row in range(first, stop):
        for q0 in range(0, n_out, step):
            n = min(step, n_out - q0)
            low = stride * q0 - 1
            high = low + stride * (n - 1) + 3
            _hidden(x[row], nothing, w1, scale1, shift1, low, high, False, r, u, a)
            if stride == 1:
                _convolve(w2, a, tile, n)
            else:
                _apart(a, stride, n, taps)
                tile[:, :n] = 0
                _mix(flat, taps, tile, n)
            for c in range(n_mid):
                values, factor, offset = tile[c], scale2[c], shift2[c]
                for i in range(n):
                    values[i] = factor * values[i] + offset
            _shortcut(x[row], ws, stride, q0, n, thin, tile)
            for c in range(n_mid):
                source, out = tile[c], y[row, c][q0 : q0 + n]
                for i in range(n):
                    out[i] = source[i]


@compiled_freely
def output_sums(
    x: Array, v: Array, mean: Array, dy: Array, stride: int,
    total: Array, along: Array, by_ws: Array, first: int, stop: int,
) -> None:  # fmt: skip
    """Row by row: sums of `dy` and of `dy` times the centred `v`; the shortcut's gradient."""
    zero = x.dtype.type(0)
    thin, tile = np.empty((x.shape[1], _TILE), x.dtype), np.empty((v.shape[1], _TILE), x.dtype)
    for row in range(first, stop):
        for q0 in range(0, v.shape[2], _TILE):
            n = min(_TILE, v.shape[2] - q0)
            for c in range(v.shape[1]):
                slope, value = dy[row, c][q0 : q0 + n], v[row, c][q0 : q0 + n]
                middle, plain, product, out = mean[c], zero, zero, tile[c]
                for i in range(n):
                    plain += slope[i]
                    product += slope[i] * (value[i] - middle)
                total[row, c] += plain
                along[row, c] += product
                for i in range(n):
                    out[i] = slope[i]
            if by_ws.shape[2] > 0:
                for c in range(x.shape[1]):
                    source = x[row, c]
                    for i in range(n):
                        thin[c, i] = source[stride * (q0 + i)]
                _products_of_one_tap(tile, 0, thin, n, by_ws[row])


@compiled_freely
def _slope_of_second(
    dy: Array, v: Array, by_dy: Array, by_v: Array, offset: Array, q_low: int, n: int, dv: Array
) -> None:
    """Gradient of the second convolution at ``q_low : q_low + n``, zero outside the axis."""
    start, stop = max(q_low, 0), min(q_low + n, dy.shape[1])
    for c in range(dy.shape[0]):
        dv[c, : start - q_low] = 0
        dv[c, stop - q_low : n] = 0
        slope, out, f = dy[c][start:stop], dv[c][start - q_low : stop - q_low], by_dy[c]
        if v.shape[0] > 0:
            value, g, h = v[c][start:stop], by_v[c], offset[c]
            for i in range(stop - start):
                out[i] = f * slope[i] + g * value[i] + h
        else:
            for i in range(stop - start):
                out[i] = f * slope[i]


@compiled_freely
def _slope_of_hidden(
    dv: Array, back2: Array, stride: int, a: Array, n: int, tap: Array, da: Array
) -> None:
    """Gradient before the second ReLU at ``p0 - 1 : p0 + n - 1``; `dv` starts two steps before.

    `back2` holds the second convolution's weights with channels swapped: flipped taps (c, d, t)
    where the stride is one, tap by tap (t, c, d) otherwise.
    """
    zero = a.dtype.type(0)
    if stride == 1:
        _convolve(back2, dv, da, n)
    else:
        da[:, :n] = 0
        for t in range(3):
            stop = min(dv.shape[1], (n - 1 - t) // stride + 3)
            tap[:, : dv.shape[1]] = 0
            _mix(back2[t], dv, tap, dv.shape[1])
            for c in range(da.shape[0]):
                for j in range(1, stop):
                    i = stride * (j - 2) + t
                    if i >= 0:
                        da[c, i] += tap[c, j]
    for c in range(da.shape[0]):
        value, out = a[c], da[c]
        for i in range(n):
            out[i] = zero if value[i] <= 0 else out[i]


@compiled_freely
def hidden_sums(
    x: Array, kept: Array, w1: Array, scale: Array, shift: Array, mean: Array, back2: Array,
    stride: int, v: Array, by_dy: Array, by_v: Array, offset: Array, dy: Array,
    total: Array, along: Array, by_w2: Array, with_r: Array, u_with_r: Array, r_alone: Array,
    first: int, stop: int,
) -> None:  # fmt: skip
    """Row by row, with `da` the gradient before the second ReLU.

    Sums of `da` and of `da` times the centred first convolution, and the gradient of the second
    convolution's weights. If `with_r` has rows, also the products of `da`, of the centred first
    convolution and of one with the rectified input: all that the first convolution's weights need.
    """
    n_mid, length, n_out = w1.shape[0], x.shape[2], dy.shape[2]
    step = max(1, _TILE // stride)
    wide = stride * step + 2
    r = np.empty((x.shape[1], wide + 2), x.dtype)
    u, a, da = (
        np.empty((n_mid, wide), x.dtype),
        np.empty((n_mid, wide), x.dtype),
        np.empty((n_mid, wide), x.dtype),
    )
    dv, tap = np.empty((n_mid, step + 4), x.dtype), np.empty((n_mid, step + 4), x.dtype)
    taps, zero = np.empty((3 * n_mid, step), x.dtype), x.dtype.type(0)
    nothing = np.empty((0, 0), x.dtype)
    for row in range(first, stop):
        u_of_row, v_of_row = nothing, nothing
        if kept.shape[0] > 0:
            u_of_row = kept[row]
        if v.shape[0] > 0:
            v_of_row = v[row]
        for q0 in range(0, n_out, step):
            n, p0 = min(step, n_out - q0), stride * q0
            m = min(length, stride * (q0 + step)) - p0
            low, high, needs_r = p0 - 1, p0 + m + 1, with_r.shape[0] > 0
            _hidden(x[row], u_of_row, w1, scale, shift, low, high, needs_r, r, u, a)
            _slope_of_second(dy[row], v_of_row, by_dy, by_v, offset, q0 - 2, step + 4, dv)
            _slope_of_hidden(dv, back2, stride, a, m + 2, tap, da)
            if stride == 1:
                _products(dv, 2, a, 0, n, by_w2[row])
            else:
                _apart(a, stride, n, taps)
                flat = by_w2[row].reshape(n_mid, 3 * n_mid)
                _products_of_one_tap(dv, 2, taps, n, flat)
            for c in range(n_mid):
                slope, value = da[c][1 : m + 1], u[c][1 : m + 1]
                middle, plain, product = mean[c], zero, zero
                for i in range(m):
                    value[i] -= middle
                for i in range(m):
                    plain += slope[i]
                    product += slope[i] * value[i]
                total[row, c] += plain
                along[row, c] += product
            if with_r.shape[0] > 0:
                _products(da, 1, r, 1, m, with_r[row])
                _products(u, 1, r, 1, m, u_with_r[row])
                for c in range(r.shape[0]):
                    for t in range(3):
                        values, plain = r[c][1 + t : 1 + t + m], zero
                        for i in range(m):
                            plain += values[i]
                        r_alone[row, c, t] += plain


@compiled_freely
def input_slope(
    x: Array, kept: Array, w1: Array, scale: Array, shift: Array, back1: Array, back2: Array,
    stride: int, v: Array, by_dy: Array, by_v: Array, offset: Array,
    by_da: Array, by_u: Array, offset1: Array, dy: Array, back_ws: Array,
    dx: Array, by_w1: Array, first: int, stop: int,
) -> None:  # fmt: skip
    """Gradient of the input and, if `by_w1` has rows, of the first convolution's weights."""
    n_mid, length, n_out = w1.shape[0], x.shape[2], dy.shape[2]
    step = max(1, _TILE // stride)
    wide = stride * step + 2
    r, dr = np.empty((x.shape[1], wide + 2), x.dtype), np.empty((x.shape[1], wide), x.dtype)
    u, a, da = (
        np.empty((n_mid, wide), x.dtype),
        np.empty((n_mid, wide), x.dtype),
        np.empty((n_mid, wide), x.dtype),
    )
    dv, tap = np.empty((n_mid, step + 4), x.dtype), np.empty((n_mid, step + 4), x.dtype)
    around = np.empty((x.shape[1], step + 4), x.dtype)
    plain = np.empty((n_mid, step + 4), x.dtype)
    nothing, zero = np.empty((0, 0), x.dtype), x.dtype.type(0)
    one = np.ones(n_mid, x.dtype)
    for row in range(first, stop):
        u_of_row, v_of_row = nothing, nothing
        if kept.shape[0] > 0:
            u_of_row = kept[row]
        if v.shape[0] > 0:
            v_of_row = v[row]
        for q0 in range(0, n_out, step):
            n, p0 = min(step, n_out - q0), stride * q0
            m = min(length, stride * (q0 + step)) - p0
            _hidden(x[row], u_of_row, w1, scale, shift, p0 - 1, p0 + m + 1, True, r, u, a)
            _slope_of_second(dy[row], v_of_row, by_dy, by_v, offset, q0 - 2, step + 4, dv)
            _slope_of_hidden(dv, back2, stride, a, m + 2, tap, da)
            low, high = max(0, 1 - p0), min(m + 2, length + 1 - p0)
            for c in range(n_mid):
                da[c, :low] = 0
                da[c, high : m + 2] = 0
                slope, value = da[c][low:high], u[c][low:high]
                f, g, h = by_da[c], by_u[c], offset1[c]
                for i in range(high - low):
                    slope[i] = f * slope[i] + g * value[i] + h
            if by_w1.shape[0] > 0:
                _products(da, 1, r, 1, m, by_w1[row])
            _convolve(back1, da, dr, m)
            for c in range(r.shape[0]):
                value, slope = r[c][2 : m + 2], dr[c]
                for i in range(m):
                    slope[i] = zero if value[i] <= 0 else slope[i]
            _slope_of_second(dy[row], nothing, one, one, one, q0, n, plain)
            if back_ws.shape[0] == 0:
                for c in range(r.shape[0]):
                    source, out = plain[c], dr[c]
                    for i in range(n):
                        out[i] += source[i]
            else:
                around[:, :n] = 0
                _mix(back_ws, plain, around, n)
                for c in range(r.shape[0]):
                    for j in range(n):
                        dr[c, stride * j] += around[c, j]
            for c in range(r.shape[0]):
                source, out = dr[c], dx[row, c][p0 : p0 + m]
                for i in range(m):
                    out[i] = source[i]
