"""Spectra of the project's store, for runs that have read the same: ion images, mean spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.data.runs import LoggedRun, class_means, project, record, spots
from corespot.axis import MzAxis
from corespot.errors import StoreError
from corespot.io.ion_image import mean_of_bins
from corespot.io.store import SpectraStore
from corespot.units import Tolerance


@dataclass(frozen=True)
class IonWindow:
    """The bins that an ion image is the mean of.

    Parameters
    ----------
    bins : slice
        Which, at least one.
    low, high : float
        m/z of the first and the last.
    nearest : bool
        Whether the tolerance held no bin, so that the nearest was taken.
    """

    bins: slice
    low: float
    high: float
    nearest: bool

    @property
    def n_bins(self) -> int:
        """How many."""
        return int(self.bins.stop - self.bins.start)


def store_of(run: LoggedRun) -> SpectraStore:
    """The store that a run has read.

    Raises
    ------
    StoreError
        If the project holds another by now, or none.
    """
    root = project().root
    lock = root / "dvc.lock"
    # DVC's lock is long YAML: 0.2 s to read, and every interaction asks.
    changed = lock.stat().st_mtime_ns if lock.is_file() else 0
    now = _data_hash(str(root), changed)
    return _store(str(root), run.tags.get("dvc.store", ""), now, run)


def axis_of(run: LoggedRun) -> MzAxis:
    """The m/z axis of the store that a run has read; raises as `store_of`."""
    return store_of(run).axis


def ion_window(run: LoggedRun, mz: float, tolerance: Tolerance) -> IonWindow:
    """The bins within `tolerance` of `mz`, or the nearest one where there is none.

    Raises
    ------
    StoreError
        As `store_of`, or if `mz` lies outside the axis.
    """
    axis = store_of(run).axis
    low, high = float(axis.edges[0]), float(axis.edges[-1])
    if not low <= mz <= high:
        raise StoreError(
            f"m/z {mz:g} was not measured; the spectra go from {low:.2f} to {high:.2f}"
        )
    bins = axis.window(mz, tolerance)
    nearest = bins.start >= bins.stop
    if nearest:
        at = axis.nearest(mz)
        bins = slice(at, at + 1)
    return IonWindow(bins, float(axis.mz[bins.start]), float(axis.mz[bins.stop - 1]), nearest)


def ion_image(run: LoggedRun, mz: float, tolerance: Tolerance) -> npt.NDArray[np.float32]:
    """Mean intensity of the bins within `tolerance` of `mz`, one value a row of `spots(run)`.

    Falls back to the nearest bin where the window holds none. Only these bins are read.

    Raises
    ------
    StoreError
        As `store_of`, or if `mz` lies outside the axis.
    """
    bins = ion_window(run, mz, tolerance).bins
    return _ion_image(run.run_id, bins.start, bins.stop, store_of(run), run)


def mean_spectrum(run: LoggedRun, tma: str, core: str) -> npt.NDArray[np.float64]:
    """Mean spectrum of a core, shape (n_bins,), in the unit of `ion_image`.

    Raises
    ------
    StoreError
        As `store_of`, or if the run has no spot of this core.
    """
    return _mean_spectrum(run.run_id, tma, core, store_of(run), run)


def class_spectra(run: LoggedRun) -> dict[str, npt.NDArray[np.float64]]:
    """Mean spectrum of every class, in the unit of `ion_image`; empty if none were kept.

    Raises
    ------
    StoreError
        As `store_of`, or if the run's means are of another m/z axis.
    """
    store, means = store_of(run), class_means(run)
    if means is None:
        return {}
    names = record(run).classes
    if means.shape != (len(names), store.axis.n_bins):
        raise StoreError(
            f"the mean spectra of this run are {means.shape}, and the store has "
            f"{store.axis.n_bins} bins for {len(names)} classes; `dvc repro` makes them again"
        )
    return {name: mean / store.scale for name, mean in zip(names, means, strict=True)}


def spectra_of(run: LoggedRun, rows: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Spectra of a few spots, shape (len(rows), n_bins), in the unit of `ion_image`.

    Parameters
    ----------
    run : LoggedRun
        The run.
    rows : tuple of int
        Rows of the store, such as ``row`` of `spots(run)`.

    Raises
    ------
    StoreError
        As `store_of`, or if a row is not in the store.
    """
    return _spectra(run.run_id, rows, store_of(run))


@st.cache_resource(max_entries=4, show_spinner=False)
def _data_hash(root: str, changed: int) -> str:
    return project().data_hash()


@st.cache_resource(ttl=60, max_entries=4, show_spinner=False)
def _store(root: str, read: str, now: str, _run: LoggedRun) -> SpectraStore:
    return project().store_of(_run)


@st.cache_resource(ttl=600, max_entries=64, show_spinner="Reading the ion image …")
def _ion_image(
    run_id: str, start: int, stop: int, _store: SpectraStore, _run: LoggedRun
) -> npt.NDArray[np.float32]:
    rows = spots(_run)["row"].to_numpy(dtype=np.int64)
    return mean_of_bins(_store, slice(start, stop), rows)


@st.cache_resource(ttl=600, max_entries=64, show_spinner="Reading the spectra of the core …")
def _mean_spectrum(
    run_id: str, tma: str, core: str, _store: SpectraStore, _run: LoggedRun
) -> npt.NDArray[np.float64]:
    table = spots(_run)
    here = (table["tma"].astype(str) == tma) & (table["core"].astype(str) == core)
    rows = np.sort(table.loc[here, "row"].to_numpy(dtype=np.int64))
    if rows.size == 0:
        raise StoreError(f"this run has no spot of core {core} on {tma}")
    _in_store(rows, _store)
    total = np.zeros(_store.axis.n_bins)
    # A core may be a whole tissue section: a block at a time keeps memory small.
    for start in range(0, rows.size, 256):
        total += _store.take(rows[start : start + 256]).sum(axis=0, dtype=np.float64)
    mean: npt.NDArray[np.float64] = total / (rows.size * _store.scale)
    return mean


@st.cache_resource(ttl=600, max_entries=16, show_spinner="Reading the spectra …")
def _spectra(run_id: str, rows: tuple[int, ...], _store: SpectraStore) -> npt.NDArray[np.float32]:
    asked = np.array(rows, dtype=np.int64)
    _in_store(asked, _store)
    taken: npt.NDArray[np.float32] = _store.take(asked) / np.float32(_store.scale)
    return taken


def _in_store(rows: npt.NDArray[np.int64], store: SpectraStore) -> None:
    if rows.size and (rows.min() < 0 or rows.max() >= store.n_spots):
        raise StoreError(
            f"this run names spot {rows.max()}, and the store has {store.n_spots}; `dvc checkout`"
        )
