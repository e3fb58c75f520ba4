"""Scores with patients held out: never a patient on both sides, and read back as written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from audited_cohorts import folds_of, mixed, nested, spot_table, store_of, task_of

from corespot.audit.applicable import NotApplicable
from corespot.audit.model.regrouped import (
    RegroupedScores,
    patient_folds,
    read_regrouped,
    regroup,
    regrouped_scores,
)
from corespot.errors import FoldError

QUICK = {"model": "roc_lda", "settings": {"k": 5}, "seed": 1}


def test_no_patient_is_split_and_tmas_are_shared_out():
    task = task_of(store_of(spot_table(nested(4, 6), n_cores=2)))
    folds = patient_folds(task, k=3, seed=0)
    assert not isinstance(folds, NotApplicable) and folds.grouping == "patient"
    patients, tmas = task.group_of("patient"), task.group_of("tma")
    for fold in folds:
        train, test = (
            np.searchsorted(task.rows, rows) for rows in (fold.train_rows, fold.test_rows)
        )
        assert not set(patients[train]) & set(patients[test])
        assert set(tmas[train]) == set(tmas)
    assert [fold.test_rows.tolist() for fold in folds] != [
        fold.test_rows.tolist() for fold in folds_of(task)
    ]


def test_patients_too_few_leave_nothing_or_cores():
    one = spot_table({"T0": ["a"], "T1": ["b"]}, n_cores=3)
    folds = patient_folds(task_of(store_of(one)), k=3, seed=0)
    assert not isinstance(folds, NotApplicable) and folds.grouping == "core"
    alone = patient_folds(task_of(store_of(spot_table({"T0": ["a"], "T1": ["b"]}))), k=2, seed=0)
    assert isinstance(alone, NotApplicable) and "class a" in alone.reason


def test_every_spot_is_scored_by_a_model_that_never_saw_its_patient():
    """Patients whose label is turned round teach no model of theirs: their scores stay wrong."""
    table = spot_table(mixed(4, 4))
    store = store_of(table, marker=1.5)
    turned = np.isin(table["patient"], ["T0-P00", "T1-P01"])
    swapped = table["label"].map({"a": "b", "b": "a"})
    task = task_of(
        type(store)(
            store.path,
            store.spectra,
            store.axis,
            table.assign(label=table["label"].where(~turned, swapped)),
            store.meta,
        )
    )
    found = regrouped_scores(store, task, k=4, **QUICK)
    assert isinstance(found, RegroupedScores)
    right = found.scores.argmax(axis=1) == task.y
    assert right[~turned].mean() > 0.9 and right[turned].mean() < 0.1
    np.testing.assert_allclose(found.scores[:, 0], -found.scores[:, 1])


def test_scores_are_read_back_as_they_were(tmp_path: Path):
    store = store_of(spot_table(mixed()), marker=1.0)
    task = task_of(store)
    regroup(store, task, tmp_path / "out", k=2, **QUICK)
    found = read_regrouped(tmp_path / "out", task)
    expected = regrouped_scores(store, task, k=2, **QUICK)
    assert isinstance(found, RegroupedScores) and isinstance(expected, RegroupedScores)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert (found.grouping, found.balanced_accuracy) == ("patient", expected.balanced_accuracy)
    fewer = task_of(store_of(spot_table(mixed(4, 3))))
    with pytest.raises(FoldError, match="other spots than task task"):
        read_regrouped(tmp_path / "out", fewer)


@pytest.mark.parametrize(
    ("tmas", "k", "reason"),
    [(mixed(), None, "audit.patient_folds"), ({"T0": ["a"], "T1": ["b"]}, 2, "class a")],
)
def test_what_was_not_done_is_read_back_with_its_reason(tmp_path: Path, tmas, k, reason):
    store = store_of(spot_table(tmas))
    task = task_of(store)
    regroup(store, task, tmp_path / "out", k=k, **QUICK)
    found = read_regrouped(tmp_path / "out", task)
    assert isinstance(found, NotApplicable) and reason in found.reason
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["regrouped.json"]
