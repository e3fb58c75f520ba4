"""The passes of `fused_block` as Triton kernels: one program works along the axis of a spectrum.

Tensors are (batch, channels, length), contiguous. Channels are padded to 16 in registers, the
least that the matrix units take. Every program walks over ``STEPS`` tiles of ``TILE`` positions
and keeps its sums to itself: they are added up outside in a fixed order, so that two runs give
the same numbers.
"""
# Sizes and switches are compile-time constants and upper case; all else is a pointer or a tensor.

from __future__ import annotations

import triton
import triton.language as tl

#: Channels in registers.
PADDED = tl.constexpr(16)


@triton.jit
def _load(base, channels, length, at, valid, CHANNELS: tl.constexpr):
    """Values of all channels at the positions `at`, zero where not valid; (PADDED, TILE)."""
    mask = (channels < CHANNELS)[:, None] & (valid & (at >= 0) & (at < length))[None, :]
    where = channels.to(tl.int64)[:, None] * length + at[None, :]
    return tl.load(base + where, mask=mask, other=0.0).to(tl.float32)


@triton.jit
def _taps(
    weight, rows, columns, tap, ROWS: tl.constexpr, COLUMNS: tl.constexpr, KERNEL: tl.constexpr
):
    """One tap of a weight (ROWS, COLUMNS, KERNEL) as (PADDED, PADDED)."""
    mask = (rows < ROWS)[:, None] & (columns < COLUMNS)[None, :]
    where = (rows[:, None] * COLUMNS + columns[None, :]) * KERNEL + tap
    return tl.load(weight + where, mask=mask, other=0.0).to(tl.float32)


@triton.jit
def _per_channel(values, channels, CHANNELS: tl.constexpr):
    return tl.load(values + channels, mask=channels < CHANNELS, other=0.0)


@triton.jit
def _convolved(
    x, channels, w1, length, at, valid, IN: tl.constexpr, OUT: tl.constexpr, PRECISION: tl.constexpr
):
    """First convolution of the rectified input at the positions `at`; (PADDED, TILE)."""
    total = tl.zeros((PADDED, at.shape[0]), tl.float32)
    for tap in tl.static_range(3):
        seen = tl.maximum(_load(x, channels, length, at + (tap - 1), valid, IN), 0.0)
        weights = _taps(w1, channels, channels, tap, OUT, IN, 3)
        total += tl.dot(weights, seen, input_precision=PRECISION)
    return total


@triton.jit
def _mean(values, valid):
    """Mean over the valid positions of every channel."""
    count = tl.maximum(tl.sum(valid.to(tl.float32), 0), 1.0)
    return tl.sum(tl.where(valid[None, :], values, 0.0), 1) / count


@triton.jit
def _keep_sums(partial, place, channels, first, second, CHANNELS: tl.constexpr):
    """Write two numbers a channel at a program's `place`; partial is (places, 2, CHANNELS)."""
    base = partial + place.to(tl.int64) * 2 * CHANNELS
    tl.store(base + channels, first, mask=channels < CHANNELS)
    tl.store(base + CHANNELS + channels, second, mask=channels < CHANNELS)


@triton.jit
def _keep_moments(partial, place, channels, pivot, total, squares, count, CHANNELS: tl.constexpr):
    """Write sum, and squares about the mean, given both about a pivot near the mean."""
    squares = squares - total * total / count
    _keep_sums(partial, place, channels, total + count * pivot, squares, CHANNELS)


@triton.jit
def first_moments(
    x,
    w1,
    partial,
    length,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    TILE: tl.constexpr,
    STEPS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Moments of the first convolution; nothing of it is stored."""
    channels = tl.arange(0, PADDED)
    x += tl.program_id(0).to(tl.int64) * IN * length
    begin = tl.program_id(1) * STEPS * TILE
    pivot = tl.zeros((PADDED,), tl.float32)
    total = tl.zeros((PADDED,), tl.float32)
    squares = tl.zeros((PADDED,), tl.float32)
    for step in range(STEPS):
        at = begin + step * TILE + tl.arange(0, TILE)
        valid = at < length
        a = _convolved(x, channels, w1, length, at, valid, IN, OUT, PRECISION)
        pivot = tl.where(step == 0, _mean(a, valid), pivot)
        apart = tl.where(valid[None, :], a - pivot[:, None], 0.0)
        total += tl.sum(apart, 1)
        squares += tl.sum(apart * apart, 1)
    place = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    count = tl.minimum(length - begin, STEPS * TILE).to(tl.float32)
    _keep_moments(partial, place, channels, pivot, total, squares, count, OUT)


@triton.jit
def second_convolution(
    x,
    w1,
    scale1,
    shift1,
    w2,
    b,
    partial,
    length,
    out_length,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    STRIDE: tl.constexpr,
    TILE: tl.constexpr,
    STEPS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Second convolution, stored, with its moments; the first is computed again on the way."""
    channels = tl.arange(0, PADDED)
    x += tl.program_id(0).to(tl.int64) * IN * length
    b += tl.program_id(0).to(tl.int64) * OUT * out_length
    scale, shift = _per_channel(scale1, channels, OUT), _per_channel(shift1, channels, OUT)
    begin = tl.program_id(1) * STEPS * TILE
    pivot = tl.zeros((PADDED,), tl.float32)
    total = tl.zeros((PADDED,), tl.float32)
    squares = tl.zeros((PADDED,), tl.float32)
    for step in range(STEPS):
        out = begin + step * TILE + tl.arange(0, TILE)
        valid = out < out_length
        found = tl.zeros((PADDED, TILE), tl.float32)
        for tap in tl.static_range(3):
            at = out * STRIDE + (tap - 1)
            inside = valid & (at >= 0) & (at < length)
            a = _convolved(x, channels, w1, length, at, inside, IN, OUT, PRECISION)
            h = tl.maximum(a * scale[:, None] + shift[:, None], 0.0)
            h = tl.where(inside[None, :], h, 0.0)
            weights = _taps(w2, channels, channels, tap, OUT, OUT, 3)
            found += tl.dot(weights, h, input_precision=PRECISION)
        mask = (channels < OUT)[:, None] & valid[None, :]
        where = channels.to(tl.int64)[:, None] * out_length + out[None, :]
        rounded = found.to(b.dtype.element_ty)
        tl.store(b + where, rounded, mask=mask)
        # Of what is stored: the normalisation is to have mean 0 and variance 1.
        kept = rounded.to(tl.float32)
        pivot = tl.where(step == 0, _mean(kept, valid), pivot)
        apart = tl.where(valid[None, :], kept - pivot[:, None], 0.0)
        total += tl.sum(apart, 1)
        squares += tl.sum(apart * apart, 1)
    place = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    count = tl.minimum(out_length - begin, STEPS * TILE).to(tl.float32)
    _keep_moments(partial, place, channels, pivot, total, squares, count, OUT)


@triton.jit
def finish(
    x,
    b,
    scale2,
    shift2,
    ws,
    y,
    length,
    out_length,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    STRIDE: tl.constexpr,
    IDENTITY: tl.constexpr,
    TILE: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Second normalisation plus shortcut."""
    channels = tl.arange(0, PADDED)
    x += tl.program_id(0).to(tl.int64) * IN * length
    b += tl.program_id(0).to(tl.int64) * OUT * out_length
    y += tl.program_id(0).to(tl.int64) * OUT * out_length
    scale, shift = _per_channel(scale2, channels, OUT), _per_channel(shift2, channels, OUT)
    out = tl.program_id(1) * TILE + tl.arange(0, TILE)
    valid = out < out_length
    normal = _load(b, channels, out_length, out, valid, OUT) * scale[:, None] + shift[:, None]
    beside = _load(x, channels, length, out * STRIDE, valid, IN)
    if not IDENTITY:
        weights = _taps(ws, channels, channels, 0, OUT, IN, 1)
        beside = tl.dot(weights, beside, input_precision=PRECISION)
    mask = (channels < OUT)[:, None] & valid[None, :]
    where = channels.to(tl.int64)[:, None] * out_length + out[None, :]
    tl.store(y + where, (normal + beside).to(y.dtype.element_ty), mask=mask)


@triton.jit
def second_sums(
    b,
    g,
    mean2,
    inverse2,
    partial,
    out_length,
    OUT: tl.constexpr,
    TILE: tl.constexpr,
    STEPS: tl.constexpr,
):
    """Sums of the gradient, and of its product with the normalised second convolution."""
    channels = tl.arange(0, PADDED)
    b += tl.program_id(0).to(tl.int64) * OUT * out_length
    g += tl.program_id(0).to(tl.int64) * OUT * out_length
    mean, inverse = _per_channel(mean2, channels, OUT), _per_channel(inverse2, channels, OUT)
    plain = tl.zeros((PADDED,), tl.float32)
    product = tl.zeros((PADDED,), tl.float32)
    for step in range(STEPS):
        out = (tl.program_id(1) * STEPS + step) * TILE + tl.arange(0, TILE)
        valid = out < out_length
        slope = _load(g, channels, out_length, out, valid, OUT)
        value = _load(b, channels, out_length, out, valid, OUT)
        plain += tl.sum(slope, 1)
        product += tl.sum(slope * (value - mean[:, None]) * inverse[:, None], 1)
    place = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    _keep_sums(partial, place, channels, plain, product, OUT)


@triton.jit
def _keep_weights(partial, place, channels, slope, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Write the slope of a weight's tap (PADDED, PADDED) at its `place`."""
    mask = (channels < ROWS)[:, None] & (channels < COLUMNS)[None, :]
    where = channels[:, None] * COLUMNS + channels[None, :]
    tl.store(partial + place.to(tl.int64) * ROWS * COLUMNS + where, slope, mask=mask)


@triton.jit
def through_second(
    x,
    b,
    g,
    w1,
    scale1,
    shift1,
    mean1,
    inverse1,
    w2,
    mean2,
    inverse2,
    factor2,
    less2,
    less_normal2,
    d,
    partial,
    partial_w,
    length,
    out_length,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    STRIDE: tl.constexpr,
    TILE: tl.constexpr,
    STEPS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradient back to the first normalisation's output `d`, its sums, and the slope of w2."""
    channels = tl.arange(0, PADDED)
    x += tl.program_id(0).to(tl.int64) * IN * length
    d += tl.program_id(0).to(tl.int64) * OUT * length
    b += tl.program_id(0).to(tl.int64) * OUT * out_length
    g += tl.program_id(0).to(tl.int64) * OUT * out_length
    scale, shift = _per_channel(scale1, channels, OUT), _per_channel(shift1, channels, OUT)
    first_mean = _per_channel(mean1, channels, OUT)
    first_inverse = _per_channel(inverse1, channels, OUT)
    mean, inverse = _per_channel(mean2, channels, OUT), _per_channel(inverse2, channels, OUT)
    factor = _per_channel(factor2, channels, OUT)
    less = _per_channel(less2, channels, OUT)
    less_normal = _per_channel(less_normal2, channels, OUT)
    plain = tl.zeros((PADDED,), tl.float32)
    product = tl.zeros((PADDED,), tl.float32)
    slope0 = tl.zeros((PADDED, PADDED), tl.float32)
    slope1 = tl.zeros((PADDED, PADDED), tl.float32)
    slope2 = tl.zeros((PADDED, PADDED), tl.float32)
    for step in range(STEPS):
        at = (tl.program_id(1) * STEPS + step) * TILE + tl.arange(0, TILE)
        valid = at < length
        a = _convolved(x, channels, w1, length, at, valid, IN, OUT, PRECISION)
        h = tl.maximum(a * scale[:, None] + shift[:, None], 0.0)
        h = tl.where(valid[None, :], h, 0.0)
        back = tl.zeros((PADDED, TILE), tl.float32)
        for tap in tl.static_range(3):
            # The output whose tap `tap` lies on this position, if there is one.
            reach = at + 1 - tap
            out = reach // STRIDE
            meets = valid & (reach >= 0) & (reach % STRIDE == 0) & (out < out_length)
            value = _load(b, channels, out_length, out, meets, OUT)
            normal = (value - mean[:, None]) * inverse[:, None]
            slope = _load(g, channels, out_length, out, meets, OUT)
            slope = factor[:, None] * (slope - less[:, None] - normal * less_normal[:, None])
            slope = tl.where(meets[None, :] & (channels < OUT)[:, None], slope, 0.0)
            weights = tl.trans(_taps(w2, channels, channels, tap, OUT, OUT, 3))
            back += tl.dot(weights, slope, input_precision=PRECISION)
            found = tl.dot(slope, tl.trans(h), input_precision=PRECISION)
            if tap == 0:
                slope0 += found
            elif tap == 1:
                slope1 += found
            else:
                slope2 += found
        back = tl.where(h > 0.0, back, 0.0)
        mask = (channels < OUT)[:, None] & valid[None, :]
        where = channels.to(tl.int64)[:, None] * length + at[None, :]
        rounded = back.to(d.dtype.element_ty)
        tl.store(d + where, rounded, mask=mask)
        kept = tl.where(mask, rounded.to(tl.float32), 0.0)
        plain += tl.sum(kept, 1)
        product += tl.sum(kept * (a - first_mean[:, None]) * first_inverse[:, None], 1)
    place = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    _keep_sums(partial, place, channels, plain, product, OUT)
    _keep_weights(partial_w, 3 * place, channels, slope0, OUT, OUT)
    _keep_weights(partial_w, 3 * place + 1, channels, slope1, OUT, OUT)
    _keep_weights(partial_w, 3 * place + 2, channels, slope2, OUT, OUT)


@triton.jit
def through_first(
    x,
    g,
    d,
    w1,
    mean1,
    inverse1,
    factor1,
    less1,
    less_normal1,
    ws,
    dx,
    partial_w,
    length,
    out_length,
    IN: tl.constexpr,
    OUT: tl.constexpr,
    STRIDE: tl.constexpr,
    IDENTITY: tl.constexpr,
    WANTS_INPUT: tl.constexpr,
    TILE: tl.constexpr,
    STEPS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Gradient back to the input, and the slopes of w1 and of the shortcut."""
    channels = tl.arange(0, PADDED)
    x += tl.program_id(0).to(tl.int64) * IN * length
    d += tl.program_id(0).to(tl.int64) * OUT * length
    g += tl.program_id(0).to(tl.int64) * OUT * out_length
    if WANTS_INPUT:
        dx += tl.program_id(0).to(tl.int64) * IN * length
    mean, inverse = _per_channel(mean1, channels, OUT), _per_channel(inverse1, channels, OUT)
    factor = _per_channel(factor1, channels, OUT)
    less = _per_channel(less1, channels, OUT)
    less_normal = _per_channel(less_normal1, channels, OUT)
    slope0 = tl.zeros((PADDED, PADDED), tl.float32)
    slope1 = tl.zeros((PADDED, PADDED), tl.float32)
    slope2 = tl.zeros((PADDED, PADDED), tl.float32)
    beside = tl.zeros((PADDED, PADDED), tl.float32)
    for step in range(STEPS):
        at = (tl.program_id(1) * STEPS + step) * TILE + tl.arange(0, TILE)
        valid = at < length
        seen = _load(x, channels, length, at, valid, IN)
        positive = tl.maximum(seen, 0.0)
        back = tl.zeros((PADDED, TILE), tl.float32)
        for tap in tl.static_range(3):
            # The position whose tap `tap` lies on this one.
            there = at + 1 - tap
            meets = valid & (there >= 0) & (there < length)
            a = _convolved(x, channels, w1, length, there, meets, IN, OUT, PRECISION)
            normal = (a - mean[:, None]) * inverse[:, None]
            slope = _load(d, channels, length, there, meets, OUT)
            slope = factor[:, None] * (slope - less[:, None] - normal * less_normal[:, None])
            slope = tl.where(meets[None, :] & (channels < OUT)[:, None], slope, 0.0)
            if WANTS_INPUT:
                weights = tl.trans(_taps(w1, channels, channels, tap, OUT, IN, 3))
                back += tl.dot(weights, slope, input_precision=PRECISION)
            found = tl.dot(slope, tl.trans(positive), input_precision=PRECISION)
            if tap == 0:
                slope0 += found
            elif tap == 1:
                slope1 += found
            else:
                slope2 += found
        out = at // STRIDE
        meets = valid & (at % STRIDE == 0) & (out < out_length)
        around = _load(g, channels, out_length, out, meets, OUT)
        back = tl.where(seen > 0.0, back, 0.0)
        if IDENTITY:
            back += around
        else:
            beside += tl.dot(around, tl.trans(seen), input_precision=PRECISION)
            if WANTS_INPUT:
                weights = tl.trans(_taps(ws, channels, channels, 0, OUT, IN, 1))
                back += tl.dot(weights, around, input_precision=PRECISION)
        if WANTS_INPUT:
            mask = (channels < IN)[:, None] & valid[None, :]
            where = channels.to(tl.int64)[:, None] * length + at[None, :]
            tl.store(dx + where, back.to(dx.dtype.element_ty), mask=mask)
    place = tl.program_id(0) * tl.num_programs(1) + tl.program_id(1)
    _keep_weights(partial_w, 4 * place, channels, slope0, OUT, IN)
    _keep_weights(partial_w, 4 * place + 1, channels, slope1, OUT, IN)
    _keep_weights(partial_w, 4 * place + 2, channels, slope2, OUT, IN)
    _keep_weights(partial_w, 4 * place + 3, channels, beside, OUT, IN)
