"""Compiled moving windows: lower envelope convolved with a box, opening, local maxima."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Rows = npt.NDArray[np.floating]
FloatVector = npt.NDArray[np.float64]
FloatBlock = npt.NDArray[np.float64]

#: Bins whose running sums are made at a time, so that they stay in the first cache.
_TILE = 1024
#: Rows whose running sums take turns: one alone waits for the end of every addition.
_TOGETHER = 4


@compiled
def lesser(near: Rows, far: Rows, least: Rows) -> None:
    """Write the lesser of two vectors; on its own, so that the compiler sees a plain loop."""
    for i in range(least.size):
        a, b = near[i], far[i]
        least[i] = b if b < a else a


@compiled
def moving_least(values: Rows, spare: Rows, length: int, width: int) -> Rows:
    """Least of each `width` neighbours; in one of the two arrays, from its start.

    Windows of 2, 4, 8, … bins are each the lesser of two half as long, whole vectors at a time;
    two of them that overlap make up the last. Both arrays are overwritten.
    """
    span = 1
    while span < width:
        shift = min(span, width - span)
        length -= shift
        lesser(values[:length], values[shift : shift + length], spare[:length])
        values, spare = spare, values
        span += shift
    return values


@compiled
def least_of(values: Rows, spare: Rows, length: int) -> float:
    """Least of all, by folding in half; both arrays are overwritten."""
    while length > 1:
        half = length // 2
        lesser(values[:half], values[half : 2 * half], spare[:half])
        if length % 2:
            spare[0] = min(spare[0], values[length - 1])
        values, spare = spare, values
        length = half
    least: float = values[0]
    return least


@compiled
def pad(row: Rows, before: int, after: int, padded: Rows) -> None:
    """Write `row` with its ends repeated."""
    n = row.size
    for i in range(before):
        padded[i] = row[0]
    inner = padded[before:]
    for i in range(n):
        inner[i] = row[i]
    for i in range(n, n + after):
        inner[i] = row[n - 1]


@compiled
def differences(entering: Rows, leaving: Rows, steps: FloatVector) -> None:
    """What a window gains as it moves on."""
    for i in range(entering.size):
        steps[i] = np.float64(entering[i]) - np.float64(leaving[i])


@compiled
def running_sums(a: FloatVector, b: FloatVector, c: FloatVector, d: FloatVector) -> None:
    """Add up four rows in turn, since one alone waits for the end of every addition."""
    s, t, u, v = 0.0, 0.0, 0.0, 0.0
    for i in range(a.size):
        s += a[i]
        t += b[i]
        u += c[i]
        v += d[i]
        a[i], b[i], c[i], d[i] = s, t, u, v


@compiled
def running_sum(a: FloatVector) -> None:
    """Add up one row."""
    total = 0.0
    for i in range(a.size):
        total += a[i]
        a[i] = total


@compiled
def clip(data: Rows, sums: FloatVector, width: float, floor: float) -> None:
    """Make window sums means between the row's least and the data."""
    for i in range(sums.size):
        value, mean = np.float64(data[i]), sums[i] / width
        mean = mean if mean > floor else floor
        sums[i] = mean if mean < value else value


@compiled
def remainder(data: Rows, baseline: FloatVector, above: Rows) -> None:
    """Data minus baseline, zero where negative."""
    for i in range(baseline.size):
        height = np.float64(data[i]) - baseline[i]
        above[i] = height if height > 0.0 else 0.0


@compiled
def subtract_convolution(spectra: Rows, width: int, above: Rows, below: FloatBlock) -> None:
    """Write what lies above the convolved lower envelope, or the envelope if `below` has rows."""
    n_rows, n = spectra.shape
    # An even window is one bin longer to the left; the mirrored box is one longer to the right.
    left, right = width // 2, width - 1 - width // 2
    values, spare = np.empty(n + width, spectra.dtype), np.empty(n + width, spectra.dtype)
    envelopes = np.empty((_TOGETHER, n + width), spectra.dtype)
    sums = np.empty((_TOGETHER, _TILE + 1))
    floors = np.empty(_TOGETHER)
    for first in range(0, n_rows, _TOGETHER):
        together = min(_TOGETHER, n_rows - first)
        for k in range(together):
            row = spectra[first + k]
            pad(row, left, right, values)
            envelope = moving_least(values, spare, n + width - 1, width)
            pad(envelope[:n], right, left, envelopes[k])
            pad(row, 0, 0, values)
            floors[k] = least_of(values, spare, n)
            total = 0.0
            for i in range(width):
                total += envelopes[k, i]
            sums[k, 0] = total
        for start in range(0, n, _TILE):
            # Sums of the windows at start, start + 1, …; the first is carried on from before.
            size = min(_TILE, n - start)
            for k in range(together):
                entering = envelopes[k, start + width : start + width + size]
                leaving = envelopes[k, start : start + size]
                differences(entering, leaving, sums[k, 1:])
            more = size + 1
            if together == _TOGETHER:
                running_sums(sums[0, :more], sums[1, :more], sums[2, :more], sums[3, :more])
            else:
                for k in range(together):
                    running_sum(sums[k, :more])
            for k in range(together):
                data = spectra[first + k, start : start + size]
                smooth, after = sums[k, :size], sums[k, size]
                clip(data, smooth, float(width), floors[k])
                if below.shape[0]:
                    pad(smooth, 0, 0, below[first + k, start:])
                else:
                    remainder(data, smooth, above[first + k, start:])
                sums[k, 0] = after


@compiled
def negate(values: Rows, negative: Rows) -> None:
    """Turn highest into least."""
    for i in range(values.size):
        negative[i] = -values[i]


@compiled
def opening(data: Rows, negated: Rows, opened: FloatVector) -> None:
    """The lesser of the data and the opening, whose negative is given."""
    for i in range(opened.size):
        value, fit = np.float64(data[i]), -np.float64(negated[i])
        opened[i] = fit if fit < value else value


@compiled
def subtract_opening(spectra: Rows, width: int, above: Rows, below: FloatBlock) -> None:
    """Write what lies above the morphological opening, or the opening if `below` has rows."""
    n_rows, n = spectra.shape
    left, right = width // 2, width - 1 - width // 2
    values, spare = np.empty(n + width, spectra.dtype), np.empty(n + width, spectra.dtype)
    low, opened = np.empty(n, spectra.dtype), np.empty(n)
    for row in range(n_rows):
        data = spectra[row]
        pad(data, left, right, values)
        negate(moving_least(values, spare, n + width - 1, width)[:n], low)
        # The highest of the least, with the window mirrored, is the least of their negatives.
        pad(low, right, left, values)
        opening(data, moving_least(values, spare, n + width - 1, width), opened)
        if below.shape[0]:
            pad(opened, 0, 0, below[row])
        else:
            remainder(data, opened, above[row])


@compiled
def clip_peaks(before: FloatVector, reach: int, after: FloatVector) -> None:
    """Bring each value down to the middle between those `reach` bins to its left and right."""
    n = before.size
    for i in range(reach):
        after[i], after[n - 1 - i] = before[i], before[n - 1 - i]
    left, here, right = before[: n - 2 * reach], before[reach : n - reach], before[2 * reach :]
    inner = after[reach : n - reach]
    for i in range(inner.size):
        value, middle = here[i], (left[i] + right[i]) / 2
        inner[i] = middle if middle < value else value


@compiled
def subtract_clipped(
    spectra: Rows, half_window: int, decreasing: bool, above: Rows, below: FloatBlock
) -> None:
    """Write what lies above the clipped peaks, or what is left of them if `below` has rows."""
    n_rows, n = spectra.shape
    widest = min(half_window, (n - 1) // 2)
    for row in range(n_rows):
        clipped, spare = spectra[row].astype(np.float64), np.empty(n)
        for turn in range(widest):
            clip_peaks(clipped, widest - turn if decreasing else turn + 1, spare)
            clipped, spare = spare, clipped
        if below.shape[0]:
            pad(clipped, 0, 0, below[row])
        else:
            remainder(spectra[row], clipped, above[row])


@compiled
def keep_maxima(
    spectra: Rows, least: FloatVector, half_window: int, area: bool, kept: Rows
) -> None:
    """Keep what is highest around, rises, and reaches `least`; or the sum around it, as scipy adds.

    Everything else becomes zero.
    """
    n_rows, n = spectra.shape
    width = 2 * half_window + 1
    values, spare = np.empty(n + width, spectra.dtype), np.empty(n + width, spectra.dtype)
    negative = np.empty(n, spectra.dtype)
    for row in range(n_rows):
        data, out, bar = spectra[row], kept[row], least[row]
        negate(data, negative)
        pad(negative, half_window, half_window, values)
        lowest = moving_least(values, spare, n + width - 1, width)
        for i in range(n):
            value = data[i]
            out[i] = 0.0
            if negative[i] == lowest[i] and value > 0 and value >= bar:
                if i > 0 and not value > data[i - 1]:
                    continue
                total = np.float64(value)
                if area:
                    for k in range(half_window, 0, -1):
                        left = np.float64(data[i - k]) if i >= k else 0.0
                        right = np.float64(data[i + k]) if i + k < n else 0.0
                        total += left + right
                out[i] = total
