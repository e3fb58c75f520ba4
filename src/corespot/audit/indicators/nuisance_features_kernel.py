"""Compiled loops of the nuisance features: sums, roughness and low percentiles of spectra."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled, compiled_freely

Floats = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@compiled
def read_ranges(
    block: Spectrum,
    bounds: Integers,
    readings: Floats,
    windows: Integers,
    strides: Integers,
    percentile: float,
    found: Floats,
) -> None:
    """Six numbers of each range of each spectrum, as sums over its bins.

    block : (n_spots, n_bins) float32
    bounds : (n_ranges + 1,) int64, first bin of each range, one after the last bin
    readings : (3, n_bins) float64, cosine and sine of the phase, and what is off the mass rule
    windows : (n_windows, 3) int64, range of each window, its first and one after its last bin,
        counted in strides from the start of its range
    strides : (n_ranges,) int64, bins from one that enters the windows to the next
    percentile : which, 0 to 100
    found : (n_spots, n_ranges, 6) float64: cosine, sine, sum, off the rule, sum of the absolute
        second differences, mean over windows of the percentile
    """
    n_ranges = bounds.size - 1
    most = 0
    for w in range(windows.shape[0]):
        most = max(most, windows[w, 2] - windows[w, 1])
    held = np.empty(most + 1, dtype=np.float32)
    n_windows = np.zeros(n_ranges, dtype=np.int64)
    for w in range(windows.shape[0]):
        n_windows[windows[w, 0]] += 1
    for i in range(block.shape[0]):
        for part in range(n_ranges):
            start, stop = bounds[part], bounds[part + 1]
            _sums(block[i, start:stop], readings[:, start:stop], found[i, part])
            found[i, part, 4] = _roughness(block[i, start:stop])
            found[i, part, 5] = 0.0
        for w in range(windows.shape[0]):
            part = windows[w, 0]
            stride = strides[part]
            first = bounds[part] + stride * windows[w, 1]
            n = windows[w, 2] - windows[w, 1]
            level = _percentile(block[i], first, stride, n, percentile, held)
            found[i, part, 5] += level / n_windows[part]


@compiled_freely
def _sums(values: Spectrum, readings: Floats, found: Floats) -> None:
    cosine, sine, total, off = 0.0, 0.0, 0.0, 0.0
    for j in range(values.size):
        value = np.float64(values[j])
        cosine += value * readings[0, j]
        sine += value * readings[1, j]
        total += value
        off += value * readings[2, j]
    found[0], found[1], found[2], found[3] = cosine, sine, total, off


@compiled_freely
def _roughness(values: Spectrum) -> float:
    total = 0.0
    two = np.float32(2.0)
    for j in range(values.size - 2):
        total += np.float64(abs(values[j + 2] - two * values[j + 1] + values[j]))
    return total


@compiled
def _percentile(
    values: Spectrum, first: int, stride: int, n: int, percentile: float, held: Spectrum
) -> float:
    """Percentile of `n` values, every `stride` bins from `first` on, between neighbours in line.

    Holds as many of the lowest as are needed, in order: there are few, and most values are above.
    """
    rank = percentile / 100 * (n - 1)
    low = int(rank)
    keep = min(low + 2, n)
    n_held = 0
    for j in range(n):
        value = values[first + j * stride]
        if n_held == keep and not value < held[keep - 1]:
            continue
        at = n_held if n_held < keep else keep - 1
        while at > 0 and held[at - 1] > value:
            held[at] = held[at - 1]
            at -= 1
        held[at] = value
        n_held = min(n_held + 1, keep)
    below = np.float64(held[low])
    return below + (rank - low) * (np.float64(held[keep - 1]) - below)
