"""The fold file: what is written is what is read, and nothing else is read."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from corespot.cohort.splits import FoldSettings, FoldTable, make_folds
from corespot.cohort.tasks import Task, select_spots
from corespot.errors import FoldError, StoreError
from corespot.io.folds import read_folds, write_folds


@pytest.fixture
def table() -> FoldTable:
    core = np.repeat(np.arange(24), 5)
    spots = pd.DataFrame(
        {
            "file": [f"TMA{c % 6}.imzML" for c in core],
            "spectrum": np.arange(120),
            "core": [f"core-{c}" for c in core],
            "tma": [f"TMA{c % 6}" for c in core],
            "patient": ["" if c == 3 else f"p{c}" for c in core],
            "subtype": np.where(core % 4 < 2, "AD", "SQ"),
        }
    )
    task = select_spots(spots, "ADSQ", Task(label="subtype", classes=("AD", "SQ")))
    return make_folds(task, FoldSettings(group="tma", k=3, repeats=2, seed=3))


def test_round_trip(tmp_path, table) -> None:
    path = tmp_path / "folds" / "ADSQ"
    write_folds(path, table)
    again = read_folds(path)
    assert again.fingerprint == table.fingerprint
    assert (again.task, again.classes, again.grouping) == ("ADSQ", ("AD", "SQ"), "tma")
    assert (again.k, again.repeats, again.seed, again.notes) == (3, 2, 3, table.notes)
    for ours, theirs in zip(table, again, strict=True):
        assert np.array_equal(ours.test_rows, theirs.test_rows)
        assert np.array_equal(ours.train_groups, theirs.train_groups)
    assert sorted(part.name for part in path.iterdir()) == ["assignment.parquet", "folds.json"]
    meta = json.loads((path / "folds.json").read_text())
    assert meta["fingerprint"] == table.fingerprint and meta["optimistic"] is False
    assert meta["n_groups"] == 6 and len(meta["counts"]) == 12


def test_writing_twice_gives_the_same_bytes(tmp_path, table) -> None:
    for name in ("a", "b", "b"):
        write_folds(tmp_path / name, table)
    for file in ("assignment.parquet", "folds.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_edited_leak_is_refused_with_the_offender(tmp_path, table) -> None:
    path = tmp_path / "ADSQ"
    write_folds(path, table)
    frame = pd.read_parquet(path / "assignment.parquet")
    frame.loc[0, "fold"] = (frame.loc[0, "fold"] + 1) % 3
    frame.to_parquet(path / "assignment.parquet", index=False)
    with pytest.raises(FoldError, match=r"ADSQ: task ADSQ, repeat 0: TMA TMA\d is in fold"):
        read_folds(path)


def test_files_that_do_not_belong_together_are_refused(tmp_path, table) -> None:
    path = tmp_path / "ADSQ"
    write_folds(path, table)
    frame = pd.read_parquet(path / "assignment.parquet")
    frame.assign(fold=(frame["fold"] + 1) % 3).to_parquet(
        path / "assignment.parquet", index=False
    )  # sound, but other
    with pytest.raises(StoreError, match="do not belong together"):
        read_folds(path)


def test_missing_and_foreign_files_are_refused(tmp_path, table) -> None:
    path = tmp_path / "ADSQ"
    with pytest.raises(StoreError, match=r"folds.json is missing"):
        read_folds(path)
    write_folds(path, table)
    meta = json.loads((path / "folds.json").read_text())
    (path / "folds.json").write_text(json.dumps({**meta, "format_version": 9}))
    with pytest.raises(StoreError, match="fold format 9"):
        read_folds(path)
    (path / "folds.json").write_text(json.dumps({"format_version": 1}))
    with pytest.raises(StoreError, match="lacks the key"):
        read_folds(path)
    (path / "assignment.parquet").unlink()
    with pytest.raises(StoreError, match=r"assignment.parquet is missing"):
        read_folds(path)
