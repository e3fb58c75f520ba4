"""One or more layers of the tissue on the spot grid, to be hovered and clicked, core by core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from corespot.report.core_votes import core_numbers
from corespot.report.map_grid import Floats, SpotGrid, grids_of, map_line
from corespot.report.map_handles import MOST_HANDLES, Handles
from corespot.report.map_mosaic import PLACE, Mosaic, mosaic
from corespot.report.theme import INK, MUTED, apply_theme, empty_figure, even_scale, plain
from corespot.report.ticks import round_ticks, short
from corespot.report.tissue_layers import Layer

#: Most maps of a figure, and most spots that are hatched.
MOST_PANELS, _MOST_HATCHED = 32, 4_000
#: Width that an app's page is likely to have, and room for a colour bar beside the maps.
_PAGE_PX, _BAR_PX = 1000, 86
_CLEAR = "rgba(0,0,0,0)"


def tissue_explorer(
    table: pd.DataFrame,
    layers: Sequence[Layer],
    votes: pd.DataFrame,
    *,
    title: str,
    chosen: int | None = None,
    revision: int = 0,
    answers: bool = True,
    highest_px: int = 460,
) -> go.Figure:
    """Maps of the spots, one a file and layer, cores outlined.

    Parameters
    ----------
    table : DataFrame
        Spots that are shown: rows of `corespot.report.spot_table.spot_table` with ``number``, that
        of their core in `votes`.
    layers : sequence of Layer
        Of these spots, at least one.
    votes : DataFrame
        Result of `corespot.report.core_votes.core_votes`, of all cores.
    title : str
        What is shown; escaped here.
    chosen : int, optional
        Number of the core that is framed until another one is clicked.
    revision : int
        Another number makes another figure of the same content, in which nothing was clicked yet.
    answers : bool
        Whether hovering and clicking tell of cores; of a thousand, that is most of the drawing.
    highest_px : int
        Most height of a map in pixels.

    Returns
    -------
    Figure
        ``customdata`` of the points that can be clicked is the number of their core. The maps
        themselves are images of one byte a spot.
    """
    if table.empty:
        return empty_figure(plain(title), "no spot of this run lies here")
    table = table.reset_index(drop=True)
    every = grids_of(table)
    grids = every[: max(MOST_PANELS // len(layers), 1)]
    # What the title says already is not said again above every map.
    names = [
        ": ".join([grid.name] * (len(grids) > 1) + [layer.name] * (len(layers) > 1))
        for grid in grids
        for layer in layers
    ]
    panels = [(grid, layer) for grid in grids for layer in layers]
    named = [replace(grid, name=name) for (grid, _), name in zip(panels, names, strict=True)]
    n_columns = len(layers) if len(layers) > 1 else min(len(grids), 3 if len(grids) <= 6 else 4)
    if len(layers) == 2 and len(grids) > 2:
        n_columns = 4
    maps = mosaic(named, n_columns, page_px=_PAGE_PX, highest_px=highest_px)
    numbers = table["number"].to_numpy(dtype=np.int64)
    outlined = maps.shows_outlines(len(table) * len(layers))
    traces: list[Any] = []
    for at, layer in enumerate(layers):
        mine = [layer.codes if of == at else None for _ in grids for of in range(len(layers))]
        traces.append(_map(maps, mine, layer))
    if outlined:
        lines = maps.lines(lambda _, grid: grid.outlines(numbers))
        traces.append(map_line(*lines, MUTED, 0.7, PLACE))
    # On small cells a line as thick would hide the colour of what was predicted.
    thick = 1.1 if maps.cell_px > 6 else 0.6
    hatched = maps.lines(lambda at, grid: _hatching(grid, layers[at % len(layers)]))
    if hatched[0].size:
        traces.append(map_line(*hatched, INK, thick, PLACE))
    if answers:
        handles = Handles(table, votes, layers, budget=MOST_HANDLES // len(layers))
        traces.append(handles.on(maps, chosen))
    height = maps.height_px
    scales = [layer for layer in layers if layer.ends is not None]
    traces += [_bar(layer, at, height) for at, layer in enumerate(scales[:2])]
    figure = go.Figure([*traces, *_legend(layers)], layout=maps.layout())
    figure.update_layout(
        hovermode="closest",
        clickmode="event+select",
        dragmode="pan",
        meta=revision,
        legend={"x": 0, "xanchor": "left", "y": 1 + 30 / height, "itemclick": False},
        margin={"l": 14 + _BAR_PX * bool(scales), "r": 14 + _BAR_PX * (len(scales) > 1), "b": 16},
    )
    figure.update_layout(legend_itemdoubleclick=False)
    left_out = f"; {len(grids)} of {len(every)} maps" if len(every) > len(grids) else ""
    legend_px = 26 if any(layer.labels for layer in layers) else 0
    top = 92 + legend_px
    return apply_theme(
        figure,
        title=plain(title),
        subtitle=_how_to_read(layers, outlined) + left_out,
        height=max(height, 120) + top + 16,
        top=top,
    )


def core_map(table: pd.DataFrame, layer: Layer, votes: pd.DataFrame, *, title: str) -> go.Figure:
    """One core alone, small, in the colours of the larger map that it was picked from.

    Parameters
    ----------
    table, votes
        As for `tissue_explorer`; `table` holds the spots of this core.
    layer : Layer
        Of these spots.
    title : str
        What is shown; escaped here.
    """
    figure = tissue_explorer(table, [layer], votes, title=title, highest_px=200)
    figure.update_layout(showlegend=False, title_subtitle_text="", title_font_size=14)
    top = 58
    spared = figure.layout.margin.t - top
    return figure.update_layout(margin_t=top, height=figure.layout.height - spared)


def _map(maps: Mosaic, codes: Sequence[npt.NDArray[np.uint8] | None], layer: Layer) -> go.Heatmap:
    return go.Heatmap(
        z=maps.spread(codes, 0, np.uint8),
        x0=0,
        dx=1,
        y0=0,
        dy=1,
        name="",
        zmin=-0.5,
        zmax=layer.n_shades + 0.5,
        colorscale=_colour_scale(layer),
        showscale=False,
        hoverinfo="skip",
        **PLACE,
    )


def _hatching(grid: SpotGrid, layer: Layer) -> tuple[Floats, Floats] | None:
    if layer.marked is None or layer.marked.sum() > _MOST_HATCHED:
        return None
    return grid.hatching(layer.marked)


def _colour_scale(layer: Layer) -> list[tuple[float, str]]:
    """Colours of the codes; the first, no spot, is clear."""
    n = layer.n_shades + 1
    if layer.labels:
        steps = [_CLEAR, *layer.colours]
        edges = np.repeat(np.arange(n + 1) / n, 2)[1:-1]
        return list(zip(edges.tolist(), np.repeat(steps, 2).tolist(), strict=True))
    floor = 1 / n
    inside = [(floor + (1 - floor) * at, shade) for at, shade in even_scale(layer.colours)]
    return [(0.0, _CLEAR), (floor, _CLEAR), *inside]


def _bar(layer: Layer, at: int, height: int) -> go.Scatter:
    """The colour bar of a scale, at the left of the maps, a second one at their right."""
    low, high = layer.ends or (0.0, 1.0)
    values = [value for value in round_ticks(low, high) if high - value > 0.11 * (high - low)]
    texts = [short(value) for value in values]
    values.append(high)
    texts.append(f"≥ {short(high)}" if layer.clipped else short(high))
    bar = {
        "xref": "container",
        "x": 0.0 if at == 0 else 1.0,
        "xanchor": "left" if at == 0 else "right",
        "y": 1,
        "yanchor": "top",
        "len": min(max(height, 120), 240),
        "lenmode": "pixels",
        "thickness": 12,
        "tickvals": values,
        "ticktext": texts,
        "ticks": "",
        "outlinewidth": 0,
        "tickfont": {"size": 12, "color": INK},
        "xpad": 14,
        "ypad": 2,
    }
    marker = {"color": [low], "cmin": low, "cmax": high, "colorscale": even_scale(layer.colours)}
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker=marker | {"showscale": True, "colorbar": bar},
        hoverinfo="skip",
        showlegend=False,
    )


def _legend(layers: Sequence[Layer]) -> list[go.Scatter]:
    """Squares in the colours of the classes, each once, which heat maps have no legend for."""
    shown: dict[str, str] = {}
    for layer in layers:
        shown |= dict(zip(layer.labels, layer.colours, strict=False))
    return [
        go.Scatter(
            x=[None],
            y=[None],
            mode="markers",
            name=plain(label),
            marker={"symbol": "square", "size": 12, "color": shade},
            hoverinfo="skip",
        )
        for label, shade in shown.items()
    ]


def _how_to_read(layers: Sequence[Layer], outlined: bool) -> str:
    parts = []
    for layer in layers:
        if layer.marked is not None:
            many = layer.marked.sum() > _MOST_HATCHED
            parts.append("too many wrong spots to hatch" if many else "hatched: not the truth")
        if layer.note:
            parts.append(plain(layer.note))
    return "; ".join([*parts, *(["outlines: cores"] if outlined else [])])


def with_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the number of each spot's core, as `tissue_explorer` wants it."""
    return table.assign(number=core_numbers(table))
