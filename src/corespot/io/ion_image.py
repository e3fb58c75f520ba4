"""Few columns of a store that is written row by row: read only the pages they lie on."""

from __future__ import annotations

import mmap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from corespot.errors import StoreError
from corespot.io.store import SpectraStore

#: Waiting for a disk, not computing: more threads than cores.
_THREADS = 16
#: Rows of a block, and most values copied into memory by one.
_BLOCK_ROWS, _BLOCK_VALUES = 256, 2_000_000


def mean_of_bins(
    store: SpectraStore, bins: slice, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """Mean intensity of a few neighbouring bins, shape (len(rows),), in the unit before scaling.

    Parameters
    ----------
    store : SpectraStore
        The spectra.
    bins : slice
        At least one bin.
    rows : ndarray of int64
        Rows of the store.

    Raises
    ------
    StoreError
        If a row is not in the store.
    ValueError
        If there is no bin.

    Notes
    -----
    A row of 27,286 bins is 107 kB, and of it one page of 4 kB is wanted. The kernel reads ahead
    for whoever reads a map, which would fetch nearly the whole file; a map of our own that says
    it is read here and there, and several threads that wait at once, fetch the pages alone.
    """
    if bins.stop <= bins.start:
        raise ValueError("an ion image needs at least one bin")
    if rows.size and (rows.min() < 0 or rows.max() >= store.n_spots):
        stranger = rows.max() if rows.min() >= 0 else rows.min()
        raise StoreError(f"row {stranger} is not in a store of {store.n_spots} spots")
    spectra = store.spectra
    if isinstance(spectra, np.memmap) and spectra.filename is not None:
        spectra = np.load(spectra.filename, mmap_mode="r", allow_pickle=False)
        # Not every system has the hint, and without it the numbers are the same.
        if hasattr(mmap, "MADV_RANDOM"):
            spectra._mmap.madvise(mmap.MADV_RANDOM)
    image = np.empty(rows.size, dtype=np.float32)
    step = int(np.clip(_BLOCK_VALUES // (bins.stop - bins.start), 1, _BLOCK_ROWS))

    def fill(start: int) -> None:
        part = slice(start, start + step)
        taken = spectra[rows[part], bins]
        image[part] = taken.mean(axis=1, dtype=np.float64) / store.scale

    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(fill, range(0, rows.size, step)))
    return image
