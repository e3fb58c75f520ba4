"""Every value of an .ibd: finite, m/z not negative and ascending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.errors import CohortError
from corespot.io.imzml_ibd import IbdReader
from corespot.io.imzml_index import ArrayIndex, ImzMLIndex
from corespot.io.imzml_layout import Mask, flag
from corespot.io.imzml_problems import ProblemLog
from corespot.progress import track

# Bytes of a block of spectra while values are scanned.
_BLOCK_BYTES = 1 << 25


def check_values(index: ImzMLIndex, ibd: IbdReader, readable: Mask, log: ProblemLog) -> None:
    """Look at every m/z value and every intensity of the spectra that can be read.

    Parameters
    ----------
    index : ImzMLIndex
        Where the arrays lie.
    ibd : IbdReader
        The open .ibd.
    readable : ndarray of bool, shape (n,)
        Which spectra can be read, as `check_layout` says.
    log : ProblemLog
        Receives what is wrong.
    """
    checks = ((index.mz, _check_mz), (index.intensity, _check_intensity))
    for arrays, check in checks:
        spectra = _distinct(arrays, readable)
        stretches = list(_stretches(arrays, spectra))
        for stretch in track(stretches, label=f"check {index.name}", unit="blocks"):
            if _is_sound(arrays, stretch, ibd, index.name, ascending=arrays is index.mz):
                continue
            for rows in _blocks(arrays, stretch):
                try:
                    if rows.size == 1:
                        i = int(rows[0])
                        block = ibd.array(arrays, i, index.where(i))[np.newaxis]
                    else:
                        block = ibd.rows(arrays, rows, index.name)
                except CohortError as error:
                    for problem in error.problems:
                        log.add(problem.code, problem.where, problem.found)
                    continue
                check(index, rows, block, log)


def _stretches(
    arrays: ArrayIndex, spectra: npt.NDArray[np.int64]
) -> Iterator[npt.NDArray[np.int64]]:
    """Spectra whose arrays can be read together, a bounded number of bytes at a time."""
    if spectra.size == 0:
        return
    block = np.cumsum(arrays.n_bytes[spectra]) // _BLOCK_BYTES
    kinds = (block, arrays.dtype[spectra], arrays.compressed[spectra])
    changes = np.any([np.diff(kind) != 0 for kind in kinds], axis=0)
    yield from np.split(spectra, np.flatnonzero(changes) + 1)


def _is_sound(
    arrays: ArrayIndex,
    rows: npt.NDArray[np.int64],
    ibd: IbdReader,
    where: str,
    *,
    ascending: bool,
) -> bool:
    """Whether nothing is wrong with these arrays, seen at a glance: what is, is told elsewhere."""
    room = ibd.many(arrays, rows)
    if room is None:
        return False
    values, bounds = room
    try:
        ibd.fill([(arrays, values, bounds)], rows, where)
    except CohortError:
        return False
    if values.dtype.kind == "f":
        # Neither is finite if any value is not.
        lowest, highest = values.min(initial=0), values.max(initial=0)
        if not (np.isfinite(lowest) and np.isfinite(highest)):
            return False
    if not ascending:
        return True
    falls = values[1:] < values[:-1]
    falls[bounds[(bounds > 0) & (bounds < values.size)] - 1] = False
    return bool(values.min(initial=0) >= 0 and not falls.any())


def _distinct(arrays: ArrayIndex, readable: Mask) -> npt.NDArray[np.int64]:
    """One spectrum per distinct array: shared m/z is looked at once."""
    spectra = np.flatnonzero(readable & (arrays.length > 0))
    columns = (arrays.offset, arrays.length, arrays.dtype, arrays.compressed)
    _, first = np.unique(np.stack([c[spectra] for c in columns], axis=1), axis=0, return_index=True)
    return np.asarray(spectra[np.sort(first)], dtype=np.int64)


def _blocks(arrays: ArrayIndex, spectra: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Runs of spectra that can be read as one rectangular block of bounded size."""
    if spectra.size == 0:
        return
    alike = (np.diff(arrays.length[spectra]) == 0) & (np.diff(arrays.dtype[spectra]) == 0)
    alike &= ~(arrays.compressed[spectra][1:] | arrays.compressed[spectra][:-1])
    for run in np.split(spectra, np.flatnonzero(~alike) + 1):
        size = max(1, _BLOCK_BYTES // max(1, int(arrays.n_bytes[run[0]])))
        for start in range(0, run.size, size):
            yield run[start : start + size]


def _check_mz(
    index: ImzMLIndex, rows: npt.NDArray[np.int64], block: npt.NDArray[Any], log: ProblemLog
) -> None:
    finite = np.isfinite(block)
    _flag_values(index, rows, block, ~finite, "mz-not-finite", "m/z", log)
    _flag_values(index, rows, block, finite & (block < 0), "mz-negative", "m/z", log)
    # Equal neighbours pass: neighbours of a float64 axis may meet when stored as float32.
    falls = np.zeros(block.shape, dtype=bool)
    falls[:, 1:] = block[:, 1:] < block[:, :-1]
    _flag_values(index, rows, block, falls, "mz-unsorted", "m/z", log)


def _check_intensity(
    index: ImzMLIndex, rows: npt.NDArray[np.int64], block: npt.NDArray[Any], log: ProblemLog
) -> None:
    if block.dtype.kind == "f":
        bad = ~np.isfinite(block)
        _flag_values(index, rows, block, bad, "intensity-not-finite", "intensity", log)


def _flag_values(
    index: ImzMLIndex,
    rows: npt.NDArray[np.int64],
    block: npt.NDArray[Any],
    bad: npt.NDArray[np.bool_],
    code: str,
    kind: str,
    log: ProblemLog,
) -> None:
    if not bad.any():
        return
    spectra = np.zeros(len(index), dtype=bool)
    spectra[rows] = bad.any(axis=1)
    row_of = {int(spectrum): row for row, spectrum in enumerate(rows)}

    def found(spectrum: int) -> str:
        row = row_of[spectrum]
        at = int(np.argmax(bad[row]))
        before = f" after {block[row, at - 1]!s}" if code == "mz-unsorted" else ""
        return f"{kind} value {at} is {block[row, at]!s}{before}, one of {int(bad[row].sum())}"

    flag(log, index, code, spectra, found)
