"""Accuracy and audit before and after, against numbers made by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from nested_cohort import nested_cohort, task_and_folds

from corespot.mitigate.before_after import (
    BeforeAfter,
    Counterfactual,
    Standing,
    counterfactual_accuracy,
    cross_validated_accuracy,
)

COHORT = nested_cohort(n_tmas=4)
TASK, FOLDS = task_and_folds(COHORT)


class Sure:
    """Names a fixed class for every spot, classes in the other order."""

    classes_ = np.array(["b", "a"])

    def __init__(self, named: Any) -> None:
        self.named = named

    def predict_proba(self, x: Any) -> Any:
        return np.eye(2)[1 - self.named]


@dataclass
class Result:
    fold: Any
    estimator: Any
    probabilities: Any


def test_held_out_accuracy_is_pooled_over_folds() -> None:
    results: list[Any] = []
    for fold, wrong in zip(FOLDS, (3, 0), strict=True):
        truth = TASK.y[np.searchsorted(TASK.rows, fold.test_rows)].copy()
        at = np.flatnonzero(truth == 0)[:wrong]
        truth[at] = 1
        results.append(Result(fold, None, np.eye(2)[truth]))
    n_a = int((TASK.y == 0).sum())
    assert cross_validated_accuracy(results, TASK) == pytest.approx((1 - 3 / n_a + 1) / 2)


def test_the_second_cohort_counts_every_folds_model_and_resamples_patients() -> None:
    # The first model is right everywhere, the second wrong on one patient of class a.
    patient = TASK.group_of("patient")
    named = TASK.y.copy()
    named[patient == patient[0]] = 1 - named[patient == patient[0]]
    results: list[Any] = [Result(None, Sure(TASK.y), None), Result(None, Sure(named), None)]
    found = counterfactual_accuracy(results, COHORT, TASK, rng=np.random.default_rng(0))
    n = len(np.unique(patient[TASK.y == 0]))
    assert found.balanced_accuracy == pytest.approx(1 - 0.5 / n / 2)
    assert found.interval is not None
    # Of n patients, the wrong one is drawn Binomial(n, 1/n) times.
    assert found.interval[1] == 1.0
    assert found.interval[0] == pytest.approx(1 - 0.5 * 3 / n / 2, abs=0.5 / n / 2 + 1e-9)
    none = counterfactual_accuracy(
        results, COHORT, TASK, n_bootstrap=0, rng=np.random.default_rng(0)
    )
    assert none.interval is None


def test_the_record_is_plain_and_the_table_says_what_changed() -> None:
    record = BeforeAfter(
        "LP",
        "conv1d",
        ("peak_list",),
        Standing(0.99, Counterfactual(0.65, (0.6, 0.7)), {"artifact share": 0.6, "ripple": None}),
        Standing(0.98, Counterfactual(0.95, None), {"artifact share": 0.05, "ripple": None}),
    )
    plain = json.loads(json.dumps(record.as_dict()))
    assert plain["before"]["drop"] == pytest.approx(0.34)
    assert plain["after"]["counterfactual"]["balanced_accuracy"] == 0.95
    assert plain["before"]["readings"] == {"artifact share": 0.6, "ripple": None}
    lines = record.table().splitlines()
    assert lines[0] == "LP, conv1d, with peak_list"
    assert any("0.650" in line and "0.950" in line and "+0.300" in line for line in lines)
    assert any(line.split() == ["ripple", "–", "–"] for line in lines)
    assert "0.600 to 0.700" in lines[-1]
    alone = BeforeAfter("LP", "logistic", (), Standing(0.9), Standing(0.9))
    assert alone.before.drop is None and len(alone.rows()) == 1
