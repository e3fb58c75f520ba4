"""Sensitivity round the highest windows, at the full resolution of the axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from corespot.report.sensitivity_view import (
    UNITS,
    SensitivityView,
    mean_traces,
    mirror_ticks,
    sensitivity_traces,
)
from corespot.report.spectrum_traces import Stretch
from corespot.report.theme import GRID, INK, MUTED, MZ_TITLE, apply_theme, empty_figure, plain

_ZOOM_COLUMNS = 3


def sensitivity_zooms(view: SensitivityView, *, n: int = 6, before_da: float = 2.5) -> go.Figure:
    """Panels round the highest windows at the full resolution of the axis.

    Parameters
    ----------
    view : SensitivityView
        With `windows`, ranked.
    n : int
        Most panels.
    before_da : float
        m/z shown below the apex; twice as much is shown above it, where the isotopes are.
    """
    title = f"The strongest windows of {plain(view.class_name)}, at full resolution"
    if view.windows is None or view.windows.empty:
        return empty_figure(title, "no m/z window was ranked")
    windows = view.windows.sort_values("rank").head(n).to_dict("records")
    n_rows = -(-len(windows) // _ZOOM_COLUMNS)
    with_means = view.class_means is not None
    height = 110 + 350 * n_rows
    figure = go.Figure()
    for position, window in enumerate(windows):
        apex = float(window["mz"])
        low = min(apex - before_da, float(window["low"]))
        high = max(apex + 2 * before_da, float(window["high"]))
        stretch = Stretch(view.profile.axis, low, high, 100_000)
        upper, lower = _panel(figure, position, n_rows, with_means, UNITS[view.of])
        for trace in sensitivity_traces(view, stretch, legend=position == 0):
            figure.add_trace(trace.update(xaxis=f"x{upper}", yaxis=f"y{upper}"))
        if with_means:
            for trace in mean_traces(view, stretch, legend=False):
                figure.add_trace(trace.update(xaxis=f"x{lower}", yaxis=f"y{lower}"))
            mirror = mirror_ticks(view, stretch.bins)
            figure.layout[f"yaxis{lower}"].update(mirror, showgrid=False)
        figure.layout[f"xaxis{upper}"].range = [low, high]
        _annotate_panel(figure, window, upper)
    figure.update_layout(legend={"y": 1 + 26 / (height - 160)}, hovermode="closest")
    subtitle = "sensitivity above, mean class spectra beneath; shaded: the window"
    return apply_theme(figure, title=title, subtitle=subtitle, height=height, top=104)


def _panel(
    figure: go.Figure, position: int, n_rows: int, with_means: bool, unit: str
) -> tuple[int, int]:
    """Lay out the axes of a panel; return the numbers of its upper and lower axes."""
    row, column = divmod(position, _ZOOM_COLUMNS)
    gap_x, gap_y = 0.065, 0.32 / n_rows
    width = (1 - gap_x * (_ZOOM_COLUMNS - 1)) / _ZOOM_COLUMNS
    height = (1 - gap_y * (n_rows - 1)) / n_rows
    left = column * (width + gap_x)
    top = 1 - row * (height + gap_y)
    split = top - height * (0.62 if with_means else 1.0)
    upper, lower = 2 * position + 1, 2 * position + 2
    domain = [left, left + width]
    axis = {"domain": domain, "showgrid": False, "tickformat": ".0f", "nticks": 8}
    first = column == 0
    title = unit if first else None
    figure.update_layout(
        {
            f"xaxis{upper}": axis
            | {"anchor": f"y{upper}", "showticklabels": not with_means}
            | ({} if with_means else {"title_text": MZ_TITLE}),
            f"yaxis{upper}": {
                "domain": [max(split, 0.0), top],
                "anchor": f"x{upper}",
                "title_text": title,
                "zeroline": True,
                "zerolinecolor": INK,
                "nticks": 5,
                "gridcolor": GRID,
            },
        }
    )
    if with_means:
        bottom = {"anchor": f"y{lower}", "matches": f"x{upper}", "title_text": MZ_TITLE}
        figure.update_layout(
            {
                f"xaxis{lower}": axis | bottom,
                f"yaxis{lower}": {
                    "domain": [max(top - height, 0.0), split - 0.03 / n_rows],
                    "anchor": f"x{lower}",
                    "title_text": "mean" if first else None,
                    "zeroline": True,
                    "zerolinecolor": INK,
                },
            }
        )
    return upper, lower


def _annotate_panel(figure: go.Figure, window: Mapping[Any, Any], axis: int) -> None:
    marker = f" · <b>{plain(window['marker'])}</b>" if window["marker"] else ""
    note = " · bipolar" if window["shape"] == "bipolar" else ""
    name = "" if axis == 1 else str(axis)
    figure.add_annotation(
        text=f"{window['rank']}. <i>m/z</i> {window['mz']:.2f}{marker}{note}",
        xref=f"x{name} domain",
        yref=f"y{name} domain",
        x=0,
        y=1,
        yshift=4,
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 13},
    )
    figure.add_shape(
        type="rect",
        xref=f"x{name}",
        yref=f"y{name} domain",
        x0=window["low"],
        x1=window["high"],
        y0=0,
        y1=1,
        fillcolor=MUTED,
        opacity=0.13,
        line_width=0,
        layer="below",
    )
