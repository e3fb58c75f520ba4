"""Compiled moves to another m/z axis: both axes are walked once, hand in hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Rows = npt.NDArray[np.floating]
FloatVector = npt.NDArray[np.float64]
IntVector = npt.NDArray[np.int64]
CellVector = npt.NDArray[np.int32]


@compiled
def place(points: FloatVector, wanted: FloatVector, right: IntVector, weight: FloatVector) -> None:
    """Where increasing `wanted` lie: the point at or above each, and how far the way to it.

    What lies outside the points counts as lying at their end.
    """
    last = points.size - 1
    at = 1
    for i in range(wanted.size):
        value = min(max(wanted[i], points[0]), points[last])
        while at < last and points[at] < value:
            at += 1
        right[i] = at
        weight[i] = (value - points[at - 1]) / (points[at] - points[at - 1])


@compiled
def interpolate_rows(
    spectra: Rows, right: IntVector, weight: FloatVector, start: int, moved: Rows
) -> None:
    """Read each row between its points; the first value goes to bin `start`."""
    for row in range(spectra.shape[0]):
        values, out = spectra[row], moved[row, start:]
        for i in range(right.size):
            high, low = values[right[i]], np.float64(values[right[i] - 1])
            between = low + (np.float64(high) - low) * weight[i]
            # With weight one the sum may miss the value by a rounding; take it as it is.
            out[i] = high if weight[i] == 1.0 else between


@compiled
def rebin_rows(spectra: Rows, right: IntVector, weight: FloatVector, moved: Rows) -> None:
    """Differences of each row's running sum, read between its bins' edges."""
    n = spectra.shape[1]
    running = np.zeros(n + 1)
    for row in range(spectra.shape[0]):
        values, out = spectra[row], moved[row]
        least, total = np.float64(values[0]), 0.0
        for i in range(n):
            value = np.float64(values[i])
            least = min(least, value)
            total += value
            running[i + 1] = total
        before = 0.0
        for i in range(right.size):
            at = right[i] - 1
            here = running[at] + np.float64(values[at]) * weight[i]
            if i:
                share = here - before
                # Differences of a running sum may round below zero where nothing is negative.
                out[i - 1] = max(share, 0.0) if least >= 0.0 else share
            before = here


@compiled
def fill_cells(edges: FloatVector, cells: CellVector) -> None:
    """First bin that reaches into each of the equal cells that the bins' range is cut into."""
    last, width = edges.size - 2, (edges[edges.size - 1] - edges[0]) / cells.size
    at = 0
    for i in range(cells.size):
        # A hair low, so that rounding never points beyond a value's bin.
        start = edges[0] + (i - 1e-3) * width
        while at < last and edges[at + 1] <= start:
            at += 1
        cells[i] = at


@compiled
def find_bins(mz: FloatVector, edges: FloatVector, cells: CellVector, bins: IntVector) -> None:
    """Bin of each m/z, −1 outside: read from its cell, then looked for from there."""
    last, low, high = edges.size - 2, edges[0], edges[edges.size - 1]
    per_da = cells.size / (high - low)
    for i in range(mz.size):
        value = mz[i]
        if not (value >= low and value <= high):
            bins[i] = -1
            continue
        at = int(cells[min(int((value - low) * per_da), cells.size - 1)])
        while at < last and value >= edges[at + 1]:
            at += 1
        bins[i] = at


@compiled
def bin_rows(spectra: Rows, bins: IntVector, binned: Rows) -> None:
    """Add each point to its bin; `bins` increase, `binned` starts at zero."""
    for row in range(spectra.shape[0]):
        values, out = spectra[row], binned[row]
        at, total = -1, 0.0
        for i in range(bins.size):
            if bins[i] != at:
                if at >= 0:
                    out[at] = total
                at, total = bins[i], 0.0
            total += np.float64(values[i])
        if at >= 0:
            out[at] = total
