"""The signed spectrum of a class in a window of m/z, down to single bins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.explain.peaks import is_continuous
from corespot.explain.profile import SensitivityProfile
from corespot.report.bin_strip import Bins, outside_bands, strip_traces
from corespot.report.mz_window import MzWindow
from corespot.report.sensitivity_figures import number_windows
from corespot.report.sensitivity_view import UNITS, SensitivityView, mean_traces, mirror_ticks
from corespot.report.spectrum_traces import Stretch, band_traces, label_markers, signed_traces
from corespot.report.theme import GRID, INK, MZ_TITLE, apply_theme, empty_figure

FloatArray = npt.NDArray[np.float64]

#: Most bins that are drawn with a mark each; then one sees the resolution of the axis.
SINGLE_BINS = 400
_MOST_POINTS = 500
#: Most points of a curve, and of the curves of all folds together.
POINTS, FOLD_POINTS = 1800, 6000
#: Tools of plotly that would zoom into thinned data.
_LYING_TOOLS = ["zoom", "pan", "zoomin", "zoomout", "autoscale", "resetscale", "lasso"]
_FOLD_COLOUR = "rgba(31,41,51,0.38)"


@dataclass(frozen=True)
class Overlays:
    """What is drawn with the signed spectrum.

    Parameters
    ----------
    kinds : mapping of str to ndarray of bool, optional
        Bins of every kind, as `corespot.report.audit_profile_figures.bin_kinds` gives them.
    folds : mapping of str to ndarray, shape (n_bins,), optional
        The profile of every fold; with them goes the band of their spread.
    chosen_mz : float, optional
        The m/z whose ion image is shown.
    """

    kinds: Mapping[str, Bins] | None = None
    folds: Mapping[str, FloatArray] | None = None
    chosen_mz: float | None = None


def sensitivity_explorer(
    view: SensitivityView,
    window: MzWindow,
    overlays: Overlays | None = None,
    *,
    pointer: Literal["zoom", "choose"] = "zoom",
) -> go.Figure:
    """The signed spectrum of a class over its mean spectra, cut to a window.

    Only what is in the window is in the figure, every bin of it where there are few enough, else
    the lowest and the highest of every short stretch. A box drawn on it selects a stretch; plotly's
    own zoom is off, for it would only enlarge what was thinned.

    Parameters
    ----------
    view : SensitivityView
        What is drawn; its markers are named, its windows numbered.
    window : MzWindow
        The part that is looked at.
    overlays : Overlays, optional
        What is drawn besides.
    pointer : {"zoom", "choose"}
        Whether a drag selects a stretch, or a click a point; Streamlit hears only one of them.
    """
    more = overlays or Overlays()
    stretch = Stretch(view.profile.axis, window.low, window.high, POINTS)
    if bins_shown(view.profile, window) == 0:
        return empty_figure("", "no bin of the m/z axis lies in this window")
    rows = _rows(view, more)
    figure = make_subplots(
        rows=len(rows),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.035,
        row_heights=list(rows.values()),
    )
    names = list(rows)
    _sensitivity(figure, view, stretch, more)
    if "kinds" in rows and more.kinds is not None:
        at = names.index("kinds") + 1
        figure.add_traces(strip_traces(stretch, more.kinds), rows=at, cols=1)
        figure.update_yaxes(visible=False, range=[0, 1], row=at, col=1)
        figure.update_layout(barmode="stack", bargap=0)
        figure.layout.shapes = outside_bands(stretch, more.kinds)
    if "means" in rows:
        at = names.index("means") + 1
        for trace in mean_traces(view, stretch, legend=len(view.profile.classes) > 2):
            trace.update(x=_small(trace.x), y=_small(trace.y))
            figure.add_trace(trace, row=at, col=1)
        ticks = mirror_ticks(view, stretch.bins)
        figure.update_yaxes(title_text="mean<br>intensity", row=at, col=1, **ticks)
        figure.update_yaxes(zeroline=True, zerolinecolor=INK, row=at, col=1)
    if more.chosen_mz is not None and window.holds(more.chosen_mz):
        figure.add_vline(x=more.chosen_mz, line={"color": INK, "width": 1.2, "dash": "dash"})
    n_label_rows = label_markers(
        figure, view.markers, window.low, window.high, xref="x", top="y", letter=0.0085, most_rows=5
    )
    figure.update_xaxes(range=[window.low, window.high], fixedrange=True, showgrid=False)
    figure.update_xaxes(title_text=MZ_TITLE, row=len(rows), col=1)
    figure.update_yaxes(fixedrange=True)
    figure.update_layout(
        dragmode="select" if pointer == "zoom" else "pan",
        clickmode="event" if pointer == "zoom" else "event+select",
        selectdirection="h",
        hovermode="closest",
        modebar={"remove": _LYING_TOOLS, "orientation": "v"},
        newselection={"line": {"color": INK, "width": 1}},
    )
    return _framed(figure, n_label_rows, high="means" in rows)


def bins_shown(profile: SensitivityProfile, window: MzWindow) -> int:
    """How many bins lie in a window."""
    bins = Stretch(profile.axis, window.low, window.high, POINTS).bins
    return max(int(bins.stop) - int(bins.start), 0)


def resolution_text(profile: SensitivityProfile, window: MzWindow) -> str:
    """How finely a window is drawn, in one sentence."""
    n_bins = bins_shown(profile, window)
    if n_bins == 0:
        return "No bin lies in this window."
    of = f"{n_bins:,} of {profile.axis.n_bins:,} bins"
    if n_bins > POINTS:
        return f"{of}; drawn through the lowest and highest bins of each stretch, no peak is lost."
    if n_bins > SINGLE_BINS:
        return f"{of}; every bin is drawn."
    width = profile.axis.width_da((window.low + window.high) / 2)
    return f"{of}, each a dot: the full resolution, {width:.3g} Da a bin here."


def _rows(view: SensitivityView, more: Overlays) -> dict[str, float]:
    rows = {"sensitivity": 0.62}
    if more.kinds is not None:
        rows["kinds"] = 0.05
    if view.class_means is not None:
        rows["means"] = 0.33
    return rows


def _sensitivity(
    figure: go.Figure, view: SensitivityView, stretch: Stretch, more: Overlays
) -> None:
    values = view.profile.of(view.of)[view.class_index]
    spread = view.profile.spread_of(view.of)
    traces: list[go.Scatter] = []
    if more.folds is not None and spread is not None:
        of_class = spread[view.class_index]
        traces += band_traces(stretch, values, of_class, name="± SD over folds")
    names, colours = view.sides
    traces += signed_traces(stretch, values, names=names, colours=colours)
    if more.folds:
        traces += _fold_traces(stretch, more.folds)
    for trace in traces:
        # The points below answer to the pointer, for all of them.
        trace.update(hoverinfo="skip", hovertemplate=None, x=_small(trace.x), y=_small(trace.y))
    traces.append(_points(view, stretch, values, spread))
    figure.add_traces(traces, rows=1, cols=1)
    number_windows(figure, view, stretch.low, stretch.high)
    figure.update_yaxes(
        title_text=f"sensitivity<br>{UNITS[view.of]}",
        zeroline=True,
        zerolinecolor=INK,
        row=1,
        col=1,
    )
    figure.update_yaxes(gridcolor=GRID, row=1, col=1)


def _fold_traces(stretch: Stretch, folds: Mapping[str, FloatArray]) -> list[go.Scatter]:
    """A thin line a fold; a dash a fold and bin on a peak list, where lines would mean nothing."""
    finely = max(FOLD_POINTS // len(folds), 200)
    part = Stretch(stretch.axis, stretch.low, stretch.high, finely)
    look = (
        {"mode": "lines", "line": {"color": _FOLD_COLOUR, "width": 0.8}}
        if is_continuous(stretch.axis)
        else {"mode": "markers", "marker": {"symbol": "line-ew-open", "color": INK, "size": 9}}
    )
    traces = []
    for at, values in enumerate(folds.values()):
        mz, shown = part.thin(values)
        traces.append(
            go.Scatter(
                x=mz, y=shown, name="single folds", legendgroup="folds", showlegend=at == 0, **look
            )
        )
    return traces


def _points(
    view: SensitivityView, stretch: Stretch, values: FloatArray, spread: FloatArray | None
) -> go.Scatter:
    """A point a bin that can be hovered and clicked, seen where single bins are told apart."""
    single = stretch.bins.stop - stretch.bins.start <= SINGLE_BINS
    # Each is an element of the page: fewer than the curve is drawn with, the extremes among them.
    mz, shown = replace(stretch, n_points=min(stretch.n_points, _MOST_POINTS)).thin(values)
    at = np.searchsorted(stretch.axis.mz, mz)
    (_, (for_colour, against_colour)) = view.sides
    folds = "" if spread is None else " ± %{customdata:.2g}"
    look = {"opacity": 1.0 if single else 0.0}
    return go.Scatter(
        x=mz,
        y=_small(shown),
        mode="markers",
        marker={
            "size": 5,
            "color": np.where(shown >= 0, for_colour, against_colour) if single else for_colour,
            **look,
        },
        selected={"marker": look},
        unselected={"marker": look},
        customdata=None if spread is None else np.float32(spread[view.class_index][at]),
        name="bins",
        showlegend=False,
        hovertemplate=f"m/z %{{x:.3f}}<br>%{{y:.3g}}{folds}<extra></extra>",
    )


def _small(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Half the bytes; seven digits are more than a screen shows."""
    return np.asarray(values, dtype=np.float32)


def _framed(figure: go.Figure, n_label_rows: int, *, high: bool) -> go.Figure:
    top = 40 + 15 * n_label_rows
    height = (470 if high else 340) + 15 * n_label_rows
    inside = height - top - 52
    apply_theme(figure, title="", height=height, top=top)
    figure.update_layout(
        margin={"l": 70, "r": 34, "b": 52},
        legend={"y": 1 + (4 + 15 * n_label_rows) / inside, "x": 0, "xanchor": "left"},
    )
    return figure
