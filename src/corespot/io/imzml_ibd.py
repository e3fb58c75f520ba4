"""Reading numbers from an .ibd, never fewer than were asked for."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Iterator
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
            self._fill(values, offset, where)
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
        offsets = arrays.offset[spectra]
        breaks = np.flatnonzero(np.diff(offsets) != length * dtype.itemsize) + 1
        starts = [0, *breaks.tolist()]
        for start, stop in zip(starts, [*starts[1:], spectra.size], strict=True):
            self._fill(block[start:stop], int(offsets[start]), where)
        return block

    def _chunks(self) -> Iterator[bytes]:
        for start in range(0, self.size, _CHUNK):
            yield self._bytes(start, min(_CHUNK, self.size - start), self.path.name)

    def _bytes(self, offset: int, n_bytes: int, where: str) -> bytes:
        buffer = np.empty(n_bytes, dtype=np.uint8)
        self._fill(buffer, offset, where)
        return buffer.tobytes()

    def _fill(self, values: npt.NDArray[Any], offset: int, where: str) -> None:
        view = values.reshape(-1).view(np.uint8).data
        done = 0
        with self._lock:
            self._file.seek(offset)
            while done < len(view):
                # An unbuffered read may stop early, at 2 GB on Linux: go on until nothing comes.
                n_read = self._file.readinto(view[done:])
                if not n_read:
                    found = (
                        f"the .ibd ended {len(view) - done} bytes before the array did; "
                        "it has shrunk since it was opened"
                    )
                    raise CohortError([make_problem("truncated-ibd", where, found)])
                done += n_read


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
