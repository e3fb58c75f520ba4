"""One value a spot, such as how much a model goes by it, on the grid of each TMA."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from corespot.report.map_grid import MOST_MAPS, grids_of, map_line, scale_text
from corespot.report.map_mosaic import PLACE, mosaic
from corespot.report.theme import BLUES, MUTED, apply_theme, empty_figure, even_scale, plain

#: Maps a row, the width that the page is likely to have, and most height of a map, in pixels.
_COLUMNS, _PAGE_PX, _HIGHEST_PX = 4, 1100, 330


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
    named = grids if len(grids) > 1 else [replace(grid, name="") for grid in grids]
    maps = mosaic(named, min(_COLUMNS, len(grids)), page_px=_PAGE_PX, highest_px=_HIGHEST_PX)
    values = table[column].to_numpy(dtype=np.float32)
    top = float(np.percentile(values, 99)) or 1.0
    cores = pd.factorize(table["file"].astype(str) + "\0" + table["core"].astype(str))[0]
    x, y = (table[name].to_numpy() for name in ("x", "y"))
    kind = np.int16 if max(x.max(), y.max()) < 2**15 else np.int32
    places = [maps.spread([at] * len(grids), 0, kind) for at in (x, y)]
    heat = go.Heatmap(
        z=maps.spread([values] * len(grids), np.nan, np.float32),
        # Where a spot lies on its own map; the axes here are those of all maps.
        customdata=np.stack(places, axis=2),
        coloraxis="coloraxis",
        hoverongaps=False,
        hovertemplate="(%{customdata[0]}, %{customdata[1]}): %{z:.3g}<extra></extra>",
        name="",
        **PLACE,
    )
    figure = go.Figure([heat], layout=maps.layout())
    if maps.shows_outlines(len(table)):
        lines = maps.lines(lambda _, grid: grid.outlines(cores))
        figure.add_trace(map_line(*lines, MUTED, 0.7, PLACE))
    figure.update_layout(
        coloraxis={"colorscale": even_scale(BLUES), "cmin": 0, "cmax": top, "showscale": False},
        hovermode="closest",
        margin={"l": 28, "b": 24},
    )
    scale = f"{plain(unit)} {scale_text(BLUES, '0', f'{top:.3g}')}"
    note = f"{subtitle}; {scale}" if subtitle else scale
    return apply_theme(figure, title=title, subtitle=note, height=maps.height_px + 126, top=102)
