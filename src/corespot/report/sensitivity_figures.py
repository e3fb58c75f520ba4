"""Sensitivity of a class: the whole signed spectrum, and the ranking of its windows."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.report.sensitivity_view import (
    UNITS,
    SensitivityView,
    mean_traces,
    mirror_ticks,
    sensitivity_traces,
)
from corespot.report.spectrum_traces import Stretch, label_markers
from corespot.report.theme import INK, MZ_TITLE, apply_theme, empty_figure, plain


def sensitivity_spectrum(view: SensitivityView, *, n_points: int = 8000) -> go.Figure:
    """Whole signed sensitivity spectrum of a class, mean class spectra beneath.

    Parameters
    ----------
    view : SensitivityView
        What to draw.
    n_points : int
        Most points a curve is drawn with; minima and maxima survive the thinning.
    """
    profile = view.profile
    low, high = float(profile.axis.mz[0]), float(profile.axis.mz[-1])
    stretch = Stretch(profile.axis, low, high, n_points)
    with_means = view.class_means is not None
    figure = make_subplots(
        rows=2 if with_means else 1,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.05,
        row_heights=[0.62, 0.38] if with_means else [1.0],
    )
    for trace in sensitivity_traces(view, stretch, legend=True):
        figure.add_trace(trace, row=1, col=1)
    number_windows(figure, view, low, high)
    figure.update_yaxes(
        title_text=f"sensitivity  {UNITS[view.of]}", row=1, col=1, zeroline=True, zerolinecolor=INK
    )
    if with_means:
        for trace in mean_traces(view, stretch, legend=len(profile.classes) > 2):
            figure.add_trace(trace, row=2, col=1)
        figure.update_yaxes(title_text="mean intensity", row=2, col=1, zeroline=True)
        figure.update_yaxes(zerolinecolor=INK, row=2, col=1, **mirror_ticks(view, slice(None)))
    rows = label_markers(figure, view.markers, low, high, xref="x", top="y")
    span = (high - low) * 0.005
    figure.update_xaxes(range=[low - span, high + span], showgrid=False)
    figure.update_xaxes(title_text=MZ_TITLE, row=2 if with_means else 1, col=1)
    top = 96 + 15 * rows
    height = (640 if with_means else 400) + 15 * rows
    legend_y = 1 + (6 + 15 * rows) / (height - top - 56)
    figure.update_layout(legend={"y": legend_y}, hovermode="closest")
    return apply_theme(
        figure,
        title=f"Sensitivity: what speaks for {plain(view.class_name)}",
        subtitle=_subtitle(view),
        height=height,
        top=top,
    )


def window_ranking(view: SensitivityView, *, n: int = 15) -> go.Figure:
    """Bars of the highest windows, signed, with their spread over folds and their markers."""
    title = f"Strongest m/z windows of {plain(view.class_name)}"
    if view.windows is None or view.windows.empty:
        return empty_figure(title, "no m/z window was ranked")
    table = view.windows.sort_values("rank").head(n)
    labels = [
        f"{mz:.2f}" + (f"  <b>{plain(marker)}</b>" if marker else "")
        for mz, marker in zip(table["mz"], table["marker"], strict=True)
    ]
    positions = list(range(len(table)))
    (for_name, against_name), (for_colour, against_colour) = view.sides
    figure = go.Figure()
    for sign, name, shade in ((1, for_name, for_colour), (-1, against_name, against_colour)):
        side = (table["sign"] == sign).to_numpy()
        spread = table["fold_sd"].to_numpy(dtype=float)[side]
        figure.add_bar(
            x=table["height"].to_numpy(dtype=float)[side],
            y=np.flatnonzero(side),
            orientation="h",
            name=plain(name),
            marker={"color": shade},
            error_x={"array": spread, "color": INK, "thickness": 1, "width": 3}
            if np.all(np.isfinite(spread))
            else None,
            hovertemplate="%{x:.3g}<extra></extra>",
        )
    figure.update_yaxes(
        tickvals=positions,
        ticktext=labels,
        autorange="reversed",
        title_text=MZ_TITLE,
        showgrid=False,
    )
    figure.update_xaxes(
        title_text=f"sensitivity  {UNITS[view.of]}", zeroline=True, zerolinecolor=INK
    )
    figure.update_layout(bargap=0.25, barmode="overlay")
    spread_text = "; whiskers: SD over folds" if view.profile.n_folds > 1 else ""
    return apply_theme(
        figure,
        title=title,
        subtitle=f"one bar an isotope pattern, height at its highest bin{spread_text}",
        height=150 + 26 * len(table),
        top=100,
    )


def _subtitle(view: SensitivityView) -> str:
    what = "probability" if view.of == "probability" else "log-odds"
    folds = view.profile.n_folds
    text = f"change of the {what} when a bin rises by one standard deviation"
    return text + (f", mean of {folds} folds" if folds > 1 else "")


def number_windows(figure: go.Figure, view: SensitivityView, low: float, high: float) -> None:
    """Write the rank of the highest windows between `low` and `high` at their apex."""
    if view.windows is None or view.windows.empty:
        return
    table = view.windows[view.windows["mz"].between(low, high)].sort_values("rank").head(10)
    raw = view.profile.of(view.of)[view.class_index]
    apex = [raw[view.profile.axis.nearest(float(mz))] for mz in table["mz"]]
    figure.add_trace(
        go.Scatter(
            x=table["mz"],
            y=apex,
            mode="text",
            text=[str(rank) for rank in table["rank"]],
            textposition=["top center" if sign > 0 else "bottom center" for sign in table["sign"]],
            textfont={"size": 11, "color": INK},
            showlegend=False,
            cliponaxis=False,
            hovertemplate="rank %{text}<br>m/z %{x:.2f}<br>%{y:.3g}<extra></extra>",
        ),
        row=1,
        col=1,
    )
