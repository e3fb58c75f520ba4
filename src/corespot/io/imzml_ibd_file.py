"""Bytes of an open .ibd, never fewer than were asked for."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.errors import CohortError
from corespot.io.imzml_ibd_runs import Runs, find_runs
from corespot.io.imzml_problems import make_problem
from corespot.threads import in_threads, n_threads

# Buffers that one call of the system fills; POSIX promises 16, Linux takes 1024.
_BUFFERS = 1024 if hasattr(os, "preadv") else 1
# Bytes that one call reads, about, and that are worth the trouble of sharing them.
_SHARE = 1 << 18
# Shares a thread: one that comes late, or is slow, leaves them to the others.
_SHARES = 4
# The kernel writes addresses and sizes of 64 bits where the system expects them.
_IS_COMPILED = sys.maxsize > 2**32


class IbdFile:
    """The file itself.

    Parameters
    ----------
    path : Path
        Plain reads are used rather than a memory map: a file that shrinks while it is mapped kills
        the process, a short read is an error that can be named.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        self._end, self._goes_on = -1, False
        self.size = self._file.seek(0, 2)

    def close(self) -> None:
        """Close the file; reading afterwards raises ValueError."""
        self._file.close()

    def fill_arrays(
        self,
        offset: npt.NDArray[np.int64],
        n_bytes: npt.NDArray[np.int64],
        address: npt.NDArray[np.int64],
        arrays: Sequence[npt.NDArray[Any]],
        where: str,
    ) -> None:
        """Read pieces of the file to their addresses in `arrays`, on several cores if it pays.

        Parameters
        ----------
        offset, n_bytes, address : ndarray of int64, shape (n_pieces,)
            In any order; what follows each other in the file is read in one go.
        arrays : sequence of ndarray
            The addresses lie in them.
        where : str
            For the message.

        Raises
        ------
        CohortError
            If the file has become too short.
        """
        runs = find_runs(offset, n_bytes, address, arrays, most_bytes=_SHARE, most_places=_BUFFERS)
        self._foresee(runs)
        n_shares = min(n_threads() * _SHARES, runs.total // _SHARE)
        in_threads(lambda share: self._fill_runs(runs, *share, where), runs.shares(n_shares))

    def fill(self, pieces: list[memoryview], offset: int, where: str) -> None:
        """Fill all pieces with what follows `offset`, one after the other.

        Raises
        ------
        CohortError
            If the file has become too short.
        """
        missing = sum(piece.nbytes for piece in pieces)
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

    def _foresee(self, runs: Runs) -> None:
        """Tell the system to read further ahead if these runs go on where the last ones ended."""
        if not len(runs) or not hasattr(os, "posix_fadvise"):
            return
        goes_on = int(runs.offset[0]) == self._end
        self._end = int(runs.offset[-1] + runs.n_bytes[-1])
        if goes_on != self._goes_on:
            self._goes_on = goes_on
            advice = os.POSIX_FADV_SEQUENTIAL if goes_on else os.POSIX_FADV_NORMAL
            with suppress(OSError):
                os.posix_fadvise(self._file.fileno(), 0, 0, advice)

    def _fill_runs(self, runs: Runs, run: int, stop: int, where: str) -> None:
        from corespot.io.imzml_ibd_kernel import fill_runs

        columns = runs.offset, runs.n_bytes, runs.bounds, runs.places
        while run < stop:
            if _IS_COMPILED and hasattr(os, "preadv"):
                run = fill_runs(self._file.fileno(), *columns, run, stop)
            if run < stop:
                # Cut short, refused, or at the end of the file: here it is finished or told.
                self.fill(runs.buffers(run), int(runs.offset[run]), where)
                run += 1

    def _read_at(self, pieces: list[memoryview], offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), pieces, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.readinto(pieces[0]) or 0


def _after(pieces: list[memoryview], n_bytes: int) -> list[memoryview]:
    """What is left of `pieces` after so many bytes."""
    for k, piece in enumerate(pieces):
        if n_bytes < piece.nbytes:
            return [piece[n_bytes:], *pieces[k + 1 :]]
        n_bytes -= piece.nbytes
    return []
