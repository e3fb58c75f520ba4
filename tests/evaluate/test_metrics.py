"""Metrics against scikit-learn and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from corespot.evaluate.calibration import (
    brier_terms,
    expected_calibration_error,
    reliability_table,
)
from corespot.evaluate.metrics import auc, class_rates, confusion_matrix, rates


def decisions(seed: int, n: int, n_classes: int, *, coarse: bool = False):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=n)])
    score = rng.normal(size=(len(y), n_classes)) + 1.2 * np.eye(n_classes)[y]
    probability = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    if coarse:  # many ties, as vote shares have
        probability = np.round(probability, 1)
    return y, probability.argmax(axis=1), probability


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 60), st.integers(2, 4))
def test_rates_agree_with_sklearn(seed, n, n_classes) -> None:
    y, predicted, _ = decisions(seed, n, n_classes)
    confusion = confusion_matrix(y, predicted, n_classes)
    assert np.array_equal(confusion, sk.confusion_matrix(y, predicted, labels=range(n_classes)))
    found = rates(confusion)
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, predicted))
    assert found["f1"] == pytest.approx(sk.f1_score(y, predicted, average="macro"))
    if n_classes == 2:
        assert found["sensitivity"] == pytest.approx(sk.recall_score(y, predicted))
        assert found["specificity"] == pytest.approx(sk.recall_score(y, predicted, pos_label=0))
    else:
        recall = sk.recall_score(y, predicted, average="macro")
        assert found["sensitivity"] == pytest.approx(recall)
        others = [sk.recall_score(y != c, predicted != c) for c in range(n_classes)]
        assert found["specificity"] == pytest.approx(np.mean(others))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 60), st.integers(2, 4), st.booleans())
def test_auc_agrees_with_sklearn_ties_included(seed, n, n_classes, coarse) -> None:
    y, _, probability = decisions(seed, n, n_classes, coarse=coarse)
    expected = np.mean(
        [
            sk.roc_auc_score(y == index, probability[:, index])
            for index in ([1] if n_classes == 2 else range(n_classes))
        ]
    )
    assert auc(y, probability) == pytest.approx(expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_brier_agrees_with_sklearn(n_classes) -> None:
    y, _, probability = decisions(4, 80, n_classes)
    given = probability[:, 1] if n_classes == 2 else probability
    assert brier_terms(y, probability).mean() == pytest.approx(sk.brier_score_loss(y, given))


def test_calibration_error_by_hand() -> None:
    y = np.array([1, 1, 0, 0, 1])
    p1 = np.array([0.95, 0.92, 0.93, 0.35, 0.62])
    probability = np.stack([1 - p1, p1], axis=1)
    predicted = probability.argmax(axis=1)
    # (.9, 1]: 3 units, 2 right, mean .9333; (.6, .7]: .65 and .62, both right.
    expected = (3 * abs(2 / 3 - 2.80 / 3) + 2 * abs(1.0 - 1.27 / 2)) / 5
    assert expected_calibration_error(y, predicted, probability) == pytest.approx(expected)
    table = reliability_table(y, predicted, probability)
    assert [line["n"] for line in table] == [2, 3]
    assert table[1] == pytest.approx(
        {"low": 0.9, "high": 1.0, "n": 3, "confidence": 2.80 / 3, "accuracy": 2 / 3}
    )


def test_perfectly_calibrated_scores_have_a_small_error() -> None:
    rng = np.random.default_rng(0)
    p1 = rng.random(200_000)
    y = (rng.random(len(p1)) < p1).astype(np.int64)
    probability = np.stack([1 - p1, p1], axis=1)
    assert expected_calibration_error(y, probability.argmax(1), probability) < 0.005
    extreme = np.stack([p1 < 0.5, p1 >= 0.5], axis=1).astype(float)
    assert expected_calibration_error(y, extreme.argmax(1), extreme) == pytest.approx(
        0.25, abs=0.01
    )


def test_missing_class_is_undefined_not_perfect() -> None:
    confusion = confusion_matrix(np.array([0, 0, 0]), np.array([0, 0, 1]), 2)
    found = rates(confusion)
    assert found["specificity"] == pytest.approx(2 / 3)
    assert np.isnan([found["balanced_accuracy"], found["sensitivity"], found["f1"]]).all()
    assert np.isnan(class_rates(confusion)["specificity"][0])
    assert np.isnan(auc(np.zeros(3, dtype=int), np.full((3, 2), 0.5)))
    assert np.isnan(
        expected_calibration_error(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)))
    )


def test_rates_take_many_matrices_at_once() -> None:
    matrices = np.random.default_rng(0).integers(1, 9, size=(5, 3, 3))
    for name, values in rates(matrices).items():
        assert values.shape == (5,)
        assert values[2] == rates(matrices[2])[name]
