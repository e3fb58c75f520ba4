"""Spot predictions as a segmentation: figures worked out by hand, intervals, degenerate cases."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from corespot.errors import StoreError
from corespot.evaluate.segmentation import evaluate_segmentation
from corespot.evaluate.summary import evaluate_predictions
from corespot.evaluate.tumour_fraction import CORE_COLUMNS

CLASSES = ("cancer", "normal")
SPOTS = pd.DataFrame(
    {
        "core": list("aaaabbbccdd"),
        "patient": ["p1"] * 4 + ["p2"] * 3 + ["p3"] * 2 + ["p4"] * 2,
        "tma": ["T1"] * 7 + ["T2"] * 4,
    }
)
Y = np.array([0] * 7 + [1] * 4)
TRUTH = np.array([0, 0, 1, 1, 0, 0, -1, 1, 1, -1, -1])
CALLED = np.array([1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0])  # 1: called cancer


def table(called, *, repeat: int = 0, y=Y) -> pd.DataFrame:
    p = np.where(np.asarray(called) == 1, 0.8, 0.3)
    frame = pd.DataFrame({"row": np.arange(len(p)), "repeat": repeat, "fold": 0, "y": y})
    return frame.assign(prob_cancer=p, prob_normal=1 - p)


def weak(predictions: pd.DataFrame, *, n_bootstrap: int = 0, **changed):
    given = {"label": "diagnosis", "truth": TRUTH, "truth_label": "tissue", **changed}
    return evaluate_segmentation(predictions, SPOTS, CLASSES, n_bootstrap=n_bootstrap, **given)


def test_figures_worked_out_by_hand() -> None:
    metrics, cores = weak(table(CALLED))
    assert metrics["applicable"] and metrics["reasons"] == {}
    assert (metrics["positive"], metrics["truth_column"]) == ("cancer", "tissue")
    assert (metrics["n_cores"], metrics["n_positive_cores"], metrics["n_spots_known"]) == (4, 2, 8)
    # Fractions 1/2 and 2/3 of cancer cores, 1/2 and 0 of normal ones: 3 pairs right, 1 tied.
    assert metrics["fraction_auc"] == {"value": pytest.approx(3.5 / 4), "ci95": None}
    # Core a: 2 called, 2 true, 1 both; core b without its unknown spot: all 2 right.
    assert metrics["dice"]["mean"] == pytest.approx(0.75)
    assert metrics["dice"]["sd"] == pytest.approx(0.25)
    assert metrics["dice"]["n_cores"] == 2
    # Of the 8 known spots 5 called, 4 true, 3 both: the false alarm on core c counts too.
    assert metrics["dice"]["pooled"] == pytest.approx(6 / 9)
    assert metrics["dice"]["all_positive"]["mean"] == pytest.approx((4 / 6 + 1) / 2)
    assert metrics["dice"]["all_positive"]["pooled"] == pytest.approx(8 / 12)
    assert metrics["spot_balanced_accuracy"]["value"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    # 4 true against 4 false spots, two scores only: (3 * 2 + (3 * 2 + 1 * 2) / 2) / 16.
    assert metrics["spot_auc"]["value"] == pytest.approx(10 / 16)
    assert tuple(cores.columns) == CORE_COLUMNS
    by_core = cores.set_index("core")
    assert by_core["class"].tolist() == ["cancer", "cancer", "normal", "normal"]
    assert by_core["tma"].tolist() == ["T1", "T1", "T2", "T2"]
    assert by_core["fraction"].to_numpy() == pytest.approx([1 / 2, 2 / 3, 1 / 2, 0])
    assert by_core["truth_fraction"].to_numpy() == pytest.approx(
        [0.5, 1.0, 0.0, np.nan], nan_ok=True
    )
    assert by_core["dice"].to_numpy() == pytest.approx([0.5, 1.0, np.nan, np.nan], nan_ok=True)
    assert by_core["n_known"].tolist() == [4, 2, 2, 0]


def test_values_are_medians_over_repeats() -> None:
    perfect = np.where(TRUTH == 0, 1, 0)
    everything = np.ones(len(Y))
    predictions = pd.concat(
        [table(perfect), table(CALLED, repeat=1), table(everything, repeat=2)]
    ).sample(frac=1.0, random_state=3)
    metrics, cores = weak(predictions)
    assert len(cores) == 12 and cores["repeat"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert metrics["fraction_auc"]["value"] == pytest.approx(np.median([1.0, 0.875, 0.5]))
    assert metrics["dice"]["mean"] == pytest.approx(np.median([1.0, 0.75, 5 / 6]))
    assert metrics["dice"]["sd"] == pytest.approx(np.median([0.0, 0.25, 1 / 6]))
    assert metrics["dice"]["pooled"] == pytest.approx(np.median([1.0, 6 / 9, 8 / 12]))
    assert metrics["spot_balanced_accuracy"]["value"] == pytest.approx(0.625)
    assert metrics["n_spots_known"] == 8 and metrics["dice"]["n_cores"] == 2


def test_calling_everything_positive_is_chance() -> None:
    metrics, cores = weak(table(np.ones(len(Y))))
    assert (cores["fraction"] == 1.0).all()
    assert metrics["fraction_auc"]["value"] == 0.5
    assert metrics["spot_balanced_accuracy"]["value"] == 0.5
    dice = metrics["dice"]
    assert dice["mean"] == dice["all_positive"]["mean"]
    assert dice["pooled"] == dice["all_positive"]["pooled"]


def test_equal_probabilities_count_as_positive() -> None:
    metrics, cores = weak(table(CALLED).assign(prob_cancer=0.5, prob_normal=0.5))
    assert (cores["fraction"] == 1.0).all() and metrics["spot_auc"]["value"] == 0.5


def test_labels_that_vary_within_cores_are_their_own_truth() -> None:
    y = np.where(TRUTH < 0, 1, TRUTH)
    metrics, cores = weak(table(CALLED, y=y), truth=None, label="tissue", truth_label=None)
    assert metrics["truth_column"] == "tissue" and metrics["n_spots_known"] == 11
    assert cores["class"].tolist() == ["cancer", "cancer", "normal", "normal"]
    levels = evaluate_predictions(table(CALLED, y=y), SPOTS, CLASSES, n_bootstrap=0)
    value = metrics["spot_balanced_accuracy"]["value"]
    assert value == pytest.approx(levels["spot"]["balanced_accuracy"]["pooled"])
    # A named truth goes before labels.
    assert weak(table(CALLED, y=y))[0]["truth_column"] == "tissue"
    assert weak(table(CALLED, y=y))[0]["n_spots_known"] == 8


def test_without_truth_only_the_fraction_is_judged() -> None:
    metrics, cores = weak(table(CALLED), truth=None, truth_label=None)
    assert metrics["truth_column"] is None
    assert metrics["fraction_auc"]["value"] == pytest.approx(0.875)
    for name in ("dice", "spot_balanced_accuracy", "spot_auc"):
        assert metrics[name] is None and "no truth of single spots" in metrics["reasons"][name]
    assert cores["dice"].isna().all() and cores["truth_fraction"].isna().all()


def test_cores_of_one_class_cannot_be_told_apart() -> None:
    metrics, _ = weak(table(CALLED, y=0), n_bootstrap=50)
    assert metrics["fraction_auc"] == {"value": None, "ci95": None}
    assert "all cores are cancer" in metrics["reasons"]["fraction_auc"]
    assert metrics["dice"]["mean"] == pytest.approx(0.75)


def test_truth_of_one_class_gives_no_balanced_accuracy() -> None:
    metrics, _ = weak(table(CALLED), truth=np.where(TRUTH == 1, -1, TRUTH))
    assert metrics["spot_balanced_accuracy"] is None and metrics["dice"] is not None
    assert "one class" in metrics["reasons"]["spot_auc"]
    metrics, _ = weak(table(CALLED), truth=np.where(TRUTH == 0, -1, TRUTH))
    assert metrics["dice"] is None and "truly positive" in metrics["reasons"]["dice"]
    metrics, _ = weak(table(CALLED), truth=np.full(len(TRUTH), -1))
    assert metrics["dice"] is None and metrics["spot_auc"] is None


def test_three_classes_are_no_segmentation() -> None:
    predictions = table(CALLED).assign(prob_other=0.0)
    metrics, cores = evaluate_segmentation(predictions, SPOTS, (*CLASSES, "other"))
    assert metrics["applicable"] is False and "has 3" in metrics["reason"]
    assert cores.empty and tuple(cores.columns) == CORE_COLUMNS


@pytest.mark.parametrize("truth", [TRUTH[:-1], np.where(TRUTH == 1, 2, TRUTH)])
def test_truth_of_another_store_is_refused(truth) -> None:
    with pytest.raises(StoreError, match="11 numbers of -1, 0 or 1"):
        weak(table(CALLED), truth=truth)


def cohort(n_patients: int, seed: int):
    """Patients with two cores each; the first half cancer, of which a part is truly normal."""
    rng = np.random.default_rng(seed)
    core = np.repeat(np.arange(2 * n_patients), 12)
    patient = core // 2
    y = (patient >= n_patients // 2).astype(int)
    truth = np.where((y == 0) & (rng.random(len(y)) < 0.6), 0, 1)
    spots = pd.DataFrame({"core": [f"c{c:03}" for c in core], "patient": patient.astype(str)})
    parts = []
    for repeat in range(3):  # the last repeat is poor: mean and median differ
        score = 2.5 * (truth == 0) * (repeat < 2) + rng.normal(0, 1, n_patients)[patient]
        p = 1 / (1 + np.exp(-(score + rng.normal(0, 0.5, len(y)) - 0.7)))
        part = pd.DataFrame({"row": range(len(y)), "repeat": repeat, "fold": 0, "y": y})
        parts.append(part.assign(prob_cancer=p, prob_normal=1 - p))
    return pd.concat(parts), spots, truth


def of_patients(part: pd.DataFrame, spots: pd.DataFrame, truth: np.ndarray) -> list:
    """Of each patient: spots called and truly positive; class, fraction and Dice of its cores."""
    called = (part["prob_cancer"] >= 0.5).to_numpy()
    found = []
    for patient in range(12):
        mine = (spots["patient"] == str(patient)).to_numpy()
        cores = [(spots["core"] == name).to_numpy() for name in spots["core"][mine].unique()]
        dice = [
            2
            * (called & (truth == 0))[core].sum()
            / (called[core].sum() + (truth == 0)[core].sum())
            if (truth == 0)[core].any()
            else np.nan
            for core in cores
        ]
        y = [part["y"].to_numpy()[core][0] for core in cores]
        fraction = [called[core].mean() for core in cores]
        found.append((called[mine], truth[mine] == 0, np.array(y), np.array(fraction), dice))
    return found


def test_intervals_agree_with_resampling_patients_one_by_one() -> None:
    predictions, spots, truth = cohort(12, 0)
    metrics, _ = evaluate_segmentation(
        predictions, spots, CLASSES, truth=truth, n_bootstrap=400, seed=1
    )
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    rng = np.random.default_rng(5)
    parts = [of_patients(part, spots, truth) for _, part in predictions.groupby("repeat")]
    slow = []
    for _ in range(300):
        drawn = np.concatenate([rng.integers(6, size=6), 6 + rng.integers(6, size=6)])
        repeats = []
        for patients in parts:
            called, true, y, fraction, dice = (
                np.concatenate([patients[p][index] for p in drawn]) for index in range(5)
            )
            area = roc_auc_score(y == 0, fraction)
            repeats.append([area, balanced_accuracy_score(true, called), np.nanmean(dice)])
        slow.append(np.median(repeats, axis=0))
    names = ("fraction_auc", "spot_balanced_accuracy", "dice")
    for name, values in zip(names, np.transpose(slow), strict=True):
        found = metrics[name]["ci95"]
        assert found == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.04), name
        assert found[0] <= metrics[name].get("value", metrics[name].get("mean")) <= found[1]
