"""Compiled: bytes of an open file put where they belong, one call of the system after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from corespot.compiled import compiled

_preadv: Any = types.ExternalFunction(
    "preadv", types.intp(types.intc, types.uintp, types.intc, types.int64)
)


@compiled
def join_neighbours(
    offset: npt.NDArray[np.int64],
    n_bytes: npt.NDArray[np.int64],
    address: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    most_bytes: int,
    most_places: int,
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]
]:
    """Offset, size, bounds and places of the runs that `fill_runs` takes.

    Parameters
    ----------
    offset, n_bytes, address : ndarray of int64, shape (n_pieces,)
        Where each piece lies in the file, its size, and where in memory it is to go.
    order : ndarray of int64, shape (n_pieces,)
        Pieces by their place in the file.
    most_bytes, most_places : int
        A run ends with the piece that brings it to so many bytes, or to so many pieces.
    """
    run_offset, run_bytes = np.empty_like(offset), np.empty_like(offset)
    bounds = np.empty(offset.size + 1, np.int64)
    places = np.empty((offset.size, 2), np.int64)
    n_runs, n_places, end = 0, 0, -1
    for k in order:
        if n_bytes[k] == 0:
            continue
        if (
            n_runs == 0
            or offset[k] != end
            or run_bytes[n_runs - 1] >= most_bytes
            or n_places - bounds[n_runs - 1] == most_places
        ):
            run_offset[n_runs], run_bytes[n_runs], bounds[n_runs] = offset[k], 0, n_places
            n_runs += 1
        run_bytes[n_runs - 1] += n_bytes[k]
        places[n_places] = address[k], n_bytes[k]
        n_places += 1
        end = offset[k] + n_bytes[k]
    bounds[n_runs] = n_places
    return run_offset[:n_runs], run_bytes[:n_runs], bounds[: n_runs + 1], places[:n_places]


@compiled
def fill_runs(
    descriptor: int,
    offset: npt.NDArray[np.int64],
    n_bytes: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    start: int,
    stop: int,
) -> int:
    """Fill the runs from `start` to `stop`; the first that was not filled at once, or `stop`.

    Only where `os.preadv` exists and pointers have 64 bits.

    Parameters
    ----------
    descriptor : int
        Of the open file.
    offset, n_bytes : ndarray of int64, shape (n_runs,)
        First byte of each run in the file, and how many there are.
    bounds : ndarray of int64, shape (n_runs + 1,)
        Run i goes to ``places[bounds[i]:bounds[i + 1]]``, one place after the other.
    places : ndarray of int64, shape (n_places, 2), C-contiguous
        Address and bytes, as the system's ``iovec`` has them. Nothing checks them here.
    start, stop : int
        Runs to fill.
    """
    first = places.ctypes.data
    for k in range(start, stop):
        place = first + np.uintp(16 * bounds[k])
        n_places = np.intc(bounds[k + 1] - bounds[k])
        if _preadv(np.intc(descriptor), place, n_places, offset[k]) != n_bytes[k]:
            return k
    return stop
