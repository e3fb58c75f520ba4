"""Where spots lie for the network: t-SNE of its penultimate layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from corespot.report.tables import natural
from corespot.report.theme import apply_theme, colour, colours_of, empty_figure, plain

#: Most spots of a panel, and most groups that a legend names.
_MOST_SPOTS, _MOST_NAMED = 2000, 12
_PANELS = (("class", "class"), ("tma", "TMA"), ("patient", "patient"))
_GAP = 0.025
#: Letters that fit above a panel.
_LINE = 56


def embedding_maps(
    table: pd.DataFrame,
    classes: Sequence[str] | None = None,
    *,
    title: str = "t-SNE of the penultimate layer",
) -> go.Figure:
    """The same map three times, coloured by class, by TMA and by patient.

    Spots that mix by class but part by TMA are what a confounded model looks like.

    Parameters
    ----------
    table : DataFrame
        One row a spot: ``tsne_x``, ``tsne_y``, ``class``, ``tma``, ``patient``, ``core`` and
        ``held_out`` (bool). Of more than 2,000 spots, every n-th is drawn.
    classes : sequence of str, optional
        Class names in the order of their colours.
    title : str
        Title of the figure.
    """
    if table.empty:
        return empty_figure(title, "no spot was embedded")
    step = -(-len(table) // _MOST_SPOTS)
    # A stretch of rows is one core, so taking every n-th of them leaves no core out.
    shown = table.iloc[::step].reset_index(drop=True)
    figure = go.Figure()
    width = (1 - 2 * _GAP) / 3
    for number, (column, name) in enumerate(_PANELS):
        axis = "" if number == 0 else str(number + 1)
        left = number * (width + _GAP)
        groups = sorted(table[column].astype(str).unique(), key=natural)
        if column == "class" and classes is not None:
            groups = [one for one in map(str, classes) if one in groups]
        colours = colours_of(groups)
        named = column != "patient" and len(groups) <= _MOST_NAMED
        shades = [colours.get(value, colour(6)) for value in shown[column].astype(str)]
        for trace in _dots(shown, shades, column):
            figure.add_trace(trace.update(xaxis=f"x{axis}", yaxis=f"y{axis}"))
        figure.update_layout(_axes(axis, left, width))
        heading = f"<b>{name}</b>"
        heading += _key(colours) if named else f": {len(groups)}, colours repeat"
        figure.add_annotation(
            text=heading,
            x=left,
            y=1,
            yshift=6,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            align="left",
            showarrow=False,
        )
    n_out = int(table["held_out"].astype(bool).sum())
    note = f"filled: {n_out:,} held-out spots; open: {len(table) - n_out:,} training spots"
    if step > 1:
        note += f"; {len(shown):,} of {len(table):,} drawn"
    figure.update_layout(margin={"l": 28, "b": 28}, hovermode="closest", showlegend=False)
    return apply_theme(figure, title=title, subtitle=note, height=560, top=158)


def _dots(table: pd.DataFrame, shades: Sequence[str], column: str) -> list[go.Scatter]:
    """Open dots of training spots beneath filled ones of held-out spots."""
    held_out = table["held_out"].to_numpy(dtype=bool)
    traces = []
    for part, symbol, opacity in ((~held_out, "circle-open", 0.55), (held_out, "circle", 0.85)):
        at = np.flatnonzero(part)
        traces.append(
            go.Scatter(
                x=table["tsne_x"].to_numpy(dtype=np.float32)[at],
                y=table["tsne_y"].to_numpy(dtype=np.float32)[at],
                mode="markers",
                marker={
                    "symbol": symbol,
                    "size": 5,
                    "opacity": opacity,
                    "color": [shades[one] for one in at.tolist()],
                    "line": {"width": 0.0 if symbol == "circle" else 1.0},
                },
                text=[
                    plain(value if column != "patient" else f"{value}, core {core}")
                    for value, core in zip(
                        table[column].iloc[at], table["core"].iloc[at], strict=True
                    )
                ],
                hovertemplate="%{text}<extra></extra>",
                showlegend=False,
            )
        )
    return traces


def _key(colours: Mapping[str, str]) -> str:
    """Names with dots of their colours, a few a line."""
    dots = [f'<span style="color:{shade}">●</span> {plain(n)}' for n, shade in colours.items()]
    longest = max(len(name) for name in colours) + 4
    a_line = max(_LINE // longest, 1)
    lines = ["   ".join(dots[at : at + a_line]) for at in range(0, len(dots), a_line)]
    return "<br>" + "<br>".join(lines)


def _axes(axis: str, left: float, width: float) -> dict[str, Any]:
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "mirror": True}
    return {
        f"xaxis{axis}": bare | {"domain": [left, left + width], "anchor": f"y{axis}"},
        f"yaxis{axis}": bare | {"anchor": f"x{axis}"},
    }
