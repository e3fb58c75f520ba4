"""The audit of a fold: what is fitted sees training spots only, and no class is lost."""

from __future__ import annotations

import numpy as np
import pytest
from audited_cohorts import fits, folds_of, mixed, nested, spot_table, store_of, task_of

from corespot.audit.model import fold_audit
from corespot.audit.model.fold_audit import FEWEST_CORES, audit_fold, fold_controls, mean_spectrum
from corespot.cohort.splits import Fold
from corespot.io.store import SpectraStore


def of_fold(store: SpectraStore, number: int = 0):
    task = task_of(store)
    folds = folds_of(task)
    fold = list(folds)[number]
    return task, fold, fits(store, task, folds)[fold.repeat, fold.index]


def changed(store: SpectraStore, rows: np.ndarray, spectra: np.ndarray) -> SpectraStore:
    x = store.spectra.copy()
    x[rows] = spectra
    return SpectraStore(store.path, x, store.axis, store.spots, store.meta)


def test_what_is_fitted_sees_training_spots_only():
    """A tower in every test spectrum changes neither mask nor mean, nor what a control learnt."""
    store = store_of(spot_table(nested()), marker=1.0)
    task, fold, estimator = of_fold(store)
    tower = store.spectra[fold.test_rows].copy()
    tower[:, 500:520] += 1.0
    other = changed(store, fold.test_rows, tower)
    before, after = (
        audit_fold(one, task, fold, estimator, model="roc_lda", n_bootstrap=0)
        for one in (store, other)
    )
    np.testing.assert_array_equal(before.mean_spectrum, after.mean_spectrum)
    np.testing.assert_array_equal(before.split.mask.is_peak, after.split.mask.is_peak)
    in_training = changed(store, fold.train_rows, store.spectra[fold.train_rows] + 1e-3)
    moved = audit_fold(in_training, task, fold, estimator, model="roc_lda", n_bootstrap=0)
    assert not np.array_equal(before.mean_spectrum, moved.mean_spectrum)


def test_a_control_that_learnt_from_test_spots_would_know_more():
    """Labels that hold within the test part alone, or the training part alone, teach nothing."""
    store = store_of(spot_table(nested()))
    task, fold, _ = of_fold(store)
    y = task.y[np.searchsorted(task.rows, fold.test_rows)]
    planted = store.spectra[fold.test_rows].copy()
    planted += (2e-4 * y)[:, None].astype(np.float32)
    only_test = changed(store, fold.test_rows, planted)
    everywhere = store.spectra.copy()
    everywhere[task.rows] += (2e-4 * task.y)[:, None].astype(np.float32)
    both = SpectraStore(store.path, everywhere, store.axis, store.spots, store.meta)
    split = of_split(store, task, fold)
    one, two = (fold_controls(s, task, fold, split, seed=0) for s in (only_test, both))
    assert two.largest == 1.0
    assert one.largest < 0.8


def of_split(store, task, fold: Fold):
    estimator = fits(store, task, folds_of(task))[fold.repeat, fold.index]
    return audit_fold(store, task, fold, estimator, model="roc_lda", n_bootstrap=0).split


def test_the_mean_is_that_of_the_rows(monkeypatch: pytest.MonkeyPatch):
    store = store_of(spot_table(nested()))
    rows = np.array([1, 5, 7, 20, 41])
    expected = store.spectra[rows].astype(np.float64).mean(axis=0)
    for block in (1, 2, 512):
        monkeypatch.setattr(fold_audit, "_BLOCK", block)
        np.testing.assert_allclose(mean_spectrum(store, rows), expected, rtol=1e-12)


def test_known_controls_are_not_made_again():
    store = store_of(spot_table(nested()), marker=1.0)
    task, fold, estimator = of_fold(store)
    first = audit_fold(store, task, fold, estimator, model="roc_lda", n_bootstrap=0)
    again = audit_fold(
        store, task, fold, estimator, model="roc_lda", n_bootstrap=0, controls=first.controls
    )
    assert again.controls is first.controls


def test_few_spots_of_a_class_are_not_lost_among_many():
    """Patients with 60 spots of one class and one of the other, of whom ten spots are asked."""
    table = spot_table({f"T{at}": ["a", "a"] for at in range(4)}, n_spots=61)
    rare = table.groupby("core").cumcount() == 60
    table.loc[rare, "label"] = "b"
    store = store_of(table, marker=1.0)
    task, fold, estimator = of_fold(store)
    for seed in range(8):
        found = audit_fold(
            store, task, fold, estimator, model="roc_lda", seed=seed, most_asked=10, n_bootstrap=0
        )
        y = task.y[np.searchsorted(task.rows, found.rows)]
        assert len(found.rows) == 10 and set(y) == {0, 1}


@pytest.mark.parametrize("most", [1, 40, 10_000])
def test_whole_cores_of_every_class_are_dealt(most: int):
    table = spot_table(mixed(4, 12, "aaaaab"), n_spots=9)
    task = task_of(store_of(table))
    at = np.arange(len(task))
    cores, patients = task.group_of("core"), task.group_of("patient")
    for seed in range(10):
        rng = np.random.default_rng(seed)
        dealt = fold_audit._deal_cores(at, task.y, patients, cores, most, rng)
        assert np.array_equal(dealt, np.flatnonzero(np.isin(cores, np.unique(cores[dealt]))))
        for k in (0, 1):
            assert len(np.unique(cores[dealt[task.y[dealt] == k]])) >= FEWEST_CORES
    if most == 10_000:
        assert len(dealt) == len(task)
