"""What preprocessing does to a spectrum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from corespot.axis import MzAxis
from corespot.report.spectrum_traces import Stretch, curve_traces
from corespot.report.theme import INK, MZ_TITLE, PALETTE, apply_theme, plain


def before_after(
    raw: tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]],
    processed: tuple[MzAxis, npt.NDArray[np.floating]],
    *,
    zoom: tuple[float, float],
    spot: str = "",
) -> go.Figure:
    """One spectrum as measured and as stored, whole and in a zoom.

    Parameters
    ----------
    raw : (mz, intensity)
        The measured spectrum on its own axis.
    processed : (axis, intensity)
        The same spectrum in the store.
    zoom : (float, float)
        m/z range of the right-hand panels.
    spot : str
        Which spot it is.
    """
    raw_axis = MzAxis(np.asarray(raw[0], dtype=np.float64))
    parts = [
        ("as measured", raw_axis, np.asarray(raw[1], dtype=np.float64), PALETTE[6]),
        ("after preprocessing", processed[0], np.asarray(processed[1], np.float64), PALETTE[0]),
    ]
    low = min(float(part[1].mz[0]) for part in parts)
    high = max(float(part[1].mz[-1]) for part in parts)
    figure = make_subplots(
        rows=2, cols=2, column_widths=[0.6, 0.4], horizontal_spacing=0.08, vertical_spacing=0.09
    )
    for row, (name, axis, values, shade) in enumerate(parts, start=1):
        for column, (start, stop) in enumerate(((low, high), zoom), start=1):
            stretch = Stretch(axis, start, stop, 4000 if column == 1 else 100_000)
            traces = curve_traces(stretch, values, name=name, colour=shade, legend=column == 1)
            for trace in traces:
                figure.add_trace(trace, row=row, col=column)
            figure.update_xaxes(range=[start, stop], row=row, col=column)
        figure.update_yaxes(title_text="intensity", exponentformat="power", row=row, col=1)
    figure.update_xaxes(showgrid=False)
    figure.update_xaxes(title_text=MZ_TITLE, row=2)
    figure.update_yaxes(zeroline=True, zerolinecolor=INK)
    title = "One spectrum before and after preprocessing"
    return apply_theme(figure, title=title, subtitle=plain(spot), height=560, top=92)


def clearest_window(
    mz: npt.NDArray[np.floating], intensity: npt.NDArray[np.floating], around: float | None = None
) -> tuple[float, float]:
    """m/z range of one per cent around `around`, or around the highest point of a spectrum."""
    if around is None:
        around = float(mz[int(np.argmax(intensity))]) if len(mz) else 1000.0
    half = max(around * 0.005, 3.0)
    return around - half, around + half
