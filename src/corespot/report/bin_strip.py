"""Which bins lie on peaks: bands where they can be told apart, shares where they cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from corespot.axis import MzAxis
from corespot.report.audit_profile_figures import NO_PEPTIDE, ON_PEAKS, OUTSIDE
from corespot.report.spectrum_traces import Stretch

Bins = npt.NDArray[np.bool_]

#: Colours beside a profile that has the colours of the classes already.
STRIP_COLOURS = {ON_PEAKS: "#6B7885", OUTSIDE: "#F6DC9B", NO_PEPTIDE: "#CC79A7"}
#: Most columns of the strip, and most bands behind the curve.
MOST_COLUMNS, MOST_BANDS = 120, 60


def bin_runs(bins: Bins, within: slice = slice(None)) -> list[tuple[int, int]]:
    """First bin and end of every unbroken run of marked bins.

    Parameters
    ----------
    bins : ndarray of bool, shape (n_bins,)
        The mask.
    within : slice
        Bins looked at, without a step.

    Returns
    -------
    list of (int, int)
        Half-open, counted from the start of the whole mask.
    """
    start, _, _ = within.indices(len(bins))
    steps = np.diff(np.pad(bins[within].astype(np.int8), 1))
    first, end = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return [(int(a) + start, int(b) + start) for a, b in zip(first, end, strict=True)]


def strip_traces(stretch: Stretch, kinds: Mapping[str, Bins]) -> list[go.Bar]:
    """Bars that say what share of the bins of each column is of which kind.

    A column is a bin where there are few enough, else several.
    """
    bins = stretch.bins
    n_bins = bins.stop - bins.start
    if n_bins <= 0:
        return []
    length = -(-n_bins // MOST_COLUMNS)
    first = np.arange(0, n_bins, length)
    count = np.diff(np.append(first, n_bins))
    edges = stretch.axis.edges[bins.start : bins.stop + 1]
    left, right = edges[first], edges[first + count]
    bars = []
    for kind, mask in kinds.items():
        share = np.add.reduceat(mask[bins].astype(np.float64), first) / count
        bars.append(
            go.Bar(
                x=np.round((left + right) / 2, 4),
                width=np.round(right - left, 4),
                y=np.round(share, 3),
                marker={"color": STRIP_COLOURS[kind], "line": {"width": 0}},
                name=kind,
                showlegend=True,
                hovertemplate=f"m/z %{{x:.2f}}<br>%{{y:.0%}} {kind}<extra></extra>",
            )
        )
    return bars


def outside_bands(stretch: Stretch, kinds: Mapping[str, Bins]) -> list[dict[str, Any]]:
    """Light bands behind the curve where it is outside peaks; none where they would be too many."""
    outside = kinds.get(OUTSIDE)
    if outside is None:
        return []
    runs = bin_runs(outside, stretch.bins)
    if len(runs) > MOST_BANDS:
        return []
    edges = _edges(stretch.axis, stretch.low, stretch.high)
    return [
        {
            **{"type": "rect", "xref": "x", "yref": "y domain", "y0": 0, "y1": 1},
            **{"x0": float(edges[first]), "x1": float(edges[end])},
            **{"fillcolor": STRIP_COLOURS[OUTSIDE], "opacity": 0.28, "line_width": 0},
            "layer": "below",
        }
        for first, end in runs
    ]


def _edges(axis: MzAxis, low: float, high: float) -> npt.NDArray[np.float64]:
    return np.clip(axis.edges, low, high)
