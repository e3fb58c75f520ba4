"""Traces for anything along the m/z axis: profiles as filled curves, peak lists as sticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from corespot.axis import MzAxis
from corespot.explain.markers import Marker
from corespot.explain.peaks import is_continuous
from corespot.report.downsample import minmax_indices
from corespot.report.theme import MUTED, faded, plain

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """The part of an m/z axis that a panel shows, and how finely.

    Parameters
    ----------
    axis : MzAxis
        The whole axis.
    low, high : float
        Shown m/z range.
    n_points : int
        Most points a curve is drawn with.
    """

    axis: MzAxis
    low: float
    high: float
    n_points: int

    @property
    def bins(self) -> slice:
        """Bins inside the range, both ends included."""
        start = np.searchsorted(self.axis.mz, self.low, side="left")
        return slice(int(start), int(np.searchsorted(self.axis.mz, self.high, side="right")))

    def thin(self, *curves: FloatArray) -> list[FloatArray]:
        """m/z and the curves, cut to the range, at the points that keep every curve's peaks."""
        inside = [curve[self.bins] for curve in curves]
        share = max(self.n_points // max(len(inside), 1), 4)
        keep = [minmax_indices(curve, share) for curve in inside]
        points = np.unique(np.concatenate(keep))
        return [self.axis.mz[self.bins][points], *(curve[points] for curve in inside)]


def curve_traces(
    stretch: Stretch,
    values: FloatArray,
    *,
    name: str,
    colour: str,
    legend: bool = True,
    dodge: float = 0.0,
) -> list[go.Scatter]:
    """One non-negative or mirrored spectrum: a filled line, or sticks on a peak list.

    Sticks of several spectra would hide each other: in a zoom they move aside by `dodge`
    hundredths of the shown range.
    """
    mz, shown = stretch.thin(values)
    common = {"name": plain(name), "legendgroup": plain(name), "showlegend": legend}
    hover = "m/z %{x:.3f}<br>%{y:.3g}"
    if not is_continuous(stretch.axis):
        shift = dodge * 0.01 * (stretch.high - stretch.low) if len(mz) < 40 else 0.0
        width = 1.2 if len(mz) >= 40 else 3.0
        return [_sticks(mz + shift, shown, colour, width, hover, common)]
    return [
        go.Scatter(
            x=mz,
            y=shown,
            mode="lines",
            line={"color": colour, "width": 1},
            fill="tozeroy",
            fillcolor=faded(colour, 0.25),
            hovertemplate=hover,
            **common,
        )
    ]


def signed_traces(
    stretch: Stretch,
    values: FloatArray,
    *,
    names: tuple[str, str],
    colours: tuple[str, str],
    legend: bool = True,
) -> list[go.Scatter]:
    """A signed curve in two colours, its positive and its negative part, from zero."""
    mz, shown = stretch.thin(values)
    traces = []
    continuous = is_continuous(stretch.axis)
    if continuous:
        mz, shown = _with_crossings(mz, shown)
    for part, name, colour in zip((1, -1), names, colours, strict=True):
        common = {"name": plain(name), "legendgroup": plain(name), "showlegend": legend}
        hover = "m/z %{x:.3f}<br>%{y:.3g}"
        if not continuous:
            side = shown * part > 0
            width = 3.0 if mz.size < 40 else 1.6
            traces.append(_sticks(mz[side], shown[side], colour, width, hover, common))
            continue
        half = np.maximum(shown, 0.0) if part == 1 else np.minimum(shown, 0.0)
        traces.append(
            go.Scatter(
                x=mz,
                y=half,
                mode="lines",
                line={"color": colour, "width": 1},
                fill="tozeroy",
                fillcolor=faded(colour, 0.55),
                hovertemplate=hover,
                **common,
            )
        )
    return traces


def band_traces(
    stretch: Stretch, centre: FloatArray, spread: FloatArray, *, name: str, legend: bool = True
) -> list[go.Scatter]:
    """A grey band of plus and minus `spread`; a broad grey stick on a peak list."""
    mz, low, high = stretch.thin(centre - spread, centre + spread)
    common = {"name": plain(name), "legendgroup": plain(name), "hoverinfo": "skip"}
    if not is_continuous(stretch.axis):
        x = np.repeat(mz, 3)
        y = np.stack([low, high, np.full(mz.size, np.nan)], axis=1).ravel()
        line = {"color": "rgba(120,130,140,0.35)", "width": 9 if mz.size < 40 else 4}
        return [go.Scatter(x=x, y=y, mode="lines", line=line, showlegend=legend, **common)]
    edge = {"width": 0, "color": "#9AA5B1"}
    return [
        go.Scatter(x=mz, y=low, mode="lines", line=edge, showlegend=False, **common),
        go.Scatter(
            x=mz,
            y=high,
            mode="lines",
            line=edge,
            fill="tonexty",
            fillcolor="rgba(120,130,140,0.30)",
            showlegend=legend,
            **common,
        ),
    ]


def label_markers(
    figure: go.Figure,
    markers: Sequence[Marker],
    low: float,
    high: float,
    *,
    xref: str,
    top: str,
    letter: float = 0.0048,
    most_rows: int | None = None,
) -> int:
    """Draw a dotted line and a name for every marker in the range; return the label rows used.

    Parameters
    ----------
    figure : Figure
        Changed in place.
    markers : sequence of Marker
        Those outside `low` … `high` are left out.
    low, high : float
        Shown m/z range.
    xref : str
        Name of the x axis (``"x"``, ``"x2"``).
    top : str
        Name of the y axis whose upper edge carries the labels.
    letter : float
        Width of a letter as a share of the axis; labels that would touch go on another row.
    most_rows : int, optional
        Rows of labels at most; a marker beyond them keeps its line.
    """
    right_ends: list[float] = []
    lines, labels = [], []
    inside = [marker for marker in markers if low <= marker.mz <= high]
    for marker in sorted(inside, key=lambda marker: marker.mz):
        lines.append(
            {
                **{"type": "line", "xref": xref, "yref": "paper", "y0": 0, "y1": 1},
                **{"x0": marker.mz, "x1": marker.mz, "opacity": 0.7, "layer": "below"},
                "line": {"color": MUTED, "width": 1, "dash": "dot"},
            }
        )
        text = f"{marker.name} {marker.mz:.1f}"
        reach = (high - low) * letter * (len(text) + 2)
        level = next((i for i, end in enumerate(right_ends) if end < marker.mz), len(right_ends))
        if most_rows is not None and level >= most_rows:
            continue
        right_ends[level : level + 1] = [marker.mz + reach]
        labels.append(
            {
                **{"x": marker.mz, "xref": xref, "xanchor": "left"},
                **{"y": 1, "yref": f"{top} domain", "yshift": 4 + 15 * level, "yanchor": "bottom"},
                **{"text": plain(text), "showarrow": False},
                "font": {"size": 11, "color": MUTED},
            }
        )
    # At once: plotly validates all of them anew whenever one is added.
    figure.layout.shapes = [*figure.layout.shapes, *lines]
    figure.layout.annotations = [*figure.layout.annotations, *labels]
    return len(right_ends)


def _sticks(
    mz: FloatArray,
    height: FloatArray,
    colour: str,
    width: float,
    hover: str,
    common: dict[str, object],
) -> go.Scatter:
    gap = np.full(mz.size, np.nan)
    return go.Scatter(
        x=np.repeat(mz, 3),
        y=np.stack([np.zeros(mz.size), height, gap], axis=1).ravel(),
        mode="lines",
        line={"color": colour, "width": width},
        hovertemplate=hover,
        **common,
    )


def _with_crossings(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Insert the zeros between points of opposite sign, so that the two fills meet there."""
    at = np.flatnonzero(y[:-1] * y[1:] < 0)
    zero = x[at] + (x[at + 1] - x[at]) * y[at] / (y[at] - y[at + 1])
    return np.insert(x, at + 1, zero), np.insert(y, at + 1, 0.0)
