"""From spots to cores and patients: rules, ties, mixed cores, order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corespot.cohort.groups import patient_ids
from corespot.errors import StoreError
from corespot.evaluate.aggregate import aggregate, at_level, spot_units
from corespot.evaluate.summary import evaluate_predictions

CLASSES = ("AD", "SQ")


def predictions_of(p_second, y, *, fold=0, repeat=0, rows=None) -> pd.DataFrame:
    p_second = np.asarray(p_second, dtype=float)
    return pd.DataFrame(
        {
            "row": np.arange(len(p_second)) if rows is None else rows,
            "repeat": repeat,
            "fold": fold,
            "y": y,
            "prob_AD": 1 - p_second,
            "prob_SQ": p_second,
        }
    )


def spots_of(core, patient=None) -> pd.DataFrame:
    return pd.DataFrame({"core": core, "patient": core if patient is None else patient})


def test_majority_and_mean_may_disagree() -> None:
    table = predictions_of([0.6, 0.6, 0.1, 0.9, 0.9], [1, 1, 1, 0, 0])
    spot = spot_units(table, spots_of(["a", "a", "a", "b", "b"]), CLASSES)
    majority, mean = at_level(spot, "core"), at_level(spot, "core_mean")
    assert majority.predicted.tolist() == [1, 1] and mean.predicted.tolist() == [0, 1]
    assert majority.probability[:, 1] == pytest.approx([2 / 3, 1.0])
    assert mean.probability[:, 1] == pytest.approx([1.3 / 3, 0.9])
    assert majority.y.tolist() == [1, 0] and majority.n_spots.tolist() == [3, 2]


@pytest.mark.parametrize(("p_second", "expected"), [([0.9, 0.4], 1), ([0.6, 0.1], 0)])
def test_tied_majority_goes_to_the_higher_mean(p_second, expected) -> None:
    spot = spot_units(predictions_of(p_second, [1, 1]), spots_of(["a", "a"]), CLASSES)
    assert at_level(spot, "core").predicted.tolist() == [expected]


def test_tie_is_decided_among_the_tied_only() -> None:
    table = pd.DataFrame({"row": range(5), "repeat": 0, "fold": 0, "y": 0})
    # votes 2, 2, 1; the third class has the highest mean, but was not voted for as often.
    table[["prob_a", "prob_b", "prob_c"]] = [
        [0.5, 0.1, 0.4],
        [0.5, 0.1, 0.4],
        [0.05, 0.5, 0.45],
        [0.05, 0.5, 0.45],
        [0.0, 0.0, 1.0],
    ]
    spot = spot_units(table, spots_of(["core"] * 5), ("a", "b", "c"))
    assert at_level(spot, "core").predicted.tolist() == [1]
    assert at_level(spot, "core_mean").predicted.tolist() == [2]


def test_patient_is_the_mean_over_all_its_spots() -> None:
    table = predictions_of([0.9, 0.2, 0.2, 0.2, 0.7], [0, 0, 0, 0, 1])
    spots = spots_of(["a", "b", "b", "b", "c"], ["p", "p", "p", "p", ""])
    units = at_level(spot_units(table, spots, CLASSES), "patient")
    assert len(units) == 2
    assert sorted(units.probability[:, 1]) == pytest.approx([1.5 / 4, 0.7])


def test_mixed_cores_take_the_truth_of_most_spots_and_divided_ones_none() -> None:
    core = ["a"] * 3 + ["b"] * 2 + ["c"] * 2 + ["d"] * 2
    y = [1, 1, 0, 0, 1, 0, 0, 1, 1]
    result = evaluate_predictions(
        predictions_of([0.9, 0.9, 0.9, 0.9, 0.9, 0.2, 0.2, 0.8, 0.8], y),
        spots_of(core),
        CLASSES,
        n_bootstrap=0,
    )["core"]
    assert result["n_units"] == 3 and result["n_mixed"] == 2 and result["n_excluded"] == 1
    assert result["excluded_fraction"] == pytest.approx(1 / 4)
    assert result["balanced_accuracy"]["median"] == 1.0


def test_level_without_any_unit_is_undefined() -> None:
    result = evaluate_predictions(
        predictions_of([0.1, 0.9, 0.1, 0.9], [0, 1, 0, 1]), spots_of(["a", "a", "b", "b"]), CLASSES
    )
    assert result["core"]["n_units"] == 0 and result["core"]["excluded_fraction"] == 1.0
    assert result["core"]["balanced_accuracy"]["median"] is None
    assert result["spot"]["balanced_accuracy"]["median"] == 1.0


def test_core_without_patient_is_a_patient_of_its_own_as_in_the_folds() -> None:
    spots = pd.DataFrame({"core": ["a", "b", "b", "c"], "patient": ["p", "", None, "p"]})
    units = spot_units(predictions_of([0.1] * 4, [0] * 4), spots, CLASSES)
    _, expected = np.unique(patient_ids(spots), return_inverse=True)
    assert units.patient.tolist() == expected.tolist()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999))
def test_aggregation_ignores_spot_order(seed) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 60))
    core = rng.integers(6, size=n).astype(str)
    spots = spots_of(core, np.array([f"p{int(c) // 2}" for c in core]))
    fold = np.array([int(c) // 2 % 2 for c in core])
    table = pd.concat(
        predictions_of(rng.random(n).round(1), rng.integers(2, size=n), fold=fold, repeat=repeat)
        for repeat in range(2)
    )
    mixed_up = table.sample(frac=1.0, random_state=int(rng.integers(1000)))
    ours = evaluate_predictions(table, spots, CLASSES, n_bootstrap=50)
    assert ours == evaluate_predictions(mixed_up, spots, CLASSES, n_bootstrap=50)
    # Another order of the store itself.
    order = rng.permutation(n)
    moved = table.assign(row=np.argsort(order)[table["row"]])
    theirs = evaluate_predictions(
        moved, spots.iloc[order].reset_index(drop=True), CLASSES, n_bootstrap=0
    )
    for level, entry in theirs.items():
        assert entry["confusion"] == ours[level]["confusion"]
        assert entry["auc"]["median"] == pytest.approx(ours[level]["auc"]["median"])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9999), st.sampled_from(["core", "patient"]), st.sampled_from([2, 3]))
def test_aggregation_agrees_with_a_slow_reference(seed, by, n_classes) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    classes = tuple("abc"[:n_classes])
    spots = pd.DataFrame({"core": rng.integers(9, size=n).astype(str)})
    spots["patient"] = [f"p{int(core) % 4}" for core in spots["core"]]
    probability = rng.dirichlet(np.ones(n_classes), size=n)
    table = pd.DataFrame(probability, columns=[f"prob_{name}" for name in classes])
    table = table.assign(row=range(n), repeat=0, fold=0, y=rng.integers(n_classes, size=n))
    spot = spot_units(table, spots, classes)
    for rule in ("majority", "mean"):
        units = aggregate(spot, by, rule)
        expected = []
        for name in sorted(set(spots[by])):
            members = (spots[by] == name).to_numpy()
            truths = [int(np.sum(table["y"][members] == c)) for c in range(n_classes)]
            if truths.count(max(truths)) > 1:
                continue
            votes = [int(np.sum(probability[members].argmax(1) == c)) for c in range(n_classes)]
            mean = probability[members].mean(axis=0)
            if rule == "mean":
                called = int(mean.argmax())
            else:
                called = max(range(n_classes), key=lambda c: (votes[c], mean[c]))
            expected.append((truths.index(max(truths)), called))
        assert list(zip(units.y.tolist(), units.predicted.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="prob_SQ"), "lacks the column 'prob_SQ'"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "row 0 is predicted twice"),
        (lambda t: t.assign(row=t["row"] + 5), "the spot table has 4 rows"),
        (lambda t: t.assign(prob_SQ=0.9), "not probabilities that sum to 1"),
        (lambda t: t.assign(prob_SQ=float("nan")), "not probabilities"),
        (lambda t: t.assign(y=2), "class number 2"),
        (lambda t: t.iloc[:0], "no predictions"),
        (lambda t: pd.concat([t, t.iloc[:2].assign(repeat=1)]), "a fold is missing"),
        (lambda t: pd.concat([t.iloc[:2], t.iloc[2:].assign(repeat=1)]), "a fold is missing"),
    ],
)
def test_faulty_predictions_are_refused(change, message) -> None:
    table = change(predictions_of([0.1, 0.2, 0.8, 0.7], [0, 0, 1, 1]))
    with pytest.raises(StoreError, match=message):
        evaluate_predictions(table, spots_of(list("abcd")), CLASSES)
