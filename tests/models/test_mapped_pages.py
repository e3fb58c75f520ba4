"""Pages asked for ahead: those of the columns wanted, of files that memory cannot hold."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corespot.models import mapped_pages
from corespot.models.bin_auc import bin_auc
from corespot.models.mapped_pages import PagesAhead, file_map
from corespot.models.spectra_rows import SpectraRows

N_BINS = 3000


@pytest.fixture
def stored(tmp_path: Path) -> np.memmap[Any, Any]:
    spectra = np.random.default_rng(0).gamma(2, 1, (40, N_BINS)).astype(np.float32)
    np.save(tmp_path / "spectra.npy", spectra)
    return np.load(tmp_path / "spectra.npy", mmap_mode="r")  # type: ignore[no-any-return]


class Noted:
    """In place of a map: what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[int, ...]] = []

    def madvise(self, *advice: int) -> None:
        self.told.append(advice)


def test_the_pages_of_the_columns_are_asked_for(
    stored: np.memmap[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped_pages, "_SHARE", 0.0)
    content = (tmp_path / "spectra.npy").read_bytes()
    noted = Noted()
    pages = PagesAhead(stored)
    pages._map = noted  # type: ignore[assignment]
    with pages:
        pages.ask(np.array([7, 3]), slice(1100, 1300))
    assert noted.told[0] == (mmap.MADV_RANDOM,) and noted.told[-1] == (mmap.MADV_NORMAL,)
    for row, (advice, start, length) in zip((7, 3), noted.told[1:-1], strict=True):
        assert advice == mmap.MADV_WILLNEED and start % mmap.PAGESIZE == 0
        assert stored[row, 1100:1300].tobytes() in content[start : start + length]
        assert length < 200 * 4 + mmap.PAGESIZE


def test_nothing_is_asked_for_in_memory_or_of_a_small_file(
    stored: np.memmap[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PagesAhead(stored)._map is None
    monkeypatch.setattr(mapped_pages, "_SHARE", 0.0)
    assert PagesAhead(stored)._map is file_map(stored)
    for other in (np.array(stored), stored[:, ::2], SpectraRows(stored, np.arange(3))):
        with PagesAhead(other) as pages:
            pages.ask(np.array([1]), slice(0, 5))
        assert pages._map is None


def test_areas_of_a_file_that_memory_cannot_hold(
    stored: np.memmap[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.random.default_rng(1).permutation(40)[:30]
    y = np.arange(30) % 2
    expected = bin_auc(np.array(stored[rows]), y, 2)
    monkeypatch.setattr(mapped_pages, "_SHARE", 0.0)
    monkeypatch.setattr("corespot.models.bin_auc._LEAST_BLOCK_BYTES", 100 * 30 * 4)
    monkeypatch.setattr("corespot.models.bin_auc._BLOCK_SHARE", 10**9)
    np.testing.assert_array_equal(bin_auc(stored, y, 2, rows=rows), expected)
    computed = SpectraRows(stored, rows)
    np.testing.assert_array_equal(bin_auc(computed, y, 2), expected)
