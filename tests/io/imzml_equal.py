"""The index of one imzML file read twice: by parsing every spectrum, and by the scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corespot.errors import CohortError, Problem
from corespot.io import imzml_xml
from corespot.io.imzml_index import ImzMLIndex
from corespot.io.imzml_scan import scan_index

FIELDS = ("name", "declared_mode", "uuid", "checksums", "is_profile", "pixel_size_um", "mode")
COLUMNS = ("offset", "length", "encoded", "dtype", "compressed")


def parsed(path: Path) -> ImzMLIndex | tuple[Problem, ...]:
    """What the parser makes of it: an index, or a refusal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imzml_xml, "SCAN_FROM_BYTES", 1 << 60)
        return read(path)


def read(path: Path) -> ImzMLIndex | tuple[Problem, ...]:
    try:
        return imzml_xml.read_index(path)
    except CohortError as error:
        return error.problems


def assert_equal(ours: ImzMLIndex, expected: ImzMLIndex) -> None:
    for field in FIELDS:
        assert getattr(ours, field) == getattr(expected, field), field
    arrays = [(ours.coordinates, expected.coordinates)]
    for kind in ("mz", "intensity"):
        mine, theirs = getattr(ours, kind), getattr(expected, kind)
        arrays += [(getattr(mine, column), getattr(theirs, column)) for column in COLUMNS]
    for mine, theirs in arrays:
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        np.testing.assert_array_equal(mine, theirs)
        assert mine.flags.writeable and mine.flags.c_contiguous
    assert ours.log.problems() == expected.log.problems()


def assert_scan_is_right(path: Path) -> bool:
    """Hold the scan against the parser; whether the scan understood the file."""
    expected = parsed(path)
    ours = scan_index(path)
    if ours is None:
        return False
    assert isinstance(expected, ImzMLIndex), f"scanned what is refused: {expected}"
    assert not expected.log, f"scanned what is refused: {expected.log.problems()}"
    assert_equal(ours, expected)
    return True
