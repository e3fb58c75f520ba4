"""Runs side by side: differences with intervals, and sensitivity profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.explain.compared import unit_energy
from corespot.explain.markers import Marker
from corespot.explain.profile import Quantity, SensitivityProfile
from corespot.report.result_rows import LEVEL_TITLES
from corespot.report.spectrum_traces import Stretch, curve_traces, label_markers
from corespot.report.theme import (
    INK,
    MZ_TITLE,
    apply_theme,
    empty_figure,
    faded,
    plain,
)

_ROW_PX = 24
#: Most markers named at once; more would hide the curves.
_MOST_MARKERS = 14


def difference_plot(
    table: pd.DataFrame, colours: Mapping[str, str], *, metric: str, reference: str
) -> go.Figure:
    """Differences to a reference with intervals over patients, a panel a level.

    Parameters
    ----------
    table : DataFrame
        ``label`` (of the run), ``level``, ``difference``, ``low``, ``high``, of one metric.
    colours : mapping of str to str
        Colour of each label; runs are drawn in this order.
    metric, reference : str
        Names of the metric and of the reference.
    """
    title = f"Difference of {plain(metric)} to {plain(reference)}"
    shown = table.dropna(subset=["difference"])
    levels = [level for level in LEVEL_TITLES if level in set(shown["level"])]
    labels = [label for label in colours if label in set(shown["label"])]
    if not levels:
        return empty_figure(title, "nothing could be paired")
    n_rows = len(levels) * (len(labels) + 1) - 1
    figure = go.Figure()
    for number, label in enumerate(labels):
        part = shown[shown["label"] == label].set_index("level")
        inside = [level for level in levels if level in part.index]
        part = part.loc[inside]
        places = [levels.index(level) * (len(labels) + 1) + number for level in inside]
        value = part["difference"].to_numpy(dtype=float)
        ends = [part[name].to_numpy(dtype=float) for name in ("low", "high")]
        figure.add_trace(
            go.Scatter(
                x=value,
                y=places,
                mode="markers",
                name=plain(label),
                marker={"size": 10, "color": colours[label]},
                error_x={
                    "array": np.nan_to_num(np.maximum(ends[1] - value, 0)),
                    "arrayminus": np.nan_to_num(np.maximum(value - ends[0], 0)),
                    "color": colours[label],
                    "thickness": 2,
                    "width": 4,
                },
                customdata=np.stack(ends, axis=1),
                hovertemplate="%{x:+.3f} (%{customdata[0]:+.3f} to %{customdata[1]:+.3f})",
            )
        )
    figure.add_vline(x=0, line={"color": INK, "width": 1})
    named = [
        (at * (len(labels) + 1) + (len(labels) - 1) / 2, LEVEL_TITLES[level])
        for at, level in enumerate(levels)
    ]
    figure.update_yaxes(
        tickvals=[place for place, _ in named],
        ticktext=[text for _, text in named],
        range=[n_rows - 0.4, -0.6],
        showgrid=False,
        ticks="",
    )
    reach = float(np.nanmax(np.abs(shown[["difference", "low", "high"]].to_numpy(dtype=float))))
    reach = max(1.1 * reach, 0.02)
    figure.update_xaxes(range=[-reach, reach], tickformat="+.2f", title_text="run − reference")
    figure.update_layout(showlegend=True)
    note = "line: 95 % interval over patients; right of zero: the run is better than the reference"
    height = max(n_rows * _ROW_PX, 110) + 176
    return apply_theme(figure, title=title, subtitle=note, height=height, top=116)


@dataclass(frozen=True)
class ProfilesView:
    """Which sensitivity profiles are drawn, and where.

    Parameters
    ----------
    profiles : mapping of str to SensitivityProfile
        By label.
    colours : mapping of str to str
        Colour of each label.
    class_name : str
        Towards which class positive values point; profiles without it are left out.
    low, high : float
        Shown m/z range.
    stacked : bool
        One above the other instead of over each other.
    of : {"probability", "logit"}
        Which sensitivity.
    markers : sequence of Marker
        Named, where few of them are in the range.
    """

    profiles: Mapping[str, SensitivityProfile]
    colours: Mapping[str, str]
    class_name: str
    low: float
    high: float
    stacked: bool = False
    of: Quantity = "probability"
    markers: Sequence[Marker] = ()


def profiles_compared(view: ProfilesView, *, n_points: int = 3000) -> go.Figure:
    """Sensitivity profiles, each divided by its root mean square, one colour a run.

    Runs of different m/z axes are drawn over their own m/z.
    """
    name = view.class_name
    title = f"Sensitivity towards {plain(name)}"
    held = {label: one for label, one in view.profiles.items() if name in one.classes}
    drawn = {
        label: one
        for label, one in held.items()
        if _stretch(one, view, n_points).bins.start < _stretch(one, view, n_points).bins.stop
    }
    if not drawn:
        return empty_figure(title, "no run has a profile of this class in this range")
    n_rows = len(drawn) if view.stacked else 1
    figure = make_subplots(rows=n_rows, cols=1, shared_xaxes=True, vertical_spacing=0.06 / n_rows)
    for number, (label, one) in enumerate(drawn.items()):
        values = unit_energy(one.of(view.of)[one.classes.index(name)])
        traces = curve_traces(
            _stretch(one, view, n_points),
            values,
            name=label,
            colour=view.colours[label],
            dodge=0.25 * number,
        )
        for trace in traces:
            if not view.stacked:
                trace.update(fill="none", line={"color": faded(view.colours[label], 0.85)})
            figure.add_trace(trace, row=number + 1 if view.stacked else 1, col=1)
    figure.update_xaxes(range=[view.low, view.high], showgrid=False)
    figure.update_xaxes(title_text=MZ_TITLE, row=n_rows)
    figure.update_yaxes(zeroline=True, zerolinecolor=INK, nticks=5)
    figure.update_yaxes(title_text="relative sensitivity", row=(n_rows + 1) // 2)
    inside = [marker for marker in view.markers if view.low <= marker.mz <= view.high]
    rows = 0
    if len(inside) <= _MOST_MARKERS:
        rows = label_markers(figure, inside, view.low, view.high, xref="x", top="y")
    figure.update_layout(hovermode="closest", showlegend=True)
    height = 200 + (150 * n_rows if view.stacked else 260) + 16 * rows
    plot = height - 168 - 16 * rows
    figure.update_layout(legend={"y": 1 + (10 + 16 * rows) / plot})
    subtitle = (
        "each divided by its root mean square over the whole axis: shapes, not strengths; "
        "a narrow range shows every bin"
    )
    return apply_theme(figure, title=title, subtitle=subtitle, height=height, top=112 + 16 * rows)


def _stretch(profile: SensitivityProfile, view: ProfilesView, n_points: int) -> Stretch:
    return Stretch(profile.axis, view.low, view.high, n_points)
