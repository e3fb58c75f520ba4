"""The project's present data: cohort, quality, folds, single spectra, versions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from app.data.runs import project, runs
from corespot.cohort.foldtable import FoldTable
from corespot.errors import StoreError
from corespot.io.artifacts import read_json, read_table
from corespot.io.folds import read_folds
from corespot.io.imzml import open_imzml
from corespot.io.store import SpectraStore
from corespot.report.fold_layout import fold_members
from corespot.review.data_versions import DataVersions, data_versions

#: Columns without which a table of the quality stage cannot be shown.
_QUALITY = {
    "spots": ("tma",),
    "tmas": ("tma",),
    "mean_spectra": ("tma", "mz", "raw_mean", "preprocessed_mean"),
}
Spectrum = tuple[npt.NDArray[np.float64], npt.NDArray[Any]]


def tasks() -> tuple[str, ...]:
    """Tasks that ``params.yaml`` names, else those that folds are there for."""
    folder = project().root / "data" / "folds"
    made = sorted(one.name for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    return project().tasks or tuple(made)


def settings_are_valid() -> bool:
    """Whether ``params.yaml`` can be read and holds what it should."""
    return project().params is not None


def summary() -> Mapping[str, Any]:
    """Content of ``data/ingest/summary.json``.

    Raises
    ------
    StoreError
        If it is missing or damaged.
    """
    path = _file("ingest", "summary.json")
    found = _json(str(path), _stamp(path))
    if not isinstance(found, dict) or not {"n_spots", "n_tmas", "tmas"} <= set(found):
        raise StoreError(f"{path} is damaged; run `dvc repro ingest` again")
    return found


def quality(name: str) -> pd.DataFrame:
    """A table of the quality of spectra: ``spots``, ``tmas`` or ``mean_spectra``.

    Raises
    ------
    StoreError
        If it is missing or damaged.
    """
    path = _file("quality", f"{name}.parquet")
    table = _table(str(path), _stamp(path))
    missing = [column for column in _QUALITY[name] if column not in table]
    if missing:
        raise StoreError(f"{path} has no column {missing[0]!r}; run `dvc repro preprocess` again")
    return table


def design(task: str) -> Mapping[str, Any]:
    """The audit of a task's design; see `Project.design`."""
    path = _file("design", "design.json")
    return _design(task, _stamp(path))


def store() -> SpectraStore:
    """The project's spectra as they are now.

    Raises
    ------
    StoreError
        If they are missing or incomplete.
    """
    folder = _file("store", "")
    return _store(str(folder), _stamp(folder / "store.json"))


def folds(task: str) -> tuple[FoldTable, pd.DataFrame]:
    """Folds of a task, and what every spot belongs to; see `fold_members`.

    Raises
    ------
    StoreError
        If they are missing or damaged, or the store is.
    FoldError
        If they split what they should keep together, or were made for another store.
    """
    if task not in tasks() or not task.replace("_", "").replace("-", "").isalnum():
        raise StoreError(f"{task!r} is no name of a task")
    folder = _file("folds", task)
    return _folds(str(folder), _stamp(folder / "folds.json"), store())


def measured(row: int) -> Spectrum:
    """m/z and intensity of a spot as measured.

    Raises
    ------
    StoreError
        If the raw files are not here.
    CohortError
        If the file cannot be read.
    """
    spot, cohort = store().spots.iloc[row], project().cohort
    if cohort is None:
        raise StoreError("params.yaml names no cohort, so that the raw files cannot be found")
    path = (cohort / str(spot["file"])).resolve()
    if not path.is_relative_to(cohort.resolve()) or not path.is_file():
        raise StoreError(
            f"the raw file {spot['file']} is not in {cohort}; `dvc pull` fetches it where it is "
            "kept in a remote"
        )
    return _measured(str(path), _stamp(path), int(spot["spectrum"]))


def stored(row: int) -> npt.NDArray[np.float32]:
    """The same spot in the store, shape (n_bins,)."""
    spectrum: npt.NDArray[np.float32] = store().take(np.array([row]))[0]
    return spectrum


def versions() -> DataVersions:
    """DVC's hashes and git's commit of the project now, and how many runs read the same."""
    found, listed = project(), runs()
    lock = found.root / "dvc.lock"
    return _versions(str(found.root), _stamp(lock), id(listed), listed)[1]


def _file(*parts: str) -> Path:
    return Path(project().root).joinpath("data", *parts)


def _stamp(path: Path) -> tuple[int, int]:
    """Tells whether a file was written anew."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@st.cache_resource(max_entries=8, show_spinner=False)
def _json(path: str, stamp: tuple[int, int]) -> Any:
    return read_json(path)


@st.cache_resource(max_entries=8, show_spinner="Reading the tables …")
def _table(path: str, stamp: tuple[int, int]) -> pd.DataFrame:
    return read_table(path)


@st.cache_resource(max_entries=16, show_spinner=False)
def _design(task: str, stamp: tuple[int, int]) -> Mapping[str, Any]:
    return project().design(task)


@st.cache_resource(max_entries=2, show_spinner=False)
def _store(folder: str, stamp: tuple[int, int]) -> SpectraStore:
    return SpectraStore.open(folder)


@st.cache_resource(max_entries=8, show_spinner="Reading the folds …")
def _folds(
    folder: str, stamp: tuple[int, int], _store: SpectraStore
) -> tuple[FoldTable, pd.DataFrame]:
    table = read_folds(folder)
    return table, fold_members(table, _store.spots)


@st.cache_resource(max_entries=16, show_spinner="Reading the spectrum …")
def _measured(path: str, stamp: tuple[int, int], index: int) -> Spectrum:
    with open_imzml(Path(path)) as file:
        return file.spectrum(index)


@st.cache_resource(ttl=30, max_entries=2, show_spinner=False)
def _versions(
    root: str, stamp: tuple[int, int], made: int, _runs: list[Any]
) -> tuple[list[Any], DataVersions]:
    # The list is kept, too: as long as it lives no other one bears its number.
    return _runs, data_versions(project(), _runs)
