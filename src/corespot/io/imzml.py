"""Door to imzML files: open one, check one, write one.

>>> from corespot import open_imzml
>>> with open_imzml("TMA1.imzML") as measurement:  # doctest: +SKIP
...     mz, intensity = measurement.spectrum(0)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.errors import CohortError
from corespot.io.imzml_block import RawSpectrum, SpectraBlock
from corespot.io.imzml_check import check_imzml, check_uuid
from corespot.io.imzml_ibd import IbdReader, ibd_path_of
from corespot.io.imzml_index import ImzMLIndex, Mode
from corespot.io.imzml_layout import check_layout
from corespot.io.imzml_problems import make_problem
from corespot.io.imzml_write import write_imzml, write_processed_imzml
from corespot.io.imzml_xml import read_index

__all__ = [
    "ImzMLFile",
    "check_imzml",
    "ibd_path_of",
    "open_imzml",
    "write_imzml",
    "write_processed_imzml",
]


class ImzMLFile:
    """An open imzML measurement; made by `open_imzml`, usable as a context manager.

    Parameters
    ----------
    path : Path
        The .imzML file.
    index : ImzMLIndex
        Its index, checked against the .ibd.
    ibd : IbdReader
        The open .ibd.
    """

    def __init__(self, path: Path, index: ImzMLIndex, ibd: IbdReader) -> None:
        self.path = path
        self._index = index
        self._ibd = ibd

    def __len__(self) -> int:
        return len(self._index)

    def __enter__(self) -> ImzMLFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ImzMLFile {self.path.name}: {len(self)} spectra, {self.mode}>"

    def close(self) -> None:
        """Close the .ibd."""
        self._ibd.close()

    @property
    def ibd_path(self) -> Path:
        """The .ibd the values are read from."""
        return self._ibd.path

    @property
    def coordinates(self) -> npt.NDArray[np.int64]:
        """Positions x, y, z, shape (n, 3); z is 1 where the file is silent."""
        return self._index.coordinates

    @property
    def mode(self) -> Mode:
        """``"continuous"`` when all spectra share one m/z array, else ``"processed"``."""
        return self._index.mode

    @property
    def is_profile(self) -> bool | None:
        """Profile (True) or centroid (False) spectra; None when the file does not say."""
        return self._index.is_profile

    @property
    def pixel_size_um(self) -> float | None:
        """Distance of neighbouring spots along x, the standard's "pixel size x", if stated."""
        return self._index.pixel_size_um

    @property
    def n_points(self) -> npt.NDArray[np.int64]:
        """Number of values of every spectrum, shape (n,); 0 for an empty spectrum."""
        return self._index.intensity.length

    @cached_property
    def mz(self) -> npt.NDArray[np.float64]:
        """Shared m/z vector of a continuous file, shape (n_bins,), read-only.

        Raises
        ------
        ValueError
            If the file is processed: then every spectrum has its own.
        """
        self._refuse_processed("mz", "use spectrum(i)")
        return self._read_mz(0)

    def spectrum(self, i: int) -> RawSpectrum:
        """One spectrum.

        Parameters
        ----------
        i : int
            Index of the spectrum in the file.

        Returns
        -------
        mz : ndarray of float64, shape (n_points,)
            m/z values; the shared, read-only vector in a continuous file.
        intensity : ndarray, shape (n_points,)
            Intensities in the number type they are stored in.

        Raises
        ------
        IndexError
            If there is no spectrum `i`.
        CohortError
            If the .ibd does not hold what its index promises.
        """
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"{self.path.name} has spectra 0 to {n - 1}, not {i}")
        i = int(i) % n
        mz = self.mz if self.mode == "continuous" else self._read_mz(i)
        return mz, self._ibd.array(self._index.intensity, i, self._index.where(i))

    def intensity_block(
        self, indices: Iterable[int] | npt.NDArray[np.integer[Any]]
    ) -> npt.NDArray[np.float32]:
        """Intensities of several spectra of a continuous file, shape (k, n_bins).

        Spectra that follow each other in the .ibd are read in one go.

        Raises
        ------
        IndexError
            If there is no such spectrum.
        ValueError
            If the file is processed.
        CohortError
            If a stored value is too large for float32 or cannot be read.
        """
        self._refuse_processed("intensity_block", "bin spectrum(i) onto an axis")
        rows = self._rows(indices)
        arrays = self._index.intensity
        where = self.path.name
        if rows.size == 0:
            return np.empty((0, self.mz.size), dtype=np.float32)
        kinds = arrays.dtype[rows]
        if (kinds != kinds[0]).any() or arrays.compressed[rows].any():
            parts = [self._ibd.array(arrays, int(i), self._index.where(int(i))) for i in rows]
            return _to_float32(np.stack(parts), where)
        return _to_float32(self._ibd.rows(arrays, rows, where), where)

    def spectra(
        self, indices: Iterable[int] | npt.NDArray[np.integer[Any]]
    ) -> Sequence[RawSpectrum]:
        """Several spectra, each as `spectrum` gives it.

        What follows each other in the .ibd is read in one go: then the sequence is a
        `SpectraBlock`, whose spectra are views of its vectors.

        Raises
        ------
        IndexError
            If there is no such spectrum.
        CohortError
            If the .ibd does not hold what its index promises.
        """
        rows = self._rows(indices)
        arrays, shared = self._index, self.mode == "continuous"
        heights = self._ibd.many(arrays.intensity, rows)
        masses = None if shared else self._ibd.many(arrays.mz, rows)
        if heights is None or not (shared or masses):
            return [self.spectrum(int(i)) for i in rows]
        wanted = [(arrays.intensity, *heights)] + ([(arrays.mz, *masses)] if masses else [])
        self._ibd.fill(wanted, rows, self.path.name)
        mz = masses[0].astype(np.float64, copy=False) if masses else self.mz
        mz.flags.writeable = False
        return SpectraBlock(mz, *heights, shares_mz=shared)

    def mz_range(self) -> tuple[float, float]:
        """Lowest and highest m/z of the file, NaN when all spectra are empty.

        Only the ends of each m/z array are looked at: they are sorted, or refused by the check.
        """
        return self._mz_range

    @cached_property
    def _mz_range(self) -> tuple[float, float]:
        arrays = self._index.mz
        if self.mode == "continuous":
            ends = self.mz[[0, -1]] if self.mz.size else self.mz
        else:
            where = np.flatnonzero(arrays.length > 0)
            _, first = np.unique(arrays.offset[where], return_index=True)
            pieces = [self._read_mz(int(i))[[0, -1]] for i in where[first]]
            ends = np.concatenate(pieces) if pieces else np.empty(0)
        return (float(ends.min()), float(ends.max())) if ends.size else (np.nan, np.nan)

    def _rows(self, indices: Iterable[int] | npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        rows = np.asarray(
            indices if isinstance(indices, np.ndarray) else list(indices), dtype=np.int64
        )
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(
                f"{self.path.name} has spectra 0 to {len(self) - 1}, "
                f"not {rows.min()} to {rows.max()}"
            )
        return rows

    def _read_mz(self, i: int) -> npt.NDArray[np.float64]:
        values = self._ibd.array(self._index.mz, i, self._index.where(i)).astype(np.float64)
        values.flags.writeable = False
        return values

    def _refuse_processed(self, what: str, instead: str) -> None:
        if self.mode != "continuous":
            raise ValueError(
                f"{self.path.name} is processed, so its spectra share no m/z axis and there is "
                f"no {what}; {instead}"
            )


def open_imzml(path: Path | str) -> ImzMLFile:
    """Open an imzML measurement for reading.

    The XML is read once; every offset, length, type and position is checked, and the UUID
    compared, before the file is handed out. The values and the checksum are the business of
    `check_imzml`.

    Parameters
    ----------
    path : Path
        The .imzML file, its .ibd beside it.

    Returns
    -------
    ImzMLFile
        With ``len()``, ``coordinates`` and ``spectrum(i)``.

    Raises
    ------
    CohortError
        With every structural problem found.
    """
    path = Path(path)
    index = read_index(path)
    log = index.log
    ibd_path = ibd_path_of(path)
    if not ibd_path.is_file():
        check_layout(index, None, log)
        log.add("missing-ibd", path.name, f"there is no {ibd_path.name}")
        log.raise_if_any()
    try:
        ibd = IbdReader(ibd_path)
    except OSError as error:
        found = error.strerror or str(error)
        raise CohortError([make_problem("unreadable-file", ibd_path.name, found)]) from error
    try:
        check_layout(index, ibd.size, log)
        if index.uuid is not None:
            check_uuid(index, ibd, log)
        log.raise_if_any()
    except BaseException:
        ibd.close()
        raise
    return ImzMLFile(path, index, ibd)


def _to_float32(block: npt.NDArray[Any], where: str) -> npt.NDArray[np.float32]:
    try:
        with np.errstate(over="raise"):
            return block.astype(np.float32, copy=False)
    except FloatingPointError as error:
        found = f"an intensity of {np.abs(block[np.isfinite(block)]).max():g}"
        raise CohortError([make_problem("intensity-range", where, found)]) from error
