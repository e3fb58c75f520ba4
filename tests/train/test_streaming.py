"""Spectra streamed from a store give the numbers that resident ones give, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from corespot.models.spectra_input import check_spectra
from corespot.models.spectra_rows import SpectraRows
from corespot.train.data import DeviceSpectra, hold_on, root_mean_square, take_rows
from corespot.train.estimator import make_estimator
from corespot.train.fit_inputs import Told
from corespot.train.network_classifier import NetworkClassifier
from corespot.train.streaming import RowReader, stream

CPU = torch.device("cpu")
DTYPES = [np.float32, np.float16, np.float64, np.dtype(">f4")]


def stored(folder: Path, dtype: Any, n: int = 40, n_bins: int = 90) -> npt.NDArray[Any]:
    x = np.random.default_rng(0).gamma(1.0, size=(n, n_bins))
    np.save(folder / "x.npy", x.astype(dtype))
    return np.load(folder / "x.npy", mmap_mode="r")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_batches_are_the_same_resident_streamed_and_in_memory(tmp_path: Path, dtype: Any) -> None:
    mapped = stored(tmp_path, dtype)
    expected = np.asarray(mapped, dtype=np.float32) * np.float32(3)
    rng = np.random.default_rng(1)
    batches = [rng.permutation(40)[:size] for size in (7, 1, 16, 16, 3)]
    for source in (
        mapped,
        np.array(mapped),
        np.array(mapped)[::-1][::-1],
        mapped[:, ::-1][:, ::-1],
    ):
        for resident in (True, False):
            spectra = DeviceSpectra(check_spectra(source), CPU, scale=3.0, resident=resident)
            assert spectra.resident is resident
            for rows, batch in zip(batches, spectra.in_turn(batches), strict=True):
                assert batch.dtype == torch.float32
                np.testing.assert_array_equal(batch.numpy(), expected[rows])
                np.testing.assert_array_equal(spectra.batch(rows).numpy(), expected[rows])
            parts = list(spectra.batches(16))
            assert [rows for rows, _ in parts] == [slice(0, 16), slice(16, 32), slice(32, 40)]
            whole = np.concatenate([batch.numpy() for _, batch in parts])
            np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(np.asarray(mapped, dtype=np.float32) * np.float32(3), expected)


def test_half_floats_stay_half_floats_until_the_step(tmp_path: Path) -> None:
    mapped = stored(tmp_path, np.float16)
    held = hold_on(mapped, CPU)
    assert held is not None
    assert held.spectra.dtype == torch.float16
    exact = hold_on(stored(tmp_path, np.float64), CPU)
    assert exact is not None
    assert exact.spectra.dtype == torch.float32


@given(st.lists(st.integers(0, 19), min_size=1, max_size=30), st.integers(1, 6))
def test_rows_of_a_store_are_those_read_at_once(rows: list[int], size: int) -> None:
    x = np.random.default_rng(0).random((20, 5)).astype(np.float16)
    view = SpectraRows(x, np.array(rows))
    expected = np.asarray(x[rows], dtype=np.float32)
    assert (view.shape, view.size, len(view)) == (expected.shape, expected.size, len(expected))
    np.testing.assert_array_equal(view[:], expected)
    np.testing.assert_array_equal(np.asarray(view), expected)
    np.testing.assert_array_equal(view[2:4], expected[2:4])
    some = np.arange(len(rows))[::-1][:3]
    np.testing.assert_array_equal(view.take(some)[:], expected[some])
    np.testing.assert_array_equal(take_rows(view, some)[:], expected[some])
    assert check_spectra(view) is view
    assert root_mean_square(view) == root_mean_square(expected)
    parts = np.split(np.arange(len(rows)), range(size, len(rows), size))
    found = [block.numpy() for block in stream(RowReader(view, CPU), parts, CPU)]
    np.testing.assert_array_equal(np.concatenate(found), expected)


def test_no_copy_of_rows_that_are_not_in_memory() -> None:
    view = SpectraRows(np.zeros((3, 2), dtype=np.float32), np.arange(2))
    with pytest.raises(ValueError, match="not in memory"):
        np.asarray(view, copy=False)


def test_rows_of_a_store_have_the_fingerprint_of_the_array() -> None:
    x = np.random.default_rng(0).random((20, 5)).astype(np.float16)
    rows, y = np.arange(3, 15), np.arange(12) % 2
    view = check_spectra(SpectraRows(x, rows))
    taken = np.asarray(x[rows], dtype=np.float32)
    assert Told(view, y, None, None).fingerprint == Told(taken, y, None, None).fingerprint


@pytest.mark.parametrize("name", ["isotopenet", "conv1d"])
@pytest.mark.parametrize("early", [False, True])
def test_a_fit_is_the_same_resident_streamed_and_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, early: bool
) -> None:
    mapped = stored(tmp_path, np.float16, n=60, n_bins=120)
    rows = np.random.default_rng(2).permutation(60)[:48]
    y, groups = np.arange(48) % 2, np.arange(48) // 6
    view = SpectraRows(mapped, rows)
    taken = np.asarray(mapped[rows], dtype=np.float32)

    def fitted(x: Any) -> NetworkClassifier:
        settings = {"epochs": 2, "batch_size": 16, "early_stopping": early, "validation_folds": 2}
        made = make_estimator(name, settings, seed=3, device="cpu")
        return made.fit(x, y, groups=groups)  # type: ignore[no-any-return]

    expected = fitted(taken)
    resident = fitted(view)
    monkeypatch.setattr("corespot.train.data._SHARE", 0.0)
    streamed = fitted(view)
    for other in (resident, streamed):
        for key, value in expected.network_.state_dict().items():
            assert torch.equal(value, other.network_.state_dict()[key]), key
        for x in (taken, view):
            np.testing.assert_array_equal(other.predict_proba(x), expected.predict_proba(taken))
        losses = [entry["train_loss"] for entry in other.history_]
        assert losses == [entry["train_loss"] for entry in expected.history_]


def test_an_abandoned_stream_stops_reading(tmp_path: Path) -> None:
    read: list[int] = []

    class Counting(RowReader):
        def read(self, rows: Any, block: Any = None) -> torch.Tensor:
            read.append(len(rows))
            return super().read(rows, block)

    batches = [np.arange(4)] * 100
    abandoned = stream(Counting(stored(tmp_path, np.float32), CPU), batches, CPU)
    next(abandoned)
    abandoned.close()
    assert len(read) <= 4


def test_an_error_while_reading_is_the_callers(tmp_path: Path) -> None:
    reader = RowReader(stored(tmp_path, np.float32), CPU)
    with pytest.raises(IndexError):
        list(stream(reader, [np.array([10**6])], CPU))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_streaming_to_a_gpu_is_the_same(tmp_path: Path, dtype: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    mapped = stored(tmp_path, dtype, n=500)
    rng = np.random.default_rng(1)
    batches = [rng.permutation(500)[:size] for size in [33] * 20 + [32] * 20]
    gpu = torch.device("cuda")
    resident, streamed = (DeviceSpectra(mapped, gpu, scale=3.0, resident=r) for r in (True, False))
    for rows, batch in zip(batches, streamed.in_turn(batches), strict=True):
        assert torch.equal(batch, resident.batch(rows))
        torch.cuda._sleep(1_000_000)  # the device is behind: no block may be filled too early
