"""The two tables of a cohort: what their columns mean, and how they join to one spot table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

SPOT_COLUMNS = ("file", "x", "y", "core")
CORE_COLUMNS = ("core", "tma", "patient")
#: Columns that `corespot` itself adds to the spot table.
RESERVED_COLUMNS = ("spectrum",)


@dataclass(frozen=True)
class TextTable:
    """A table as read, every cell still text.

    Parameters
    ----------
    name : str
        File name, for messages.
    frame : DataFrame of str
        Trimmed cells. The index holds each row's number in the file as an editor shows it
        (the header is row 1), so that every later message can name it.
    """

    name: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Cohort:
    """A cohort without its measurements: spots, cores and what ties them to spectra.

    Parameters
    ----------
    spots : DataFrame
        One row a spot: ``file``, ``spectrum`` (index in the file), ``x``, ``y``, ``core``,
        ``tma``, ``patient``, ``roi`` if given, then the other columns of both tables; missing
        text is ``""``. Ordered by file name, then by spectrum, whatever the order of the rows
        in ``spots.csv``.
    cores : DataFrame
        One row a core, ordered by core: ``core``, ``tma``, ``patient``, then the rest.
    files : tuple of str
        imzML files that hold spots, sorted.
    n_background : mapping of str to int
        Spectra of each file that no row of ``spots.csv`` names.
    markers : DataFrame or None
        Content of ``markers.csv``, if there is one; see `corespot.cohort.markers`.
    """

    spots: pd.DataFrame
    cores: pd.DataFrame
    files: tuple[str, ...]
    n_background: Mapping[str, int]
    markers: pd.DataFrame | None = None


def join_tables(
    spots: pd.DataFrame, cores: pd.DataFrame, spectrum: npt.NDArray[np.int64]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join faultless tables to the spot table and the core table of a `Cohort`.

    Parameters
    ----------
    spots, cores : DataFrame
        Parsed tables without problems.
    spectrum : ndarray of int64, shape (len(spots),)
        From `locate_spots`, none negative.
    """
    joined = spots.assign(spectrum=spectrum).merge(cores, on="core", how="left", validate="m:1")
    first = ["file", "spectrum", "x", "y", "core", "tma", "patient"]
    first += ["roi"] if "roi" in joined else []
    joined = joined[[*first, *[column for column in joined.columns if column not in first]]]
    joined = joined.astype({"spectrum": np.int64, "x": np.int64, "y": np.int64})
    joined = joined.sort_values(["file", "spectrum"], kind="stable").reset_index(drop=True)
    extra = [column for column in cores.columns if column not in CORE_COLUMNS]
    ordered = cores[[*CORE_COLUMNS, *extra]].sort_values("core").reset_index(drop=True)
    return joined, ordered
