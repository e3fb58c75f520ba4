"""Which bytes of an .ibd can be read with one call of the system, and where in memory they go."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

#: int64, shape (n,).
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Stretches of the file in its order, each of pieces that follow each other there.

    Parameters
    ----------
    offset, n_bytes : ndarray of int64, shape (n_runs,)
        First byte of each run in the file, and how many there are.
    bounds : ndarray of int64, shape (n_runs + 1,)
        Run i goes to ``places[bounds[i]:bounds[i + 1]]``, one place after the other.
    places : ndarray of int64, shape (n_places, 2)
        Address and bytes.
    arrays : sequence of ndarray
        What lies at those addresses, kept alive for as long as somebody may write there.
    """

    offset: Numbers
    n_bytes: Numbers
    bounds: Numbers
    places: Numbers
    arrays: Sequence[npt.NDArray[Any]]

    @property
    def total(self) -> int:
        """Bytes of all runs."""
        return int(self.n_bytes.sum())

    def __len__(self) -> int:
        return len(self.offset)

    def buffers(self, run: int) -> list[memoryview]:
        """The places of one run as memory to write into."""
        places = self.places[self.bounds[run] : self.bounds[run + 1]].tolist()
        return [
            memoryview((ctypes.c_ubyte * n_bytes).from_address(address)).cast("B")
            for address, n_bytes in places
        ]

    def shares(self, most: int) -> list[tuple[int, int]]:
        """First and end of groups of runs with about as many bytes each, `most` at most."""
        if not len(self):
            return []
        ends = np.cumsum(self.n_bytes)
        inner = np.searchsorted(ends, np.arange(1, most) * ends[-1] // most)
        edges = [0, *inner.tolist(), len(self)]
        return [(first, stop) for first, stop in pairwise(edges) if first < stop]


def find_runs(
    offset: Numbers,
    n_bytes: Numbers,
    address: Numbers,
    arrays: Sequence[npt.NDArray[Any]],
    *,
    most_bytes: int,
    most_places: int,
) -> Runs:
    """Runs of the pieces at these offsets of the file that are to go to these addresses.

    Parameters
    ----------
    offset, n_bytes, address : ndarray of int64, shape (n_pieces,)
        In any order; pieces may be empty, overlap in the file or be asked for again.
    arrays : sequence of ndarray
        The addresses lie in them.
    most_bytes, most_places : int
        A run ends with the piece that brings it to so many bytes, or to so many pieces.
    """
    from corespot.io.imzml_ibd_kernel import join_neighbours

    order = np.argsort(offset, kind="stable")
    joined = join_neighbours(offset, n_bytes, address, order, most_bytes, most_places)
    return Runs(*joined, arrays)
