"""Reading numbers from an .ibd, never fewer than were asked for."""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.errors import CohortError
from corespot.io.imzml_index import ArrayIndex
from corespot.io.imzml_layout import HEADER_BYTES
from corespot.io.imzml_problems import make_problem
from corespot.io.imzml_terms import DTYPES
from corespot.progress import track
from corespot.threads import in_threads, n_threads

_CHUNK = 1 << 24
# Buffers that one call of the system fills; POSIX promises 16, Linux takes 1024.
_BUFFERS = 1024 if hasattr(os, "preadv") else 1
# Bytes that are worth a thread of their own.
_SHARE = 1 << 20


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


@dataclass(frozen=True)
class _Run:
    """Bytes that follow each other in the file, and where they are to go."""

    offset: int
    pieces: list[memoryview]
    n_bytes: int


class IbdReader:
    """An open .ibd.

    Parameters
    ----------
    path : Path
        The file. Plain reads are used rather than a memory map: a file that shrinks while it
        is mapped kills the process, a short read is an error that can be named.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        self.size = self._file.seek(0, 2)

    def close(self) -> None:
        """Close the file; reading afterwards raises ValueError."""
        self._file.close()

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
            self._fill(_Run(offset, [_bytes_of(values)], values.nbytes), where)
            return values
        packed = self._bytes(offset, int(arrays.encoded[spectrum]), where)
        return np.frombuffer(bytearray(_unpack(packed, length * dtype.itemsize, where)), dtype)

    def rows(
        self, arrays: ArrayIndex, spectra: npt.NDArray[np.int64], where: str
    ) -> npt.NDArray[Any]:
        """Uncompressed arrays of one type and length, shape (k >= 1, length), as stored.

        Arrays that follow each other in the file are read in one go.
        """
        dtype = DTYPES[arrays.dtype[spectra[0]]]
        length = int(arrays.length[spectra[0]])
        block = np.empty((spectra.size, length), dtype)
        if block.size == 0:
            return block
        offsets, row_bytes = arrays.offset[spectra], length * dtype.itemsize
        view = _bytes_of(block)
        runs = [
            _Run(int(offsets[a]), [view[a * row_bytes : b * row_bytes]], (b - a) * row_bytes)
            for a, b in _runs(offsets, np.full(spectra.size, row_bytes))
        ]
        self._fill_all(runs, where)
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
        return np.empty(int(bounds[-1]), DTYPES[dtype[0] if dtype.size else 0]), bounds

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
        pieces: list[memoryview] = []
        for _, values, bounds in wanted:
            view = _bytes_of(values)
            edges = (bounds * values.itemsize).tolist()
            pieces += [view[a:b] for a, b in pairwise(edges)]
        starts = np.concatenate([arrays.offset[spectra] for arrays, _, _ in wanted])
        sizes = np.concatenate([np.diff(bounds) * values.itemsize for _, values, bounds in wanted])
        order = np.argsort(starts, kind="stable")
        order = order[sizes[order] > 0]
        starts, sizes = starts[order], sizes[order]
        ends = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        sorted_pieces = [pieces[k] for k in order.tolist()]
        runs = [
            _Run(int(starts[a]), sorted_pieces[a:b], ends[b] - ends[a])
            for a, b in _runs(starts, sizes)
        ]
        self._fill_all(runs, where)

    def _chunks(self) -> Iterator[memoryview]:
        buffer = np.empty(min(_CHUNK, self.size), dtype=np.uint8)
        for start in range(0, self.size, _CHUNK):
            chunk = buffer[: min(_CHUNK, self.size - start)].data
            self._fill(_Run(start, [chunk], chunk.nbytes), self.path.name)
            yield chunk

    def _bytes(self, offset: int, n_bytes: int, where: str) -> bytes:
        buffer = np.empty(n_bytes, dtype=np.uint8)
        self._fill(_Run(offset, [buffer.data], n_bytes), where)
        return buffer.tobytes()

    def _fill_all(self, runs: list[_Run], where: str) -> None:
        """Fill all runs: on one core, or on several where there is enough to copy."""
        n_parts = min(n_threads(), sum(run.n_bytes for run in runs) // _SHARE)
        if n_parts <= 1:
            for run in runs:
                self._fill(run, where)
            return

        def work(part: npt.NDArray[np.int64]) -> None:
            for k in part:
                self._fill(runs[k], where)

        in_threads(work, np.array_split(np.arange(len(runs)), n_parts))

    def _fill(self, run: _Run, where: str) -> None:
        """Fill the pieces of `run` one after the other."""
        pieces, offset, missing = run.pieces, run.offset, run.n_bytes
        while missing:
            n_read = self._read_at(pieces[:_BUFFERS], offset)
            if not n_read:
                found = (
                    f"the .ibd ended {missing} bytes before the array did; "
                    "it has shrunk since it was opened"
                )
                raise CohortError([make_problem("truncated-ibd", where, found)])
            offset, missing = offset + n_read, missing - n_read
            # A read may stop early, at 2 GB on Linux: go on until nothing comes.
            pieces = _after(pieces, n_read) if missing else []

    def _read_at(self, pieces: list[memoryview], offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), pieces, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(pieces[0]) or 0


def _runs(starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """First and end of stretches of arrays that follow each other in the file."""
    if starts.size == 0:
        return
    megabyte = np.cumsum(sizes) // _SHARE
    parted = (starts[1:] != starts[:-1] + sizes[:-1]) | (megabyte[1:] != megabyte[:-1])
    edges = [0, *(np.flatnonzero(parted) + 1).tolist(), starts.size]
    for first, stop in pairwise(edges):
        for start in range(first, stop, _BUFFERS):
            yield start, min(start + _BUFFERS, stop)


def _after(pieces: list[memoryview], n_bytes: int) -> list[memoryview]:
    """What is left of `pieces` after so many bytes."""
    for k, piece in enumerate(pieces):
        if n_bytes < piece.nbytes:
            return [piece[n_bytes:], *pieces[k + 1 :]]
        n_bytes -= piece.nbytes
    return []


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
