"""Artifacts are data, and written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.errors import StoreError
from corespot.io.artifacts import (
    read_arrays,
    read_json,
    read_table,
    whole_file,
    whole_folder,
    write_arrays,
    write_json,
    write_table,
)
from corespot.io.store import SpectraStore, create_store


def dead_process() -> int:
    worker = subprocess.Popen([sys.executable, "-c", ""])
    worker.wait()
    return worker.pid


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a.json") as part:
        part.write_text("half")
        raise RuntimeError
    assert read_json(tmp_path / "a.json") == {"x": 1}
    with whole_folder(tmp_path / "out") as folder:
        (folder / "1").write_text("one")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "out") as folder:
        (folder / "2").write_text("two")
        raise RuntimeError
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "out"]


def test_what_killed_processes_left_is_cleared_away_and_nothing_else(tmp_path: Path) -> None:
    dead = dead_process()
    (tmp_path / f".out.part-{dead}").mkdir()
    (tmp_path / f".out.part-{dead}-old").mkdir()
    (tmp_path / f".out.part-{os.getpid()}").mkdir()
    (tmp_path / f".out.part-{os.getppid()}").mkdir()
    (tmp_path / ".out.part-notes").mkdir()
    with whole_folder(tmp_path / "out"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [".out.part-notes", f".out.part-{os.getppid()}", "out"]
    )


def test_json_has_no_nan_and_arrays_no_objects(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": float("nan"), "y": np.float32(0.5), "z": (1, 2)})
    assert read_json(tmp_path / "a.json") == {"x": None, "y": 0.5, "z": [1, 2]}
    with pytest.raises(StoreError, match="Python objects"):
        write_arrays(tmp_path / "a.npz", {"bad": np.array([{}], dtype=object)})
    np.savez(tmp_path / "b.npz", bad=np.array([{}], dtype=object))
    with pytest.raises(StoreError, match="not a plain npz"):
        read_arrays(tmp_path / "b.npz")
    whole = (tmp_path / "b.npz").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2]):
        (tmp_path / "b.npz").write_bytes(damaged)
        with pytest.raises(StoreError, match="not a plain npz"):
            read_arrays(tmp_path / "b.npz")
    with pytest.raises(StoreError, match="run `dvc repro`"):
        read_json(tmp_path / "absent.json")


def make_store(path: Path, values: np.ndarray, **options: object) -> None:
    spots = pd.DataFrame({"core": ["a"] * len(values)})
    axis = MzAxis.tof(500, 600, values.shape[1])
    with create_store(path, spots=spots, axis=axis, meta={"recipe": []}, **options) as store:  # type: ignore[arg-type]
        store.write(slice(0, len(values)), values)


def test_a_store_gives_back_what_was_written(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((5, 40), dtype=np.float32)
    make_store(tmp_path / "s", values)
    store = SpectraStore.open(tmp_path / "s")
    assert np.array_equal(store.take(np.array([3, 1])), values[[3, 1]])
    assert store.axis == MzAxis.tof(500, 600, 40) and store.axis.kind == "tof"
    rows, block = next(iter(store.blocks(2)))
    assert rows == slice(0, 2) and np.array_equal(block, values[:2])


def test_blocks_may_come_in_any_order_and_type(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float64).reshape(4, 3)
    spots = pd.DataFrame({"core": list("abcd")})
    axis = MzAxis.tof(500, 600, 3)
    with create_store(
        tmp_path / "s", spots=spots, axis=axis, meta={}, dtype="float16", scale=2.0
    ) as store:
        store.write(slice(2, 4), values[2:])
        store.write(slice(0, 2), values[:2])
        with pytest.raises(StoreError, match="do not take"):
            store.write(slice(0, 2), values)
    stored = np.load(tmp_path / "s" / "spectra.npy")
    assert stored.dtype == np.float16 and np.array_equal(stored, 2 * values)


def test_a_store_refuses_what_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="exceeds 65504"):
        make_store(tmp_path / "s", np.full((1, 3), 1e5, np.float32), dtype="float16")
    with pytest.raises(StoreError, match="not finite"):
        make_store(tmp_path / "s", np.full((1, 3), np.nan, np.float32))
    spots = pd.DataFrame({"core": ["a", "b"]})
    axis = MzAxis.tof(500, 600, 3)
    with (
        pytest.raises(StoreError, match="1 spots were never written"),
        create_store(tmp_path / "s", spots=spots, axis=axis, meta={}) as store,
    ):
        store.write(slice(0, 1), np.zeros((1, 3), np.float32))
    assert list(tmp_path.iterdir()) == []


def test_an_incomplete_store_is_named(tmp_path: Path) -> None:
    make_store(tmp_path / "s", np.zeros((2, 3), np.float32))
    (tmp_path / "s" / "axis.npy").unlink()
    with pytest.raises(StoreError, match=r"axis\.npy is missing"):
        SpectraStore.open(tmp_path / "s")


def test_a_damaged_store_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    make_store(folder, np.zeros((2, 3), np.float32))
    sound = {path.name: path.read_bytes() for path in folder.iterdir()}

    def refused(name: str, message: str) -> None:
        with pytest.raises(StoreError, match=message):
            SpectraStore.open(folder)
        (folder / name).write_bytes(sound[name])

    np.save(folder / "spectra.npy", np.array([{}], dtype=object), allow_pickle=True)
    refused("spectra.npy", "is damaged .*Python objects")
    np.save(folder / "axis.npy", np.load(folder / "axis.npy")[::-1])
    refused("axis.npy", "is damaged .*must increase")
    np.save(folder / "axis.npy", np.load(folder / "axis.npy") + 5)
    refused("axis.npy", "not the axis that store.json names")
    (folder / "store.json").write_text("{")
    refused("store.json", "is not JSON")
    (folder / "spots.parquet").write_bytes(b"x")
    refused("spots.parquet", "no table that can be read")
    assert SpectraStore.open(folder).n_spots == 2


def test_names_like_na_survive_a_csv(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["NA", "null", "None"], "mz": [1.5, np.nan, 2.5]})
    write_table(tmp_path / "a.csv", table)
    again = read_table(tmp_path / "a.csv")
    assert list(again["name"]) == ["NA", "null", "None"]
    assert again["mz"].isna().tolist() == [False, True, False]


def test_a_store_larger_than_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corespot.io.store.disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(StoreError, match="0 MB left; make room, or use dtype: float16"):
        make_store(tmp_path / "s", np.zeros((20, 3), np.float32))
    assert list(tmp_path.iterdir()) == []
