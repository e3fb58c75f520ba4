"""The mean spectrum of a core against the mean spectra of the classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from corespot.axis import MzAxis
from corespot.report.spectrum_traces import Stretch, curve_traces
from corespot.report.theme import INK, MZ_TITLE, apply_theme, colours_of, empty_figure, plain
from corespot.report.ticks import round_ticks, short

Floats = npt.NDArray[np.floating]


def core_spectrum(
    axis: MzAxis,
    spectrum: Floats,
    class_means: Mapping[str, Floats],
    *,
    core: str,
    low: float,
    high: float,
    n_points: int = 4_000,
) -> go.Figure:
    """A core's mean spectrum upward, the class means downward, on one scale.

    Parameters
    ----------
    axis : MzAxis
        Their axis.
    spectrum : ndarray, shape (n_bins,)
        Mean of the core's spots.
    class_means : mapping of str to ndarray, shape (n_bins,)
        Mean spectrum of every class, in the same unit; the order gives the colours. May be empty.
    core : str
        Name of the core; escaped here.
    low, high : float
        Shown m/z range.
    n_points : int
        Most points of one curve; minima and maxima survive the thinning.
    """
    title = f"Mean spectrum: {plain(core)}"
    stretch = Stretch(axis, low, high, n_points)
    shown = stretch.bins
    if shown.stop <= shown.start:
        return empty_figure(title, f"no bin lies between m/z {low:g} and {high:g}")
    figure = go.Figure()
    curves = [(core, np.asarray(spectrum, dtype=np.float64), INK, 1)]
    colours = colours_of(list(class_means))
    curves += [
        (f"mean of {name}", np.asarray(mean, dtype=np.float64), colours[name], -1)
        for name, mean in class_means.items()
    ]
    middle = (len(class_means) - 1) / 2
    highest = 0.0
    for at, (name, values, shade, sign) in enumerate(curves):
        dodge = 0.0 if sign > 0 else (at - 1 - middle) * 0.6
        traces = curve_traces(stretch, sign * values, name=name, colour=shade, dodge=dodge)
        for trace in traces:
            known = np.asarray(trace.y, dtype=np.float64)
            trace.update(
                x=np.asarray(trace.x, dtype=np.float64),
                y=known.astype(np.float32),
                opacity=1.0 if sign > 0 else 0.7,
                customdata=np.abs(known).astype(np.float32),
                hovertemplate="<i>m/z</i> %{x:.3f}: %{customdata:.3g}",
            )
            figure.add_trace(trace)
        highest = max(highest, float(np.max(np.abs(values[shown]), initial=0.0)))
    ticks = round_ticks(-highest if class_means else 0.0, highest)
    figure.update_xaxes(range=[low, high], title_text=MZ_TITLE, showgrid=False)
    figure.update_yaxes(
        title_text="mean intensity",
        zeroline=True,
        zerolinecolor=INK,
        tickvals=ticks,
        ticktext=[short(abs(tick)) for tick in ticks],
    )
    figure.update_layout(hovermode="closest")
    note = "up: the core; down: mean of each class over all its spots" if class_means else ""
    return apply_theme(figure, title=title, subtitle=note, height=420, top=96)
