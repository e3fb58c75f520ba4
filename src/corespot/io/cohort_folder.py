"""Load a cohort folder, and write one whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.locate import locate_spots
from corespot.cohort.tables import CORE_COLUMNS, RESERVED_COLUMNS, SPOT_COLUMNS, Cohort, join_tables
from corespot.errors import CohortError, Problem
from corespot.io.artifacts import whole_folder, write_json, write_table
from corespot.io.cohort_tables import FolderTables, read_cohort_tables
from corespot.io.imzml import open_imzml, write_imzml

#: File name, coordinates (n, 3), blocks of intensities (k, n_bins), m/z (n_bins,).
Measurement = tuple[
    str, npt.NDArray[np.integer[Any]], Iterable[npt.NDArray[np.float32]], npt.NDArray[np.float64]
]


def load_cohort(folder: Path | str) -> Cohort:
    """Read the tables of a cohort folder and find the spectrum of every spot.

    Tables, names and coordinates are checked in full; spectra are not read, which is what
    `corespot.io.check.check_cohort` is for.

    Parameters
    ----------
    folder : Path
        The cohort folder; see ``docs/cohort-format.md``.

    Raises
    ------
    CohortError
        With every problem found.
    """
    root = Path(folder)
    tables = read_cohort_tables(root)
    problems = list(tables.problems)
    coordinates = {}
    for file in tables.files:
        try:
            with open_imzml(root / file) as measurement:
                coordinates[file] = measurement.coordinates
        except CohortError as error:
            problems += error.problems
    cohort, found = assemble(tables, coordinates)
    problems += found
    if cohort is None or problems:
        raise CohortError(problems)
    return cohort


def assemble(
    tables: FolderTables, coordinates: Mapping[str, npt.NDArray[np.integer[Any]]]
) -> tuple[Cohort | None, list[Problem]]:
    """Join tables and coordinates to a cohort, as far as they allow it.

    Parameters
    ----------
    tables : FolderTables
        What was read.
    coordinates : mapping of str to ndarray of int, shape (n, 3)
        Coordinates of the files that could be opened.

    Returns
    -------
    cohort : Cohort or None
        None if anything is wrong.
    problems : list of Problem
        Spots without a spectrum; what is wrong with the tables alone is in `tables`.
    """
    spots, cores = tables.spots, tables.cores
    if spots is None or not {"file", "x", "y"} <= set(spots.columns):
        return None, []
    spectrum, n_background, problems = locate_spots(spots, coordinates)
    faulty = tables.problems or problems or set(tables.files) - set(coordinates)
    if faulty or cores is None:
        return None, problems
    joined, ordered = join_tables(spots, cores, spectrum)
    return Cohort(joined, ordered, tables.files, n_background, tables.markers), []


def write_cohort(
    folder: Path | str,
    *,
    spots: pd.DataFrame,
    cores: pd.DataFrame,
    measurements: Iterable[Measurement],
    extras: Mapping[str, pd.DataFrame | Mapping[str, Any]] | None = None,
    overwrite: bool = False,
) -> Cohort:
    """Write a cohort folder: under a temporary name, read back, then renamed.

    An interrupted or failed write leaves what was there before.

    Parameters
    ----------
    folder : Path
        Folder to make.
    spots : DataFrame
        Spot table with ``file``, ``x``, ``y``, ``core`` and label columns. What belongs to
        `cores` (``tma``, ``patient``, …) and ``spectrum`` is left out, so that the spot table
        of a `Cohort` can be given as it is.
    cores : DataFrame
        Core table with ``core``, ``tma``, ``patient`` and any others.
    measurements : iterable of (file, coordinates, blocks, mz)
        One continuous measurement a file; taken one after the other, block by block.
    extras : mapping of str to DataFrame or mapping, optional
        Further files by name: tables as csv (``markers.csv``), mappings as JSON
        (``truth.json``).
    overwrite : bool, default False
        Replace an existing cohort folder.

    Returns
    -------
    Cohort
        The cohort as it reads back.

    Raises
    ------
    CohortError
        If the folder is not empty and may not be replaced, or what was given is no valid cohort.
    """
    final = Path(folder)
    _refuse_occupied(final, overwrite=overwrite)
    with whole_folder(final) as part:
        left_out = [column for column in cores.columns if column != "core"]
        left_out += [*CORE_COLUMNS[1:], *RESERVED_COLUMNS]
        kept = [column for column in spots.columns if column not in left_out]
        others = [column for column in kept if column not in SPOT_COLUMNS]
        write_table(part / "spots.csv", spots[[*SPOT_COLUMNS, *others]])
        write_table(part / "cores.csv", cores)
        for name, content in (extras or {}).items():
            _write_extra(part / _bare(name), content)
        for file, coordinates, blocks, mz in measurements:
            write_imzml(part / _bare(file), coordinates=coordinates, blocks=blocks, mz=mz)
        cohort = load_cohort(part)
    return cohort


def _refuse_occupied(final: Path, *, overwrite: bool) -> None:
    """Keep what is there, unless it is a cohort and may be replaced: never any other folder."""
    if not final.exists() or (final.is_dir() and not any(final.iterdir())):
        return
    is_cohort = (final / "spots.csv").is_file()
    if overwrite and is_cohort:
        return
    raise CohortError(
        [
            Problem(
                "folder-not-empty",
                str(final),
                "the folder already holds a cohort"
                if is_cohort
                else "this exists and is no cohort folder",
                "a new or empty folder",
                "choose another name, or ask to overwrite it"
                if is_cohort
                else "choose another name; only cohort folders are ever overwritten",
            )
        ]
    )


def _write_extra(path: Path, content: pd.DataFrame | Mapping[str, Any]) -> None:
    if isinstance(content, pd.DataFrame):
        write_table(path, content)
    else:
        write_json(path, content)


def _bare(name: str) -> str:
    if Path(name).name != name or "\\" in name or name.startswith("."):
        raise ValueError(f"expected the bare name of a file in the cohort folder, got {name!r}")
    return name
