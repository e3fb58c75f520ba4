"""Cross-validation and sensitivity read the store in blocks, and find what they find in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.io.store import SpectraStore, create_store
from corespot.models.bin_auc import bin_auc
from corespot.models.roc_lda import RocLdaClassifier
from corespot.models.spectra_rows import SpectraRows, stored_rows
from corespot.train.crossvalidate import cross_validate

N_BINS = 300


@pytest.fixture(params=["float32", "float16"])
def problem(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[SpectraStore, TaskSpots]:
    """Four TMAs of twelve patients, markers, a store on disk."""
    rows = [
        {"tma": f"T{tma}", "patient": f"P{tma}-{patient}", "core": f"C{tma}-{patient}"}
        for tma in range(4)
        for patient in range(6)
        for _ in range(5)
    ]
    spots = pd.DataFrame(rows)
    spots["kind"] = np.where(spots["patient"].str[-1].astype(int) % 2 == 0, "a", "b")
    spots = spots.assign(file="x.imzML", spectrum=range(len(spots)), x=range(len(spots)), y=1)
    spectra = np.random.default_rng(0).gamma(2, 1, (len(spots), N_BINS)).astype(np.float32)
    spectra[:, ::40] += 0.8 * (spots["kind"] == "a").to_numpy()[:, None]
    axis = MzAxis.tof(800, 2000, N_BINS)
    folder = tmp_path / "store"
    with create_store(folder, spots=spots, axis=axis, meta={}, dtype=request.param) as writer:
        writer.write(slice(0, len(spots)), spectra)
    store = SpectraStore.open(folder)
    return store, select_spots(store.spots, "T", Task(label="kind", classes=("a", "b")))


@pytest.mark.parametrize(
    ("model", "settings"),
    [("roc_lda", {"k": "inner", "k_grid": (2, 5, 10)}), ("logistic", {})],
)
def test_rows_of_a_store_give_what_copies_of_them_give(
    model: str,
    settings: dict[str, Any],
    problem: tuple[SpectraStore, TaskSpots],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, task = problem
    folds = make_folds(task, FoldSettings(group="tma", k=2))

    def found() -> list[Any]:
        results = cross_validate(store, task, folds, model=model, settings=settings, seed=1)
        return [(r.probabilities, r.train_balanced_accuracy, r.by_k) for r in results]

    mapped = found()
    monkeypatch.setattr(SpectraStore, "rows", SpectraStore.take)
    for (p, accuracy, by_k), (q, expected, slow_by_k) in zip(mapped, found(), strict=True):
        np.testing.assert_array_equal(p, q)
        assert accuracy == expected
        assert {k: v.tolist() for k, v in by_k.items()} == {
            k: v.tolist() for k, v in slow_by_k.items()
        }


def test_no_model_of_single_spectra_reads_all_rows_of_a_part_at_once(
    problem: tuple[SpectraStore, TaskSpots], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, task = problem
    folds = make_folds(task, FoldSettings(group="tma", k=2))
    read: list[int] = []
    whole = SpectraRows.__getitem__

    def noted(self: SpectraRows, which: Any) -> Any:
        block = whole(self, which)
        read.append(len(block))
        return block

    monkeypatch.setattr("corespot.models.spectra_input._BLOCK_VALUES", 16 * N_BINS)
    monkeypatch.setattr(SpectraRows, "__getitem__", noted)
    monkeypatch.setattr(SpectraStore, "take", _refused)
    settings = {"k": 5}
    assert list(cross_validate(store, task, folds, model="roc_lda", settings=settings, seed=1))
    assert read and max(read) <= 16


def test_rows_of_rows_are_found_in_the_store(problem: tuple[SpectraStore, TaskSpots]) -> None:
    store, task = problem
    some = np.flatnonzero(np.arange(len(task)) % 3 == 0)[::-1].copy()
    stored, rows = stored_rows(store.rows(task.rows[some]), np.array([4, 0, 2]))
    assert stored is store.spectra
    assert rows is not None and rows.tolist() == task.rows[some][[4, 0, 2]].tolist()
    plain = np.ones((3, 2), dtype=np.float32)
    unchanged, all_of_them = stored_rows(plain)
    assert unchanged is plain and all_of_them is None


def test_a_discriminant_on_unordered_rows(problem: tuple[SpectraStore, TaskSpots]) -> None:
    store, task = problem
    mixed = np.random.default_rng(3).permutation(task.rows)
    labels = task.y[np.searchsorted(task.rows, mixed)]
    fast = RocLdaClassifier(k=7).fit(store.rows(mixed), labels)
    slow = RocLdaClassifier(k=7).fit(store.take(mixed), labels)
    np.testing.assert_array_equal(fast.bins_, slow.bins_)
    np.testing.assert_array_equal(
        fast.predict_proba(store.rows(mixed)), slow.predict_proba(store.take(mixed))
    )
    np.testing.assert_array_equal(
        bin_auc(store.spectra, labels, 2, rows=mixed), bin_auc(store.take(mixed), labels, 2)
    )


def _refused(*_: object) -> Callable[..., object]:
    raise AssertionError("spectra of a whole part were copied into memory")
