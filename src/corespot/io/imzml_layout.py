"""Whether the index of an imzML file fits its .ibd: checked before a single value is read.

pyimzml returns empty arrays, without an error, for every spectrum beyond the end of a truncated
.ibd. Here every offset and length is held against the size of the file first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from corespot.io.imzml_index import ABSENT, ArrayIndex, ImzMLIndex
from corespot.io.imzml_problems import MAX_LISTED, ProblemLog

#: Bytes of the UUID that opens every .ibd.
HEADER_BYTES = 16
# deflate cannot pack more than 1032 bytes into one; a larger claim is a decompression bomb.
_ZLIB_LIMIT = 1032

Mask = npt.NDArray[np.bool_]


def check_layout(index: ImzMLIndex, ibd_size: int | None, log: ProblemLog) -> Mask:
    """Check positions, offsets and lengths of every spectrum.

    Parameters
    ----------
    index : ImzMLIndex
        What the XML says.
    ibd_size : int or None
        Bytes of the .ibd; None when there is none, which skips the checks against it.
    log : ProblemLog
        Receives what is wrong.

    Returns
    -------
    ndarray of bool, shape (n,)
        Which spectra can be read.
    """
    readable = _check_arrays(index, "m/z", index.mz, ibd_size, log)
    readable &= _check_arrays(index, "intensity", index.intensity, ibd_size, log)
    n_mz, n_intensity = index.mz.length, index.intensity.length
    differ = readable & (n_mz != n_intensity)
    flag(
        log,
        index,
        "array-lengths-differ",
        differ,
        lambda i: f"{n_mz[i]} m/z values and {n_intensity[i]} intensities",
    )
    _check_positions(index, log)
    return np.asarray(readable & ~differ, dtype=np.bool_)


def flag(
    log: ProblemLog, index: ImzMLIndex, code: str, mask: Mask, found: Callable[[int], str]
) -> None:
    """Log every spectrum in `mask` as a problem of kind `code`."""
    rows = np.flatnonzero(mask)
    for row in rows[:MAX_LISTED]:
        log.add(code, index.where(int(row)), found(int(row)))
    if rows.size > MAX_LISTED:
        log.add_more(code, int(rows.size) - MAX_LISTED, index.where(int(rows[-1])))


def _check_arrays(
    index: ImzMLIndex, kind: str, arrays: ArrayIndex, ibd_size: int | None, log: ProblemLog
) -> Mask:
    offset, length, encoded = arrays.offset, arrays.length, arrays.encoded
    unpacked = length * arrays.itemsize
    end = offset + arrays.n_bytes
    has_encoded = encoded != ABSENT
    # Spectra the XML pass has already objected to are not judged again.
    known = (offset != ABSENT) & (length != ABSENT) & (arrays.dtype >= 0)
    known &= has_encoded | ~arrays.compressed

    negative = known & ((offset < 0) | (length < 0) | (has_encoded & (encoded < 0)))
    flag(
        log,
        index,
        "negative-offset",
        negative,
        lambda i: (
            f"{kind} array: offset {offset[i]}, array length {length[i]}"
            + (f", encoded length {encoded[i]}" if has_encoded[i] else "")
        ),
    )
    sound = known & ~negative
    wrong = sound & ~arrays.compressed & has_encoded & (encoded != unpacked)
    flag(
        log,
        index,
        "encoded-length",
        wrong,
        lambda i: (
            f"{kind} array: encoded length {encoded[i]}, but {length[i]} values of "
            f"{arrays.itemsize[i]} bytes are {unpacked[i]}"
        ),
    )
    # An empty array has no bytes, so where it claims to lie does not matter.
    full = sound & (length > 0)
    overlap = full & (offset < HEADER_BYTES)
    flag(
        log, index, "header-overlap", overlap, lambda i: f"{kind} array begins at byte {offset[i]}"
    )
    bomb = full & arrays.compressed & (unpacked > _ZLIB_LIMIT * (encoded + 1))
    flag(
        log,
        index,
        "bad-compressed-data",
        bomb,
        lambda i: f"{kind} array: {encoded[i]} bytes cannot unpack to {unpacked[i]}",
    )
    short = np.zeros_like(known)
    if ibd_size is not None:
        short = full & (end > ibd_size)
        flag(
            log,
            index,
            "truncated-ibd",
            short,
            lambda i: f"{kind} array ends at byte {end[i]}, the .ibd has {ibd_size}",
        )
    return np.asarray(sound & ~(wrong | overlap | bomb | short), dtype=np.bool_)


def _check_positions(index: ImzMLIndex, log: ProblemLog) -> None:
    coordinates = index.coordinates
    known = np.flatnonzero((coordinates != ABSENT).all(axis=1))
    if known.size == 0:
        return
    _, first, inverse = np.unique(
        coordinates[known], axis=0, return_index=True, return_inverse=True
    )
    original = np.arange(len(index))
    original[known] = known[first[inverse.ravel()]]
    flag(
        log,
        index,
        "duplicate-coordinate",
        original != np.arange(len(index)),
        lambda i: (
            f"spectrum {original[i]} has the same position {tuple(int(c) for c in coordinates[i])}"
        ),
    )
