"""One value a spot, such as how much a model goes by it, on the grid of each TMA."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from corespot.report.map_grid import MOST_MAPS, grids_of, map_axes, map_line, scale_text
from corespot.report.theme import BLUES, MUTED, apply_theme, empty_figure, even_scale, plain


def spot_value_maps(
    table: pd.DataFrame, column: str, *, title: str, subtitle: str = "", unit: str = ""
) -> go.Figure:
    """One value a spot on the grid of its TMA, shaded on one scale for all.

    Parameters
    ----------
    table : DataFrame
        One row a spot: ``file``, ``tma``, ``x``, ``y``, ``core`` and `column`, not negative.
    column : str
        What is shown; the scale ends at its 99th percentile, so that single spots do not blind.
    title, subtitle, unit : str
        Of the figure, and of its scale.
    """
    table = table[np.isfinite(table[column].astype(float))].reset_index(drop=True)
    if table.empty:
        return empty_figure(title, "no spot has a value")
    grids = grids_of(table)[:MOST_MAPS]
    layout, axes, height = map_axes(grids, min(3, len(grids)), rows_named=False)
    values = table[column].to_numpy(dtype=np.float32)
    top = float(np.percentile(values, 99)) or 1.0
    cores = pd.factorize(table["file"].astype(str) + "\0" + table["core"].astype(str))[0]
    traces: list[Any] = []
    for grid, names in zip(grids, axes, strict=True):
        place = dict(zip(("xaxis", "yaxis"), names, strict=True))
        hover = "(%{x}, %{y}): %{z:.3g}<extra></extra>"
        shown = grid.spread(values, np.nan).astype(np.float32)
        traces.append(
            grid.heatmap(
                shown, coloraxis="coloraxis", hoverongaps=False, hovertemplate=hover, **place
            )
        )
        traces.append(map_line(*grid.outlines(cores), MUTED, 0.7, place))
    figure = go.Figure(traces, layout=layout)
    figure.update_layout(
        coloraxis={"colorscale": even_scale(BLUES), "cmin": 0, "cmax": top, "showscale": False},
        hovermode="closest",
        margin={"l": 28, "b": 24},
    )
    scale = f"{plain(unit)} {scale_text(BLUES, '0', f'{top:.3g}')}"
    note = f"{subtitle}; {scale}" if subtitle else scale
    return apply_theme(figure, title=title, subtitle=note, height=height + 126, top=102)
