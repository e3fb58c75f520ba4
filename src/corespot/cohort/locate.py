"""Spots to spectra: the row of ``spots.csv`` against the coordinates in the imzML file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import Problem


def locate_spots(
    spots: pd.DataFrame, coordinates: Mapping[str, npt.NDArray[np.integer]]
) -> tuple[npt.NDArray[np.int64], dict[str, int], list[Problem]]:
    """Find the spectrum of every spot by its coordinates.

    Parameters
    ----------
    spots : DataFrame
        Parsed ``spots.csv``; rows of files that `coordinates` lacks are left alone.
    coordinates : mapping of str to ndarray of int, shape (n, 3)
        Coordinates of the spectra of each file that could be read.

    Returns
    -------
    spectrum : ndarray of int64, shape (len(spots),)
        Index of the spectrum in its file, -1 where there is none.
    n_background : dict of str to int
        Spectra of each file without a row.
    problems : list of Problem
        Rows without a spectrum, or with several.
    """
    spectrum = np.full(len(spots), -1, dtype=np.int64)
    n_background: dict[str, int] = {}
    problems: list[Problem] = []
    files = spots["file"].to_numpy()
    valid = (spots["x"].notna() & spots["y"].notna()).to_numpy()
    for file, xyz in sorted(coordinates.items()):
        here = np.flatnonzero((files == file) & valid)
        wanted = spots.iloc[here][["x", "y"]].to_numpy(dtype=np.int64).reshape(-1, 2)
        plane = np.asarray(xyz, dtype=np.int64)[:, :2]
        spectrum[here] = _find(plane, wanted)
        n_background[file] = len(plane) - len(np.unique(spectrum[here][spectrum[here] >= 0]))
        rows = spots.index.to_numpy()[here]
        problems += _unlocated(file, plane, wanted, spectrum[here], rows)
    return spectrum, n_background, problems


def _find(plane: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Row of `plane` that equals each row of `wanted` (the first, if several), else -1."""
    lookup = pd.MultiIndex.from_arrays([plane[:, 0], plane[:, 1]])
    first = np.flatnonzero(~lookup.duplicated())
    position = lookup[first].get_indexer(pd.MultiIndex.from_arrays([wanted[:, 0], wanted[:, 1]]))
    return np.where(position >= 0, first[position], -1).astype(np.int64)


def _unlocated(
    file: str,
    plane: npt.NDArray[np.int64],
    wanted: npt.NDArray[np.int64],
    found: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
) -> list[Problem]:
    """Problems of the spots of one file that have no spectrum, or more than one."""
    missing = np.flatnonzero(found < 0)
    (low_x, low_y), (high_x, high_y) = plane.min(axis=0), plane.max(axis=0)
    problems = [
        Problem(
            "spot-without-spectrum",
            f"spots.csv, row {rows[i]}",
            f"{file} has no spectrum at x={wanted[i, 0]}, y={wanted[i, 1]}",
            f"a position that was measured (x {low_x} to {high_x}, y {low_y} to {high_y})",
            _coordinate_hint(plane, wanted[missing]),
        )
        for i in missing
    ]
    repeated = pd.DataFrame(plane).duplicated(keep=False).to_numpy()
    problems += [
        Problem(
            "ambiguous-spot",
            f"spots.csv, row {rows[i]}",
            f"{file} has several spectra at x={wanted[i, 0]}, y={wanted[i, 1]}",
            "one spectrum at every x, y (spots.csv knows no z)",
            "export one imzML file for every section",
        )
        for i in np.flatnonzero(found >= 0)
        if repeated[found[i]]
    ]
    return problems


def _coordinate_hint(plane: npt.NDArray[np.int64], missed: npt.NDArray[np.int64]) -> str:
    """Say whether a usual mistake explains the missed coordinates."""
    remedies = {
        "x and y look swapped: exchange the two columns": missed[:, ::-1],
        "the rows look as if they count from 0: add 1 to x and y": missed + 1,
        "the rows look as if they count from 1, the file from 0: subtract 1": missed - 1,
    }
    for remedy, moved in remedies.items():
        if len(missed) >= 3 and np.all(_find(plane, moved) >= 0):
            return remedy
    return "correct the coordinates or the file name, or delete the row"
