"""Maps of the tissue: what each spot is, what it was taken for, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from corespot.report.map_grid import MOST_MAPS, SpotGrid, grids_of, map_axes, map_line, scale_text
from corespot.report.theme import (
    BLUES,
    INK,
    MUTED,
    apply_theme,
    colours_of,
    empty_figure,
    even_scale,
    plain,
    two_colours,
)

#: Most spots of a figure that names cores and outlines them everywhere; in a larger one, so that
#: the page stays light, outlines are on the last map only.
_LIGHT = 8_000
_CLEAR = "rgba(0,0,0,0)"
# In maps, 0 is no spot: -1 would be stored as 255, which plotly writes out six times as long.


def tissue_maps(
    table: pd.DataFrame, classes: Sequence[str], *, title: str = "Predicted class on the tissue"
) -> go.Figure:
    """Truth, predicted class and probability of every spot, a row of maps for each TMA.

    Parameters
    ----------
    table : DataFrame
        Result of `corespot.report.spot_table.spot_table`. A column ``truth`` (the truth of single
        spots where ``class`` is that of whole cores) gets maps of its own.
    classes : sequence of str
        Class names, in order. For two, the last maps show the probability of the first; for more,
        that of the predicted class.
    title : str
        Title of the figure.
    """
    if table.empty:
        return empty_figure(title, "no spot was predicted")
    table = table.reset_index(drop=True)
    every = grids_of(table)
    grids, colours = every[:MOST_MAPS], colours_of(classes)
    headings = {"class": "truth", "predicted": "predicted class"}
    if "truth" in table:
        headings = {"class": "label", "truth": "truth of the spot"} | headings
        headings["class"] = "label of the core"
    two = len(classes) == 2
    percent = table[f"prob_{classes[0]}"] if two else table["probability"]
    percent = np.rint(100 * percent.to_numpy(dtype=float)).astype(np.int8)
    light = len(table) <= _LIGHT
    layout, axes, height = map_axes(grids, len(headings) + 1)
    cores = pd.factorize(table["file"].astype(str) + "\0" + table["core"].astype(str))[0]
    wrong = table["wrong"].to_numpy(dtype=bool)
    scale = two_colours(*colours.values()) if two else BLUES
    numbers = {name: at for at, name in enumerate(classes)}
    places = iter(axes)
    traces: list[Any] = []
    for grid in grids:
        for column in headings:
            place = dict(zip(("xaxis", "yaxis"), next(places), strict=True))
            codes = np.array([numbers.get(str(name), -1) for name in table[column]])
            traces.append(_class_map(grid, codes, list(colours.values()), place))
            if light:
                traces.append(map_line(*grid.outlines(cores), MUTED, 0.7, place))
            if column == "predicted":
                traces.append(map_line(*grid.hatching(wrong), INK, 1.1, place))
        place = dict(zip(("xaxis", "yaxis"), next(places), strict=True))
        text = _hover(grid, table, percent) if light else None
        shown = grid.spread(percent + 1, 0).astype(np.int8)
        traces.append(
            grid.heatmap(
                shown,
                text=text,
                hoverinfo="text" if light else "skip",
                coloraxis="coloraxis",
                **place,
            )
        )
        traces.append(map_line(*grid.outlines(cores), MUTED, 0.7, place))
    figure = go.Figure([*traces, *_legend(colours)], layout=layout)
    what = plain(classes[0]) if two else "the predicted class"
    low = 0 if two else round(100 / len(classes))
    shades = scale_text(scale, f"{low / 100:g}", "1")
    heads = [f"<b>{text}</b>" for text in headings.values()]
    _head_columns(figure, [*heads, f"<b>probability of {what}</b> {shades}"], axes)
    figure.update_layout(
        coloraxis=_percent_axis(scale, low),
        hovermode="closest",
        legend={"x": 0, "xanchor": "left", "y": 1 + 32 / height},
        margin={"l": 92, "b": 24},
    )
    # Spots of unknown truth are neither right nor wrong.
    known = table["truth" if "truth" in table else "class"].astype(str).to_numpy() != ""
    share = 1 - float(wrong[known].mean()) if known.any() else float("nan")
    said = f"{share:.1%} of the spots are right" if known.any() else "no truth is known"
    left_out = f"; {len(grids)} of {len(every)} maps" if len(every) > len(grids) else ""
    return apply_theme(
        figure,
        title=title,
        subtitle=f"out of fold, mean over repeats; hatched: not the truth ({said}"
        f"{left_out}); outlines: cores",
        height=height + 152,
        top=128,
    )


def _class_map(
    grid: SpotGrid, codes: npt.NDArray[Any], colours: list[str], place: dict[str, str]
) -> go.Heatmap:
    """Classes as flat colours; clear where there is no spot, grey where it has no known class."""
    shown = grid.spread(np.where(codes < 0, len(colours), codes) + 1, 0)
    steps = [_CLEAR, *colours, "#D5DAE0"]
    edges = np.repeat(np.arange(len(steps) + 1) / len(steps), 2)[1:-1]
    scale = [[edge, step] for edge, step in zip(edges, np.repeat(steps, 2), strict=True)]
    return grid.heatmap(
        shown.astype(np.int8),
        zmin=-0.5,
        zmax=len(colours) + 1.5,
        colorscale=scale,
        showscale=False,
        hoverinfo="skip",
        **place,
    )


def _hover(grid: SpotGrid, table: pd.DataFrame, percent: npt.NDArray[np.int8]) -> list[list[str]]:
    """Core and probability of each cell; empty, and so not shown, where there is no spot."""
    names = [
        f"{plain(core)} {value / 100:.2f}"
        for core, value in zip(table["core"], percent.tolist(), strict=True)
    ]
    texts: list[list[str]] = grid.spread(np.array(names, dtype=object), "").tolist()
    return texts


def _legend(colours: dict[str, str]) -> list[go.Scatter]:
    """Squares in the colours of the classes, which heat maps have no legend for."""
    square: dict[str, Any] = {"symbol": "square", "size": 12}
    return [
        go.Scatter(
            x=[None],
            y=[None],
            mode="markers",
            name=plain(name),
            marker=square | {"color": shade},
            xaxis="x",
            yaxis="y",
        )
        for name, shade in colours.items()
    ]


def _head_columns(figure: go.Figure, titles: list[str], axes: list[tuple[str, str]]) -> None:
    for text, (x, _) in zip(titles, axes, strict=False):
        figure.add_annotation(
            text=text,
            x=figure.layout[x.replace("x", "xaxis")].domain[0],
            y=1,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            yshift=8,
            showarrow=False,
            font={"size": 13},
        )


def _percent_axis(colours: Sequence[str], low: int) -> dict[str, Any]:
    """Colours from `low` to 100 per cent, drawn as one more; what lies below, no spot, is clear."""
    floor = 0.5 / (101 - low)
    inside = [[floor + (1 - floor) * at, shade] for at, shade in even_scale(colours)]
    return {
        "colorscale": [[0.0, _CLEAR], [floor, _CLEAR], *inside],
        "cmin": low,
        "cmax": 101,
        "showscale": False,
    }
