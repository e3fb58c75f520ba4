"""Spectra of the project's store, for runs that have read the same: ion images, mean spectra."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.data.runs import LoggedRun, project, spots
from corespot.io.store import SpectraStore
from corespot.units import Tolerance


def store_of(run: LoggedRun) -> SpectraStore:
    """The store that a run has read.

    Raises
    ------
    StoreError
        If the project holds another by now, or none.
    """
    return _store(str(project().root), run.tags.get("dvc.store", ""), project().data_hash(), run)


def ion_image(run: LoggedRun, mz: float, tolerance: Tolerance) -> npt.NDArray[np.float32]:
    """Mean intensity of the bins within `tolerance` of `mz`, one value a row of `spots(run)`.

    Falls back to the nearest bin where the window holds none. Only these bins are read.

    Raises
    ------
    StoreError
        As `store_of`.
    """
    store = store_of(run)
    window = store.axis.window(mz, tolerance)
    if window.start >= window.stop:
        nearest = store.axis.nearest(mz)
        window = slice(nearest, nearest + 1)
    return _ion_image(run.run_id, window.start, window.stop, store, run)


@st.cache_resource(ttl=60, max_entries=4, show_spinner=False)
def _store(root: str, read: str, now: str, _run: LoggedRun) -> SpectraStore:
    return project().store_of(_run)


@st.cache_resource(ttl=600, max_entries=64, show_spinner="Reading the ion image …")
def _ion_image(
    run_id: str, start: int, stop: int, _store: SpectraStore, _run: LoggedRun
) -> npt.NDArray[np.float32]:
    rows = spots(_run)["row"].to_numpy(dtype=np.int64)
    column = np.asarray(_store.spectra[:, start:stop], dtype=np.float32).mean(axis=1)
    image: npt.NDArray[np.float32] = column[rows] / np.float32(_store.scale)
    return image
