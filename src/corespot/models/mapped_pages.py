"""Pages of a memory-mapped store: read ahead where they are wanted, and nowhere else."""

from __future__ import annotations

import mmap
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import psutil

from corespot.models.spectra_rows import SpectraRows

#: Share of the available memory up to which a file is left to the page cache.
_SHARE = 0.5


def file_map(values: npt.NDArray[Any]) -> mmap.mmap | None:
    """The map behind a read-only memory-mapped array, if the kernel can be told of its pages."""
    if getattr(values, "mode", None) != "r" or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


class PagesAhead:
    """Asks for some columns of a mapped matrix before they are read, while it is entered.

    Left to itself, the kernel reads whole rows around a few columns of each. That is well where the
    page cache keeps them for the next columns; a file that memory cannot hold would be read anew
    for every block of columns. For arrays that are not mapped, or are small, nothing is done.

    Parameters
    ----------
    values : ndarray, memmap or SpectraRows, shape (n_rows, n_columns)
        The matrix.
    """

    def __init__(self, values: npt.NDArray[Any] | SpectraRows) -> None:
        self._map = None
        if not isinstance(values, np.ndarray) or not _is_large(values):
            return
        self._map = file_map(values)
        if self._map is not None:
            # Of the first value in the map: the header of the file comes before it.
            start = np.frombuffer(self._map, dtype=np.uint8).ctypes.data
            self._at = values.ctypes.data - start
            self._row, self._value = values.strides[0], values.itemsize

    def __enter__(self) -> Self:
        if self._map is not None:
            self._map.madvise(mmap.MADV_RANDOM)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._map is not None:
            self._map.madvise(mmap.MADV_NORMAL)

    def ask(self, rows: npt.NDArray[np.int64], columns: slice) -> None:
        """Have the pages read that hold these columns of `rows`; does not wait for them."""
        if self._map is None:
            return
        length = (columns.stop - columns.start) * self._value
        starts = self._at + rows * self._row + columns.start * self._value
        for start in starts.tolist():
            ahead = start % mmap.PAGESIZE
            self._map.madvise(mmap.MADV_WILLNEED, start - ahead, length + ahead)


def _is_large(values: npt.NDArray[Any]) -> bool:
    return bool(
        values.flags.c_contiguous and values.nbytes > _SHARE * psutil.virtual_memory().available
    )
