"""Every problem of an imzML file at once, down to its last value."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from uuid import UUID

import numpy as np

from corespot.errors import CohortError, Problem
from corespot.io.imzml_ibd import IbdReader, ibd_path_of
from corespot.io.imzml_index import ImzMLIndex
from corespot.io.imzml_layout import Mask, check_layout
from corespot.io.imzml_problems import ProblemLog, make_problem
from corespot.io.imzml_terms import DTYPES
from corespot.io.imzml_values import check_values
from corespot.io.imzml_xml import read_index


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
        _check_contents(index, ibd, readable if values else None, log, checksum=checksum)
        if values:
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


def _check_contents(
    index: ImzMLIndex, ibd: IbdReader, readable: Mask | None, log: ProblemLog, *, checksum: bool
) -> None:
    """Compare checksums and look at values (of `readable` spectra), at the same time."""
    stated = {name: text.strip().lower() for name, text in index.checksums.items() if text.strip()}
    with ThreadPoolExecutor(1) as pool:
        digests = pool.submit(ibd.digests, sorted(stated) if checksum else [])
        found = ProblemLog()
        try:
            if readable is not None:
                check_values(index, ibd, readable, found)
            is_sound = not found
        except OSError:
            is_sound = False
        for name, digest in digests.result().items():
            if digest != stated[name]:
                text = f"the .imzML states {name} {stated[name]}, the file has {digest}"
                log.add("checksum-mismatch", ibd.path.name, text)
    if readable is not None and not is_sound:
        # Told after what was found before, and counted together with it.
        check_values(index, ibd, readable, log)


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
