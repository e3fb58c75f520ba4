"""Reading numbers from an .ibd."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.errors import CohortError
from corespot.io.imzml_ibd_file import IbdFile
from corespot.io.imzml_ibd_rooms import Rooms
from corespot.io.imzml_index import ArrayIndex
from corespot.io.imzml_layout import HEADER_BYTES
from corespot.io.imzml_problems import make_problem
from corespot.io.imzml_terms import DTYPES
from corespot.progress import track

_CHUNK = 1 << 24


def ibd_path_of(path: Path | str) -> Path:
    """Path of the .ibd that belongs to an .imzML: its sibling of the same stem.

    The suffix may be written in any case; the result need not exist, and is then the
    expected ``<stem>.ibd``.
    """
    path = Path(path)
    expected = path.with_suffix(".ibd")
    if expected.exists() or not path.parent.is_dir():
        return expected
    for sibling in sorted(path.parent.iterdir()):
        if sibling.stem == path.stem and sibling.suffix.lower() == ".ibd":
            return sibling
    return expected


class IbdReader:
    """An open .ibd.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file, self._rooms = IbdFile(path), Rooms()
        self.size = self._file.size

    def close(self) -> None:
        """Close the file; reading afterwards raises ValueError."""
        self._file.close()
        self._rooms.clear()

    def header(self) -> bytes:
        """First 16 bytes, the UUID; fewer if the file is shorter."""
        return self._bytes(0, min(HEADER_BYTES, self.size), self.path.name)

    def digests(self, algorithms: list[str]) -> dict[str, str]:
        """Checksums of the whole file, hexadecimal, by hashlib name."""
        if not algorithms:
            return {}
        hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
        for chunk in track(
            self._chunks(),
            label=f"checksum {self.path.name}",
            total=self.size,
            unit="B",
            scale=_CHUNK,
        ):
            for digest in hashes.values():
                digest.update(chunk)
        return {name: digest.hexdigest() for name, digest in hashes.items()}

    def array(self, arrays: ArrayIndex, spectrum: int, where: str) -> npt.NDArray[Any]:
        """One array in its stored number type.

        Raises
        ------
        CohortError
            If the .ibd has become too short or a compressed array does not unpack.
        """
        dtype = DTYPES[arrays.dtype[spectrum]]
        length = int(arrays.length[spectrum])
        if length == 0:
            return np.empty(0, dtype)
        offset = int(arrays.offset[spectrum])
        if not arrays.compressed[spectrum]:
            values = np.empty(length, dtype)
            self._file.fill([_bytes_of(values)], offset, where)
            return values
        packed = self._bytes(offset, int(arrays.encoded[spectrum]), where)
        return np.frombuffer(bytearray(_unpack(packed, length * dtype.itemsize, where)), dtype)

    def rows(
        self, arrays: ArrayIndex, spectra: npt.NDArray[np.int64], where: str
    ) -> npt.NDArray[Any]:
        """Uncompressed arrays of one type and length, shape (k >= 1, length), as stored.

        Read in the order of the file; arrays that follow each other there, in one go.
        """
        dtype = DTYPES[arrays.dtype[spectra[0]]]
        length = int(arrays.length[spectra[0]])
        block = self._rooms.empty((spectra.size, length), dtype)
        if block.size == 0:
            return block
        row_bytes = length * dtype.itemsize
        address = block.ctypes.data + row_bytes * np.arange(spectra.size)
        n_bytes = np.full(spectra.size, row_bytes)
        self._file.fill_arrays(arrays.offset[spectra], n_bytes, address, [block], where)
        return block

    def many(
        self, arrays: ArrayIndex, spectra: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]] | None:
        """Room for uncompressed arrays of one type, one after the other, and where each begins.

        Returns
        -------
        values : ndarray, shape (n_values,)
            Not filled yet; see `fill`.
        bounds : ndarray of int64, shape (k + 1,)
            Array i is ``values[bounds[i]:bounds[i + 1]]``.

        None where the arrays are compressed or of several types.
        """
        dtype = arrays.dtype[spectra]
        if arrays.compressed[spectra].any() or (dtype != dtype[:1]).any():
            return None
        bounds = np.concatenate([[0], np.cumsum(arrays.length[spectra])])
        kind = DTYPES[dtype[0] if dtype.size else 0]
        return self._rooms.empty((int(bounds[-1]),), kind), bounds

    def fill(
        self,
        wanted: Sequence[tuple[ArrayIndex, npt.NDArray[Any], npt.NDArray[np.int64]]],
        spectra: npt.NDArray[np.int64],
        where: str,
    ) -> None:
        """Fill what `many` made for each (arrays, values, bounds), in the order of the file.

        Arrays that follow each other in the file are read in one go, of whichever kind they are.

        Raises
        ------
        CohortError
            If the .ibd has become too short.
        """
        edges = [bounds * values.itemsize for _, values, bounds in wanted]
        begin = [
            values.ctypes.data + edge[:-1]
            for (_, values, _), edge in zip(wanted, edges, strict=True)
        ]
        self._file.fill_arrays(
            np.concatenate([arrays.offset[spectra] for arrays, _, _ in wanted]),
            np.concatenate([np.diff(edge) for edge in edges]),
            np.concatenate(begin),
            [values for _, values, _ in wanted],
            where,
        )

    def _chunks(self) -> Iterator[memoryview]:
        buffer = np.empty(min(_CHUNK, self.size), dtype=np.uint8)
        for start in range(0, self.size, _CHUNK):
            chunk = buffer[: min(_CHUNK, self.size - start)].data
            self._file.fill([chunk], start, self.path.name)
            yield chunk

    def _bytes(self, offset: int, n_bytes: int, where: str) -> bytes:
        buffer = np.empty(n_bytes, dtype=np.uint8)
        self._file.fill([buffer.data], offset, where)
        return buffer.tobytes()


def _bytes_of(values: npt.NDArray[Any]) -> memoryview:
    return values.reshape(-1).view(np.uint8).data


def _unpack(packed: bytes, n_bytes: int, where: str) -> bytes:
    stream = zlib.decompressobj()
    try:
        # One byte more than needed is enough to see that there is too much, however much.
        unpacked = stream.decompress(packed, n_bytes + 1)
    except zlib.error as error:
        raise CohortError([make_problem("bad-compressed-data", where, str(error))]) from error
    if len(unpacked) != n_bytes or not stream.eof:
        amount = "more than" if len(unpacked) > n_bytes else f"{len(unpacked)} of"
        found = f"the stream unpacks to {amount} {n_bytes} bytes, or is cut off"
        raise CohortError([make_problem("bad-compressed-data", where, found)])
    return unpacked
