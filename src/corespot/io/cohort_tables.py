"""Find and read the tables of a cohort folder, and the imzML files that they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from corespot.cohort.columns import cross_problems, parse_cores, parse_spots
from corespot.cohort.marker_table import parse_marker_table
from corespot.cohort.tables import TextTable
from corespot.errors import CohortError, Problem, suggestion
from corespot.io.annotations import read_text_table

#: Objects of a DVC cache, which DVC may link into the folder instead of copying.
_DVC_OBJECT = re.compile(r".*/(files/md5|cache)/[0-9a-f]{2}/[0-9a-f]{30}")


@dataclass(frozen=True)
class FolderTables:
    """What the tables of a cohort folder say, with everything wrong about them.

    Parameters
    ----------
    spots, cores : DataFrame or None
        Parsed tables, indexed by row number; None if a table could not be read at all.
    markers : DataFrame or None
        Content of ``markers.csv``, None without one.
    files : tuple of str
        imzML files that ``spots.csv`` names and that may be opened, sorted.
    unnamed : tuple of str
        imzML files in the folder that ``spots.csv`` does not name.
    problems : tuple of Problem
        Everything wrong.
    """

    spots: pd.DataFrame | None
    cores: pd.DataFrame | None
    markers: pd.DataFrame | None
    files: tuple[str, ...]
    unnamed: tuple[str, ...]
    problems: tuple[Problem, ...]


def read_cohort_tables(folder: Path) -> FolderTables:
    """Read ``spots.csv``, ``cores.csv`` and ``markers.csv`` and check them, files included.

    Parameters
    ----------
    folder : Path
        The cohort folder.

    Raises
    ------
    CohortError
        If there is no such folder; every other fault is in the result.
    """
    names = list_folder(folder)
    problems: list[Problem] = []
    texts: dict[str, TextTable | None] = {}
    for name in ("spots.csv", "cores.csv", "markers.csv"):
        texts[name], found = _read(folder, name, names)
        problems += found
    spots = cores = markers = None
    if texts["spots.csv"] is not None:
        spots, found = parse_spots(texts["spots.csv"])
        problems += found
    if texts["cores.csv"] is not None:
        cores, found = parse_cores(texts["cores.csv"])
        problems += found
    if texts["markers.csv"] is not None:
        markers, found = parse_marker_table(texts["markers.csv"])
        problems += found
    if spots is not None and cores is not None:
        complete = not any(p.code == "ragged-row" and "cores.csv" in p.where for p in problems)
        problems += cross_problems(spots, cores, cores_complete=complete)
    measurements = [name for name in names if name.casefold().endswith(".imzml")]
    usable: list[str] = []
    if spots is not None and "file" in spots:
        usable, found = _check_files(folder, spots, names, measurements)
        problems += found
    elif not measurements:
        problems.append(_no_measurement(folder))
    named = set(spots["file"]) if spots is not None and "file" in spots else set()
    return FolderTables(
        spots=spots,
        cores=cores,
        markers=markers,
        files=tuple(usable),
        unnamed=tuple(name for name in measurements if name not in named),
        problems=tuple(problems),
    )


def list_folder(folder: Path) -> list[str]:
    """Names of the files in a cohort folder, sorted.

    Raises
    ------
    CohortError
        If the folder does not exist or cannot be read.
    """
    try:
        return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError:
        found = "there is no such folder"
    except NotADirectoryError:
        found = "this is a file"
    except OSError as error:
        found = f"the folder cannot be read ({error.strerror})"
    raise CohortError(
        [
            Problem(
                "missing-folder",
                str(folder),
                found,
                "a folder with spots.csv, cores.csv and imzML files",
                "correct `cohort` in params.yaml, or fetch the data: dvc pull",
            )
        ]
    )


def leaves_folder(folder: Path, name: str) -> bool:
    """Tell whether an entry of `folder` is a link to elsewhere (a DVC cache is fine)."""
    try:
        target = (folder / name).resolve()
    except (OSError, RuntimeError):  # links in a circle
        return True
    if target.is_relative_to(folder.resolve()):
        return False
    return _DVC_OBJECT.fullmatch(target.as_posix()) is None


def _read(folder: Path, name: str, names: Sequence[str]) -> tuple[TextTable | None, list[Problem]]:
    if name not in names:
        if name == "markers.csv":
            return None, []
        close = [other for other in names if other.casefold() == name]
        hint = suggestion(name, [other for other in names if other.endswith((".csv", ".txt"))])
        return None, [
            Problem(
                "missing-table",
                name,
                "there is no such file",
                f"the table {name} in the cohort folder",
                f"add it, or rename it; {f'did you mean {close[0]!r}?' if close else hint}",
            )
        ]
    if leaves_folder(folder, name):
        return None, [_leaving(name, name, "it is a link to a file outside")]
    try:
        return read_text_table(folder / name)
    except OSError as error:
        return None, [
            Problem(
                "unreadable-file",
                name,
                f"the file cannot be read ({error.strerror})",
                "a file that may be read",
                "check the file's permissions; after an interrupted `dvc pull`, pull again",
            )
        ]


def _check_files(
    folder: Path, spots: pd.DataFrame, names: Sequence[str], measurements: Sequence[str]
) -> tuple[list[str], list[Problem]]:
    """Files that may be opened, and a problem for every name in ``spots.csv`` that may not."""
    usable: list[str] = []
    problems: list[Problem] = []
    for file, rows in spots.groupby("file", sort=True).groups.items():
        if file == "":
            continue
        more = f" and {len(rows) - 1} more rows" if len(rows) > 1 else ""
        problem = _file_problem(
            folder, str(file), f"spots.csv, row {rows[0]}{more}", names, measurements
        )
        if problem is None:
            usable.append(str(file))
        else:
            problems.append(problem)
    return usable, problems


def _file_problem(
    folder: Path, file: str, where: str, names: Sequence[str], measurements: Sequence[str]
) -> Problem | None:
    parts = re.split(r"[/\\]", file)
    if ".." in parts or file.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:", file):
        return _leaving(where, file, "it is a path that leads out of it")
    if len(parts) > 1:
        return Problem(
            "file-in-subfolder",
            where,
            f"file is {file!r}, a path",
            "the bare name of a file that lies in the cohort folder itself",
            f"put the .imzML and .ibd beside spots.csv and write {parts[-1]!r}",
        )
    if file not in names:
        close = [name for name in names if name.casefold() == file.casefold()]
        close += [name for name in measurements if name.casefold() == f"{file}.imzml".casefold()]
        hint = f"did you mean {close[0]!r}?" if close else suggestion(file, measurements)
        return Problem(
            "missing-imzml",
            where,
            f"there is no file {file!r} in the cohort folder",
            "the exact name of an .imzML file in the folder, capitals included",
            f"correct the name or copy the file in; {hint}",
        )
    if file not in measurements:
        return Problem(
            "not-imzml",
            where,
            f"file {file!r} is no imzML file",
            "a name that ends in .imzML",
            f"name the .imzML file of the measurement; {suggestion(file, measurements)}",
        )
    stem = file[: -len(".imzml")].casefold()
    pair = [file, *[name for name in names if name.casefold() == f"{stem}.ibd"]]
    for name in pair:
        if leaves_folder(folder, name):
            return _leaving(where, name, "it is a link to a file outside")
    return None


def _leaving(where: str, name: str, how: str) -> Problem:
    return Problem(
        "path-leaves-folder",
        where,
        f"{name!r} leaves the cohort folder: {how}",
        "files that lie in the cohort folder itself",
        "copy the file into the folder and write its bare name",
    )


def _no_measurement(folder: Path) -> Problem:
    return Problem(
        "missing-imzml",
        folder.name,
        "there is no .imzML file in the folder",
        "one .imzML and one .ibd file for every measurement",
        "copy them in, or fetch the data: dvc pull",
    )
