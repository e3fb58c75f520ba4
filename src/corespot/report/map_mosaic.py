"""Several maps side by side on one pair of axes: a browser draws one plot instead of a dozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.report.map_grid import Floats, SpotGrid
from corespot.report.theme import plain

#: Room above a map for its name, and between two maps of a row, in pixels.
_NAME_PX, _BESIDE_PX = 34, 24
_LOWEST_PX = 90
#: Cells that are drawn at most where they are narrower than so many pixels, to be outlined.
_LIGHT, _CLEAR_PX = 8_000, 4
#: x and y of the one pair of axes, for a trace.
PLACE = {"xaxis": "x", "yaxis": "y"}


@dataclass(frozen=True)
class Mosaic:
    """Maps in rows and columns, all cells of one size.

    Parameters
    ----------
    grids : tuple of SpotGrid
        The maps, moved to where they lie on the common axes.
    shifts : tuple of (int, int)
        What was added to x and y of each map's spots.
    width, height : int
        Of the whole, in cells.
    cell_px : float
        Width of a cell where the page is as wide as was said.
    """

    grids: tuple[SpotGrid, ...]
    shifts: tuple[tuple[int, int], ...]
    width: int
    height: int
    cell_px: float

    @property
    def height_px(self) -> int:
        """Of the plot area, in pixels."""
        return round(self.height * self.cell_px)

    def shows_outlines(self, n_cells: int) -> bool:
        """Whether lines round cores would be seen: of many small cells they would only be noise."""
        return n_cells <= _LIGHT or self.cell_px >= _CLEAR_PX

    def layout(self) -> dict[str, Any]:
        """Axes and the maps' names, for `Figure.update_layout`."""
        bare = {"visible": False, "constrain": "domain"}
        return {
            "xaxis": bare | {"constraintoward": "left", "range": [-0.7, self.width - 0.3]},
            "yaxis": bare
            | {"constraintoward": "top", "scaleanchor": "x"}
            | {"range": [self.height - 0.3, -0.7]},
            "annotations": [_name_of(grid) for grid in self.grids if grid.name],
        }

    def spread(
        self, values: Sequence[npt.NDArray[Any] | None], missing: Any, dtype: npt.DTypeLike
    ) -> npt.NDArray[Any]:
        """One value a cell, shape (height, width).

        Parameters
        ----------
        values : sequence of (ndarray or None)
            Of each map, one value a row of its table; a map without values is left out.
        missing : number
            What cells without a spot hold.
        dtype : dtype
            Of the result.
        """
        whole = np.full((self.height, self.width), missing, dtype=dtype)
        for grid, shown in zip(self.grids, values, strict=True):
            if shown is not None:
                rows, columns = grid.index.shape
                part = whole[grid.top : grid.top + rows, grid.left : grid.left + columns]
                part[:] = grid.spread(shown, missing)
        return whole

    def lines(
        self, draw: Callable[[int, SpotGrid], tuple[Floats, Floats] | None]
    ) -> tuple[Floats, Floats]:
        """Lines of all maps as one; `draw` gives those of one of them by number, or None."""
        drawn = [draw(at, grid) for at, grid in enumerate(self.grids)]
        found = [lines for lines in drawn if lines is not None]
        if not found:
            return np.empty(0), np.empty(0)
        return np.concatenate([x for x, _ in found]), np.concatenate([y for _, y in found])


def mosaic(grids: Sequence[SpotGrid], n_columns: int, *, page_px: float, highest_px: int) -> Mosaic:
    """Lay maps row by row, each column as wide as its widest map, each row as high as its highest.

    Parameters
    ----------
    grids : sequence of SpotGrid
        At least one.
    n_columns : int
        Maps a row.
    page_px : float
        Width that the plot area is likely to have.
    highest_px : int
        Most height of the highest map, in pixels.
    """
    rows = [list(grids[at : at + n_columns]) for at in range(0, len(grids), n_columns)]
    heights = [max(grid.index.shape[0] for grid in row) for row in rows]
    widths = [
        max(row[at].index.shape[1] for row in rows if at < len(row)) for at in range(len(rows[0]))
    ]
    fitting = max(page_px - _BESIDE_PX * (len(widths) - 1), page_px / 2) / sum(widths)
    # A flat map would shrink to a line otherwise; it is as wide as the page at the most.
    cell_px = min(fitting, max(highest_px, _LOWEST_PX) / max(heights))
    beside, above = (int(np.ceil(px / cell_px)) for px in (_BESIDE_PX, _NAME_PX))
    moved, shifts = [], []
    top = 0
    for row, height in zip(rows, heights, strict=True):
        top += above if any(grid.name for grid in row) else 0
        left = 0
        for grid, width in zip(row, widths, strict=False):
            moved.append(replace(grid, left=left, top=top))
            shifts.append((left - grid.left, top - grid.top))
            left += width + beside
        top += height
    across = sum(widths) + beside * (len(widths) - 1)
    return Mosaic(tuple(moved), tuple(shifts), across, top, cell_px)


def _name_of(grid: SpotGrid) -> dict[str, Any]:
    return {
        "text": plain(grid.name),
        "font": {"size": 13},
        "showarrow": False,
        "x": grid.left - 0.5,
        "y": grid.top - 0.5,
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 2,
    }
