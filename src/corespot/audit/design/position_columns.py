"""Where the cores and spots of a task lie, and when they were measured, as columns to look at."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.design.metadata_column import ColumnValues, read_column

#: Columns of the spot table that say where and when, and what they are called in an audit.
POSITIONS = {"x": "slide x", "y": "slide y", "spectrum": "acquisition order"}
_POSITIONS_ON_CORE = {"x": "spot x", "y": "spot y", "spectrum": "spot order"}
_GRID_LINES = {"x": "core column", "y": "core row"}
#: Positions over which classes can be mixed when a TMA is laid out and measured.
PLACES = (*POSITIONS.values(), *_GRID_LINES.values())


def positions(spots: pd.DataFrame) -> dict[str, ColumnValues]:
    """Where the spots and their cores lie on their slide, and when they were measured.

    Parameters
    ----------
    spots : DataFrame, n rows
        Spot table of a task; positions that it lacks are left out.

    Returns
    -------
    dict of str to ColumnValues, n rows each
        Slide x and y, acquisition order, and the core's column and row in its TMA's grid.
    """
    found = {shown: read_column(spots[name]) for name, shown in POSITIONS.items() if name in spots}
    return found | {
        shown: read_column(_grid_line(spots, name))
        for name, shown in _GRID_LINES.items()
        if name in spots
    }


def positions_on_core(spots: pd.DataFrame) -> dict[str, ColumnValues]:
    """Where the spots lie from the middle of their core, and when from its mean acquisition.

    Parameters
    ----------
    spots : DataFrame, n rows
        Spot table of a task; positions that it lacks are left out.

    Returns
    -------
    dict of str to ColumnValues, n rows each
        Spot x and y, and spot order.
    """
    core = spots["core"].astype(str)
    return {
        shown: read_column(spots[name] - spots[name].groupby(core).transform("mean"))
        for name, shown in _POSITIONS_ON_CORE.items()
        if name in spots
    }


def _grid_line(spots: pd.DataFrame, name: str) -> npt.NDArray[np.int64]:
    """Row or column of each spot's core: centres closer than half a core are on one line."""
    cores = spots.groupby(["tma", "core"])[name].agg(["min", "max"]).reset_index()
    cores["centre"] = (cores["min"] + cores["max"]) / 2
    half = float((cores["max"] - cores["min"] + 1).median()) / 2
    cores = cores.sort_values(["tma", "centre"])
    begins = cores.groupby("tma")["centre"].diff() > half
    line = dict(zip(cores["core"], begins.groupby(cores["tma"]).cumsum() + 1, strict=True))
    return spots["core"].map(line).to_numpy(np.int64)
