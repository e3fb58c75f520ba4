"""Every problem of an imzML file at once, down to its last value."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from corespot.errors import CohortError, Problem
from corespot.io.imzml_ibd import IbdReader, ibd_path_of
from corespot.io.imzml_index import ArrayIndex, ImzMLIndex
from corespot.io.imzml_layout import Mask, check_layout, flag
from corespot.io.imzml_problems import ProblemLog, make_problem
from corespot.io.imzml_terms import DTYPES
from corespot.io.imzml_xml import read_index
from corespot.progress import track

# Bytes of a block of spectra while values are scanned.
_BLOCK_BYTES = 1 << 25


def check_imzml(path: Path | str, *, checksum: bool = True, values: bool = True) -> list[Problem]:
    """Find everything wrong with an imzML measurement.

    Parameters
    ----------
    path : Path
        The .imzML file.
    checksum : bool
        Compare the .ibd with the checksums its .imzML states. Reads the whole file.
    values : bool
        Look at every m/z value and intensity, and compare the index with pyimzml's.
        Reads the whole file.

    Returns
    -------
    list of Problem
        Empty for a sound file. A kind of problem met very often is listed ten times and then
        counted.
    """
    path = Path(path)
    ibd_path = ibd_path_of(path)
    missing = [make_problem("missing-ibd", path.name, f"there is no {ibd_path.name}")]
    try:
        index = read_index(path)
    except CohortError as error:
        # Without an .imzML the .ibd is not missed.
        lonely = ibd_path.is_file() or any(p.code == "missing-imzml" for p in error.problems)
        return list(error.problems) + ([] if lonely else missing)
    log = index.log
    if not ibd_path.is_file():
        check_layout(index, None, log)
        return missing + log.problems()
    try:
        ibd = IbdReader(ibd_path)
    except OSError as error:
        found = error.strerror or str(error)
        return [make_problem("unreadable-file", ibd_path.name, found), *log.problems()]
    try:
        readable = check_layout(index, ibd.size, log)
        check_uuid(index, ibd, log)
        if checksum:
            _check_checksums(index, ibd, log)
        if values:
            _check_values(index, ibd, readable, log)
            _ask_pyimzml(path, index, log)
    except OSError as error:
        log.add("unreadable-file", ibd_path.name, error.strerror or str(error))
    finally:
        ibd.close()
    return log.problems()


def check_uuid(index: ImzMLIndex, ibd: IbdReader, log: ProblemLog) -> None:
    """Compare the UUID of the .imzML with the first bytes of the .ibd."""
    if index.uuid is None or not index.uuid.strip():
        log.add("missing-uuid", index.name, "the header has no UUID")
        return
    header = ibd.header()
    try:
        stated = UUID(index.uuid.strip())
    except ValueError:
        log.add("uuid-mismatch", index.name, f"{index.uuid!r} is not a UUID")
        return
    # Windows exporters write the first three fields of a GUID with their bytes swapped.
    if header not in (stated.bytes, stated.bytes_le):
        found = f"the .imzML has {stated.hex}, {ibd.path.name} has {header.hex() or 'nothing'}"
        log.add("uuid-mismatch", index.name, found)


def _check_checksums(index: ImzMLIndex, ibd: IbdReader, log: ProblemLog) -> None:
    stated = {name: text.strip().lower() for name, text in index.checksums.items() if text.strip()}
    if not stated:
        return
    for name, digest in ibd.digests(sorted(stated)).items():
        if digest != stated[name]:
            found = f"the .imzML states {name} {stated[name]}, the file has {digest}"
            log.add("checksum-mismatch", ibd.path.name, found)


def _check_values(index: ImzMLIndex, ibd: IbdReader, readable: Mask, log: ProblemLog) -> None:
    checks = ((index.mz, _check_mz), (index.intensity, _check_intensity))
    for arrays, check in checks:
        spectra = _distinct(arrays, readable)
        for rows in track(
            _blocks(arrays, spectra), label=f"check {index.name}", total=None, unit="blocks"
        ):
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


def _ask_pyimzml(path: Path, index: ImzMLIndex, log: ProblemLog) -> None:
    """Compare the index with pyimzml's where pyimzml can read the file at all.

    Of a file whose spectra are all written alike, pyimzml is given an excerpt: spectra of each
    way in which they are written, and the header and tail of the file.
    """
    from pyimzml.ImzMLParser import ImzMLParser

    if log or len(index) == 0:
        # Nothing to referee: the file is refused already.
        return
    excerpt = index.excerpt
    rows = np.arange(len(index)) if excerpt is None else excerpt.rows
    try:
        with (
            warnings.catch_warnings(),
            path.open("rb") if excerpt is None else BytesIO(excerpt.xml) as file,
        ):
            warnings.simplefilter("ignore")
            parser = ImzMLParser(file, ibd_file=None)
    except Exception:
        # pyimzml fails in many ways on files it does not know; that is why it is only asked.
        return
    coordinates = index.coordinates[rows]
    theirs = {
        "m/z offset": (parser.mzOffsets, index.mz.offset[rows]),
        "m/z length": (parser.mzLengths, index.mz.length[rows]),
        "intensity offset": (parser.intensityOffsets, index.intensity.offset[rows]),
        "intensity length": (parser.intensityLengths, index.intensity.length[rows]),
        "x": ([c[0] for c in parser.coordinates], coordinates[:, 0]),
        "y": ([c[1] for c in parser.coordinates], coordinates[:, 1]),
        "z": ([c[2] for c in parser.coordinates], coordinates[:, 2]),
    }
    for what, (their, our) in theirs.items():
        if not np.array_equal(np.asarray(their), our):
            log.add("parsers-disagree", index.name, f"the readings of {what} differ")
    precisions = ((parser.mzPrecision, index.mz), (parser.intensityPrecision, index.intensity))
    for precision, arrays in precisions:
        if precision is not None and np.any(
            np.array([d.str for d in DTYPES])[arrays.dtype] != np.dtype(f"<{precision}").str
        ):
            log.add("parsers-disagree", index.name, f"pyimzml reads type {precision!r}")
