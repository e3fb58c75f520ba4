"""Maps of spots on their measurement grid: square cells, y downward, gaps left open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from corespot.errors import StoreError
from corespot.report.tables import natural
from corespot.report.theme import plain

#: Most maps of one figure.
MOST_MAPS = 16

#: Width of the plot area on a page, from which the height of square cells follows.
_PAGE_PX, _LEFT_PX, _RIGHT_PX = 1216, 92, 28
_GAP = 0.025
_LOWEST_PX, _HIGHEST_PX, _BELOW_PX = 90, 330, 30
#: Most positions of one file, measured or not: a hundred times those of a large slide.
_MOST_CELLS = 100_000_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SpotGrid:
    """The spots of one file as cells of a grid.

    Parameters
    ----------
    name : str
        What the map is called: the TMA, and the file where a TMA has several.
    left, top : int
        x and y of the first cell.
    index : ndarray of int64, shape (height, width)
        Row of the table at each cell, -1 where there is no spot.
    """

    name: str
    left: int
    top: int
    index: npt.NDArray[np.int64]

    def spread(self, values: Sequence[Any] | npt.NDArray[Any], missing: Any) -> npt.NDArray[Any]:
        """Values of the table's rows on the grid, `missing` where there is no spot."""
        known = np.asarray(values)
        found = np.full(self.index.shape, missing, dtype=np.result_type(known, type(missing)))
        found[self.index >= 0] = known[self.index[self.index >= 0]]
        return found

    def heatmap(self, z: npt.NDArray[Any], **more: Any) -> go.Heatmap:
        """A heat map of `z`, one value a cell."""
        return go.Heatmap(z=z, x0=self.left, dx=1, y0=self.top, dy=1, name="", **more)

    def outlines(self, codes: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Lines round all spots of one code, as x and y with NaN between lines.

        Parameters
        ----------
        codes : ndarray of int64
            One non-negative code a row of the table, such as that of its core.
        """
        grid = np.pad(self.spread(codes, -1), 1, constant_values=-1)
        upright_x, upright_low, upright_high = _runs((grid[:, 1:] != grid[:, :-1]).T)
        level_y, level_low, level_high = _runs(grid[1:] != grid[:-1])
        gap = np.full(len(upright_x) + len(level_y), np.nan)
        # Padding moved every cell by one; an edge lies half a cell before the cell it begins.
        x = (
            np.concatenate([upright_x, level_low - 1]),
            np.concatenate([upright_x, level_high - 1]),
        )
        y = (
            np.concatenate([upright_low - 1, level_y]),
            np.concatenate([upright_high - 1, level_y]),
        )
        return (
            np.stack([*x, gap], axis=1).ravel() + self.left - 0.5,
            np.stack([*y, gap], axis=1).ravel() + self.top - 0.5,
        )

    def hatching(self, marked: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """A diagonal through every marked cell, as x and y with NaN between lines."""
        row, column = np.nonzero(self.spread(marked, False))
        gap = np.full(len(row), np.nan)
        x = np.stack([column - 0.5, column + 0.5, gap], axis=1).ravel() + self.left
        return x, np.stack([row + 0.5, row - 0.5, gap], axis=1).ravel() + self.top


def grids_of(table: pd.DataFrame) -> list[SpotGrid]:
    """One grid a file, in natural order of the TMAs.

    Parameters
    ----------
    table : DataFrame
        ``file``, ``tma``, ``x``, ``y``; rows are counted from 0.

    Raises
    ------
    StoreError
        If spots lie so far apart that no map could hold them.
    """
    grids = []
    tmas = table.groupby("file")["tma"].first().astype(str)
    shared = tmas.duplicated(keep=False)
    for file in sorted(tmas.index, key=lambda name: (natural(tmas[name]), natural(str(name)))):
        rows = np.flatnonzero((table["file"] == file).to_numpy())
        x = table["x"].to_numpy(dtype=np.int64)[rows]
        y = table["y"].to_numpy(dtype=np.int64)[rows]
        height, width = int(y.max()) - int(y.min()) + 1, int(x.max()) - int(x.min()) + 1
        if height * width > _MOST_CELLS:
            raise StoreError(
                f"the spots of {file} span {width:,} by {height:,} positions, which no map can "
                "hold; check x and y in spots.csv"
            )
        index = np.full((height, width), -1, dtype=np.int64)
        index[y - y.min(), x - x.min()] = rows
        name = f"{tmas[file]}, {file}" if shared[file] else tmas[file]
        grids.append(SpotGrid(name, int(x.min()), int(y.min()), index))
    return grids


def map_axes(
    grids: Sequence[SpotGrid], n_columns: int
) -> tuple[dict[str, Any], list[tuple[str, str]], int]:
    """Axes for a table of maps: a row a grid, named at its left, every cell a square.

    Parameters
    ----------
    grids : sequence of SpotGrid
        What each row shows.
    n_columns : int
        Maps a row.

    Returns
    -------
    layout : dict
        For `Figure.update_layout`: axes and annotations.
    names : list of (str, str)
        x and y axis of each map, row by row.
    height : int
        Of the plot area in pixels.
    """
    width = (1 - _GAP * (n_columns - 1)) / n_columns
    width_px = width * (_PAGE_PX - _RIGHT_PX - _LEFT_PX)
    shapes = [grid.index.shape for grid in grids]
    heights = [
        float(np.clip(width_px * down / across, _LOWEST_PX, _HIGHEST_PX)) for down, across in shapes
    ]
    total = sum(heights) + _BELOW_PX * (len(grids) - 1)
    layout: dict[str, Any] = {"annotations": []}
    names: list[tuple[str, str]] = []
    used = 0.0
    for grid, height in zip(grids, heights, strict=True):
        bottom, top = 1 - (used + height) / total, 1 - used / total
        layout["annotations"].append(_name_of(grid, top))
        for column in range(n_columns):
            number = "" if not names else str(len(names) + 1)
            left = column * (width + _GAP)
            layout |= _one_map(grid, number, (left, left + width), (max(bottom, 0.0), top))
            names.append((f"x{number}", f"y{number}"))
        used += height + _BELOW_PX
    return layout, names, round(total)


def map_line(
    x: Floats, y: Floats, colour: str, width: float, place: Mapping[str, str]
) -> go.Scatter:
    """An outline or hatching of a `SpotGrid` on the axes that `place` names."""
    return go.Scatter(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        mode="lines",
        line={"color": colour, "width": width},
        hoverinfo="skip",
        showlegend=False,
        **place,
    )


def scale_text(colours: Sequence[str], low: str, high: str) -> str:
    """A colour scale in words; plotly's level colour bars push a figure's title off the page."""
    blocks = "".join(f'<span style="color:{shade}">█</span>' for shade in colours)
    return f"{low} {blocks} {high}"


def _one_map(
    grid: SpotGrid, number: str, across: tuple[float, float], along: tuple[float, float]
) -> Mapping[str, Any]:
    n_rows, n_columns = grid.index.shape
    bare = {"visible": False, "constrain": "domain"}
    return {
        f"xaxis{number}": bare
        | {"domain": across, "anchor": f"y{number}", "constraintoward": "left"}
        | {"range": [grid.left - 0.7, grid.left + n_columns - 0.3]},
        f"yaxis{number}": bare
        | {"domain": along, "anchor": f"x{number}", "constraintoward": "top"}
        | {"scaleanchor": f"x{number}", "range": [grid.top + n_rows - 0.3, grid.top - 0.7]},
    }


def _name_of(grid: SpotGrid, top: float) -> dict[str, Any]:
    place = {"xref": "paper", "yref": "paper", "x": 0, "y": top, "xshift": -8}
    look = {"showarrow": False, "font": {"size": 13}, "xanchor": "right", "yanchor": "top"}
    return {"text": plain(grid.name), **place, **look}


def _runs(edges: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Line number, first and last position of every unbroken stretch of edges along the rows."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    line, start = np.nonzero(steps == 1)
    _, stop = np.nonzero(steps == -1)
    return line.astype(float), start.astype(float), stop.astype(float)
