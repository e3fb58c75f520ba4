"""Cross-validation: nothing of a test part reaches the model that is tested on it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.errors import FoldError
from corespot.io.store import SpectraStore, create_store
from corespot.train.crossvalidate import cross_validate, inner_groups, predictions_table
from corespot.train.estimator import make_estimator
from corespot.train.leakage import LeakageRequest, measure_leakage

N_BINS = 96
TASK = Task(label="kind", classes=("b", "a"))
SETTINGS: dict[str, dict[str, Any]] = {
    "roc_lda": {"k": "inner", "k_grid": [5, 10]},
    "isotopenet": {"epochs": 2, "batch_size": 16, "early_stopping": True, "validation_folds": 2},
    "logistic": {},
    "conv1d": {"epochs": 1, "batch_size": 16, "n_kept": 20},
    "conv3d": {"epochs": 1, "batch_size": 16, "patch": 3, "stride": 2, "n_peaks": 12},
    "resnet_patch": {"epochs": 1, "patch": 4, "stride": 4, "stem": "small", "scaling": "training"},
    "compsegnet": {"epochs": 1, "width": 4, "depth": 1, "channels": 12, "inner_folds": 2},
}


def spot_table() -> pd.DataFrame:
    rows = [
        {"tma": f"T{tma}", "patient": f"P{tma}{patient}", "core": f"C{tma}{patient}{core}"}
        for tma in range(4)
        for patient in range(4)
        for core in range(2)
        for _ in range(4)
    ]
    table = pd.DataFrame(rows)
    table["kind"] = np.where(table["patient"].str[-1].astype(int) % 2 == 0, "a", "b")
    return table.assign(file="x.imzML", spectrum=range(len(table)), x=range(len(table)), y=1)


def spectra_of(spots: pd.DataFrame, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    spectra = rng.gamma(2, 1, (len(spots), N_BINS)).astype(np.float32)
    spectra[:, 40:43] += 4 * (spots["kind"] == "a").to_numpy()[:, None]
    # What a leak would use: a bin that names the patient.
    spectra[:, 70] += 10 * pd.factorize(spots["patient"])[0]
    return spectra


def make_store(path: Path, spectra: np.ndarray) -> SpectraStore:
    spots = spot_table()
    axis = MzAxis.tof(800, 900, N_BINS)
    with create_store(path, spots=spots, axis=axis, meta={"recipe": []}) as writer:
        writer.write(slice(0, len(spots)), spectra)
    return SpectraStore.open(path)


@pytest.fixture
def store(tmp_path: Path) -> SpectraStore:
    return make_store(tmp_path / "store", spectra_of(spot_table()))


@pytest.fixture
def task(store: SpectraStore) -> TaskSpots:
    return select_spots(store.spots, "kinds", TASK)


@pytest.mark.parametrize("model", SETTINGS)
@pytest.mark.parametrize("grouping", ["tma", "spot"])
def test_a_model_does_not_depend_on_its_test_spots(
    tmp_path: Path, store: SpectraStore, task: TaskSpots, model: str, grouping: Any
) -> None:
    folds = make_folds(task, FoldSettings(group=grouping, k=2, seed=1))

    def fitted(which: SpectraStore, spots: TaskSpots = task) -> dict[str, np.ndarray]:
        """All that is fitted in the first fold, numbers in text too."""
        run = cross_validate(
            which,
            spots,
            folds,
            model=model,
            settings=SETTINGS[model],
            seed=3,
            device="cpu",
            watch=True,
        )
        arrays, about = next(iter(run)).estimator.to_arrays()
        return {**arrays, "about": np.array(json.dumps(about))}

    def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
        assert one.keys() == other.keys()
        return all(np.array_equal(one[name], other[name]) for name in one)

    test_rows = folds.fold(0, 0).test_rows
    changed = spectra_of(spot_table())
    changed[test_rows] = 1000 * np.random.default_rng(5).random((len(test_rows), N_BINS))
    other = make_store(tmp_path / "changed", changed)
    # Where test spots lie is of no concern either.
    table = task.spots.copy()
    table.loc[np.searchsorted(task.rows, test_rows), "y"] += 7
    first = fitted(store)
    assert same(first, fitted(other, replace(task, spots=table)))
    train_row = folds.fold(0, 0).train_rows[0]
    changed[train_row] *= 50
    third = make_store(tmp_path / "third", changed)
    assert not same(first, fitted(third))


def test_predictions_cover_every_spot_once_in_the_tasks_class_order(
    store: SpectraStore, task: TaskSpots
) -> None:
    folds = make_folds(task, FoldSettings(group="tma", k=4, repeats=2, seed=1))
    results = list(
        cross_validate(
            store, task, folds, model="roc_lda", settings=SETTINGS["roc_lda"], seed=1, device="cpu"
        )
    )
    assert len(results) == 8 and set(results[0].by_k) == {5, 10}
    table = pd.concat(
        predictions_table(r.fold.test_rows, r.probabilities, fold=r.fold, task=task)
        for r in results
    )
    for _, repeat in table.groupby("repeat"):
        assert sorted(repeat["row"]) == list(range(len(store.spots)))
    assert list(table.columns[-2:]) == ["prob_b", "prob_a"]
    truth = store.spots["kind"].to_numpy()[table["row"]]
    # The classes sort a, b: a mix-up of columns would turn this upside down.
    predicted = np.where(table["prob_a"] > 0.5, "a", "b")
    assert (predicted == truth).mean() > 0.9
    assert np.array_equal(table["y"], np.where(truth == "a", 1, 0))


def test_a_tampered_fold_table_is_refused_where_it_is_used(
    store: SpectraStore, task: TaskSpots
) -> None:
    folds = make_folds(task, FoldSettings(group="tma", k=2, seed=1))
    assignment = folds.assignment.copy()
    assignment.loc[0, "fold"] = 1 - assignment.loc[0, "fold"]
    with pytest.raises(FoldError, match="T0"):
        replace(folds, assignment=assignment)
    renamed = folds.assignment.assign(group="g" + folds.assignment["fold"].astype(str))
    moved = replace(folds, assignment=renamed)
    spots = task.spots.assign(tma=["T9"] * len(task.spots))
    elsewhere = replace(task, spots=spots)
    with pytest.raises(FoldError):
        next(
            cross_validate(
                store, elsewhere, moved, model="roc_lda", settings={"k": 5}, seed=1, device="cpu"
            )
        )


def test_inner_groups_follow_the_outer_grouping_as_far_as_they_can(task: TaskSpots) -> None:
    chooser = make_estimator("roc_lda", {"inner_folds": 2}, seed=0, device="cpu")
    three = np.flatnonzero(task.spots["tma"] != "T0")
    one = np.flatnonzero(task.spots["tma"] == "T0")
    wide = inner_groups(task, three, "tma", chooser)
    narrow = inner_groups(task, one, "tma", chooser)
    assert wide is not None and narrow is not None
    assert len(set(wide)) == 3 and len(set(narrow)) == 4
    fixed = make_estimator("roc_lda", {"k": 5}, seed=0, device="cpu")
    assert inner_groups(task, three, "tma", fixed) is None


def test_the_leakage_gap_lists_every_grouping(store: SpectraStore, task: TaskSpots) -> None:
    request = LeakageRequest("roc_lda", {"k": 5}, seed=1, device="cpu", n_bootstrap=100)
    gap = measure_leakage(store, task, FoldSettings(k=4, seed=1), request)
    assert gap["grouping"].tolist() == ["spot", "core", "patient", "tma"]
    assert gap["optimistic"].tolist() == [True, False, False, False]
    assert gap.loc[gap["strictest"], "grouping"].tolist() == ["tma"]
    assert gap["balanced_accuracy"].notna().all()
    too_many = measure_leakage(store, task, FoldSettings(k=5, seed=1), request)
    refused = too_many[too_many["balanced_accuracy"].isna()]
    assert refused["grouping"].tolist() == ["tma"] and "4 TMAs" in refused["reason"].iloc[0]
