"""Spectra read in blocks are those that are read alone, whatever the system hands out at once."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imzml_forge import Forge, spectra
from test_imzml_conformance import FILES, SHARED

from corespot import open_imzml
from corespot.errors import CohortError
from corespot.io import imzml_ibd_file, imzml_ibd_kernel, imzml_ibd_rooms
from corespot.io.imzml import ImzMLFile


def plain(patch: pytest.MonkeyPatch) -> None:
    """As it is."""


def in_small_shares(patch: pytest.MonkeyPatch, threads: int = 2) -> None:
    patch.setattr(imzml_ibd_file, "_SHARE", 50)
    patch.setattr(imzml_ibd_rooms, "_LEAST_BYTES", 50)
    patch.setenv("OMP_NUM_THREADS", str(threads))


def on_one_thread(patch: pytest.MonkeyPatch) -> None:
    in_small_shares(patch, 1)


def on_five_threads(patch: pytest.MonkeyPatch) -> None:
    in_small_shares(patch, 5)


def with_few_buffers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(imzml_ibd_file, "_BUFFERS", 2)


def refused_now_and_then(patch: pytest.MonkeyPatch) -> None:
    in_small_shares(patch)
    filled, n_calls = imzml_ibd_kernel.fill_runs, itertools.count()

    def fill_some(*arguments: Any) -> int:
        *rest, start, stop = arguments
        return filled(*rest, start, min(start + next(n_calls) % 3, stop))

    patch.setattr(imzml_ibd_kernel, "fill_runs", fill_some)


def uncompiled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(imzml_ibd_file, "_IS_COMPILED", False)


def in_dribs_and_drabs(patch: pytest.MonkeyPatch) -> None:
    uncompiled(patch)
    whole = os.preadv

    def little(descriptor: int, pieces: list[memoryview], offset: int) -> int:
        left, some = 37, []
        for piece in pieces:
            some.append(piece[:left])
            left -= some[-1].nbytes
        return whole(descriptor, some, offset)

    patch.setattr(os, "preadv", little)


def without_preadv(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(os, "preadv")
    patch.delattr(os, "posix_fadvise", raising=False)
    patch.setattr(imzml_ibd_file, "_BUFFERS", 1)


WAYS = [
    plain,
    on_one_thread,
    in_small_shares,
    on_five_threads,
    with_few_buffers,
    refused_now_and_then,
    uncompiled,
    in_dribs_and_drabs,
    without_preadv,
]


def assert_blocks_are_right(measurement: ImzMLFile, seed: int = 0) -> None:
    random, n = np.random.default_rng(seed), len(measurement)
    orders = [np.arange(n), np.arange(n)[::-1], random.integers(0, n, 2 * n), np.arange(0)]
    for order in orders:
        block = measurement.spectra(order)
        assert len(block) == order.size
        for i, (mz, intensity) in zip(order, block, strict=True):
            alone = measurement.spectrum(int(i))
            for ours, expected in zip((mz, intensity), alone, strict=True):
                assert ours.dtype == expected.dtype
                np.testing.assert_array_equal(ours, expected)
            assert not mz.flags.writeable
        assert [mz.size for mz, _ in block[1:-1:2]] == [mz.size for mz, _ in list(block)[1:-1:2]]
        if order.size:
            np.testing.assert_array_equal(block[-1][1], measurement.spectrum(int(order[-1]))[1])
            with pytest.raises(IndexError):
                block[order.size]
        if measurement.mode == "continuous":
            stacked = [measurement.spectrum(int(i))[1] for i in order]
            rows = measurement.intensity_block(order)
            assert rows.dtype == np.float32
            np.testing.assert_array_equal(rows, np.reshape(stacked, rows.shape))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("kinds", [("<f8", "<f4"), ("<f4", "<i2")])
def test_forged_files(
    kinds: tuple[str, str],
    continuous: bool,
    packed: bool,
    way: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = spectra(20, 30)
    if not continuous:
        lengths = np.random.default_rng(1).integers(0, 30, 20)
        made = [(mz[:k], heights[:k]) for k, (mz, heights) in zip(lengths, made, strict=True)]
    mz_type, intensity_type = kinds
    forge = Forge(made, None, continuous, mz_type, intensity_type, packed)
    path = forge.write(tmp_path)
    way(monkeypatch)
    with open_imzml(path) as measurement:
        assert_blocks_are_right(measurement)
        for wrong in ([20], [-1]):
            with pytest.raises(IndexError, match="0 to 19"):
                measurement.spectra(wrong)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("continuous", [False, True])
def test_a_file_that_shrinks_is_refused(
    continuous: bool,
    way: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = Forge(spectra(9, 40), continuous=continuous).write(tmp_path)
    way(monkeypatch)
    with open_imzml(path) as measurement:
        data = (tmp_path / "m.ibd").read_bytes()
        (tmp_path / "m.ibd").write_bytes(data[:-4])
        assert len(measurement.spectra(range(8))) == 8
        with pytest.raises(CohortError, match="ibd ended 4 bytes before the array did"):
            measurement.spectra([8])
        with pytest.raises(CohortError, match="truncated-ibd"):
            measurement.spectra(range(9))
    with pytest.raises(ValueError, match="closed"):
        measurement.spectra([0])


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="the system has no preadv")
def test_whole_blocks_are_read_by_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Forge(spectra(9, 40), continuous=False).write(tmp_path)
    with open_imzml(path) as measurement:
        expected = [measurement.spectrum(i) for i in range(9)]
        monkeypatch.setattr(os, "preadv", None)
        for (mz, heights), alone in zip(measurement.spectra(range(9)), expected, strict=True):
            np.testing.assert_array_equal(mz, alone[0])
            np.testing.assert_array_equal(heights, alone[1])


def test_arrays_in_any_order_and_arrays_that_are_shared(tmp_path: Path) -> None:
    made = spectra(4, 5)
    size = 5 * 8 + 5 * 4
    offsets = [16 + 40 + size * i for i in (2, 0, 3, 3)]
    moved = {(i, "intensity", "offset"): offset for i, offset in enumerate(offsets)}
    moved |= {(i, "mz", "offset"): 16 for i in (1, 2)}
    path = Forge(spectra=made, continuous=False, override=moved).write(tmp_path)
    with open_imzml(path) as measurement:
        assert_blocks_are_right(measurement)
        block = measurement.spectra(range(4))
        for (_, intensity), i in zip(block, (2, 0, 3, 3), strict=True):
            np.testing.assert_array_equal(intensity, made[i][1])


@pytest.mark.parametrize("name", FILES or ["conformance"])
def test_real_files(name: str, shared_data: Callable[[str], Path]) -> None:
    shared_data("conformance")
    with open_imzml(SHARED / name) as measurement:
        assert_blocks_are_right(measurement)
