"""The nested result: what it holds, how repeats and folds are summarised, the leakage gap."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from corespot.cohort.splits import FoldSettings, leakage_groupings, make_folds
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.evaluate.leakage import leakage_gap
from corespot.evaluate.summary import evaluate_predictions, fold_table

CLASSES = ("AD", "SQ")


@pytest.fixture(scope="module")
def task() -> TaskSpots:
    rng = np.random.default_rng(0)
    core = np.repeat(np.arange(64), rng.integers(5, 15, size=64))
    spots = pd.DataFrame(
        {
            "file": [f"T{c % 8}.imzML" for c in core],
            "spectrum": np.arange(len(core)),
            "core": [f"core{c}" for c in core],
            "tma": [f"T{c % 8}" for c in core],
            "patient": [f"T{c % 8}p{c // 16}" for c in core],
            "subtype": np.where((core // 16) % 2 == 0, "AD", "SQ"),
        }
    )
    return select_spots(spots, "ADSQ", Task(label="subtype", classes=CLASSES))


def predict(task: TaskSpots, *, repeats: int, strength: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    parts = []
    for fold in make_folds(task, FoldSettings(k=4, repeats=repeats, seed=0)):
        y = task.y[fold.test_rows]
        score = strength * (2 * y - 1) + rng.normal(0, 1, len(y))
        p = 1 / (1 + np.exp(-score))
        parts.append(
            pd.DataFrame(
                {"row": fold.test_rows, "repeat": fold.repeat, "fold": fold.index, "y": y}
            ).assign(prob_AD=1 - p, prob_SQ=p)
        )
    return pd.concat(parts, ignore_index=True)


def test_result_is_json_and_complete(task) -> None:
    result = evaluate_predictions(predict(task, repeats=2), task.spots, CLASSES, n_bootstrap=60)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert list(result) == ["spot", "core", "core_mean", "patient"]
    for level in result.values():
        for metric in ("balanced_accuracy", "auc", "sensitivity", "specificity", "f1"):
            entry = level[metric]
            assert entry["over"] == "repeats" and len(entry["repeats"]) == 2
            assert [len(row) for row in entry["folds"]] == [4, 4]
            assert entry["iqr"][0] <= entry["median"] <= entry["iqr"][1]
            assert entry["ci95"][0] <= entry["pooled"] <= entry["ci95"][1]
        assert {"brier", "ece", "reliability"} == set(level["calibration"])
        assert np.sum(level["confusion"]["counts"]) == 2 * level["n_units"]
        assert set(level["per_class"]) == set(CLASSES)
        assert (level["n_repeats"], level["n_folds"], level["n_excluded"]) == (2, 4, 0)
    assert [result[level]["n_units"] for level in result] == [len(task), 64, 64, 32]
    again = evaluate_predictions(predict(task, repeats=2), task.spots, CLASSES, n_bootstrap=60)
    assert again == result


def test_repeat_is_the_mean_over_folds_and_the_median_is_over_repeats(task) -> None:
    table = predict(task, repeats=3)
    entry = evaluate_predictions(table, task.spots, CLASSES, n_bootstrap=0)["spot"]
    by_fold = table.assign(called=(table["prob_SQ"] > 0.5).astype(int)).groupby(["repeat", "fold"])
    values = by_fold[["y", "called"]].apply(
        lambda part: balanced_accuracy_score(part["y"], part["called"])
    )
    means = values.groupby("repeat").mean().to_numpy()
    accuracy = entry["balanced_accuracy"]
    assert accuracy["folds"] == pytest.approx(values.to_numpy().reshape(3, 4))
    assert accuracy["repeats"] == pytest.approx(means)
    assert accuracy["median"] == pytest.approx(np.median(means))
    assert accuracy["iqr"] == pytest.approx(np.percentile(means, [25, 75]))
    assert accuracy["ci95"] is None
    pooled = [roc_auc_score(part["y"], part["prob_SQ"]) for _, part in table.groupby("repeat")]
    assert entry["auc"]["pooled"] == pytest.approx(np.mean(pooled))


def test_one_repeat_is_summarised_over_folds(task) -> None:
    entry = evaluate_predictions(predict(task, repeats=1), task.spots, CLASSES, n_bootstrap=0)
    accuracy = entry["spot"]["balanced_accuracy"]
    assert accuracy["over"] == "folds"
    assert accuracy["median"] == pytest.approx(np.median(accuracy["folds"][0]))
    assert accuracy["iqr"] == pytest.approx(np.percentile(accuracy["folds"][0], [25, 75]))


def test_fold_without_a_class_is_undefined_and_counted(task) -> None:
    table = predict(task, repeats=1)
    table["fold"] = np.where(table["y"] == 0, 0, table["fold"])  # the other folds lack class AD
    accuracy = evaluate_predictions(table, task.spots, CLASSES)["spot"]["balanced_accuracy"]
    assert accuracy["n_undefined"] == 3 and accuracy["folds"][0].count(None) == 3
    assert accuracy["median"] == pytest.approx(accuracy["folds"][0][0])
    assert accuracy["pooled"] is not None


def test_single_fold_of_a_run_can_be_evaluated(task) -> None:
    table = predict(task, repeats=1)
    one = table[table["fold"] == 2]
    accuracy = evaluate_predictions(one, task.spots, CLASSES, n_bootstrap=0)["spot"][
        "balanced_accuracy"
    ]
    expected = balanced_accuracy_score(one["y"], (one["prob_SQ"] > 0.5).astype(int))
    assert accuracy["median"] == pytest.approx(expected)


def test_fold_table_is_what_the_summary_summarises(task) -> None:
    predictions = predict(task, repeats=2)
    table = fold_table(predictions, task.spots, CLASSES)
    assert list(table.columns) == ["repeat", "fold", "level", "metric", "value"]
    assert len(table) == 2 * 4 * 4 * 7
    result = evaluate_predictions(predictions, task.spots, CLASSES, n_bootstrap=0)
    core = table[(table["level"] == "core") & (table["metric"] == "f1")].set_index(
        ["repeat", "fold"]
    )["value"]
    assert core.to_numpy().reshape(2, 4) == pytest.approx(np.array(result["core"]["f1"]["folds"]))


def test_cores_cut_by_random_folds_are_one_unit_in_each(task) -> None:
    table = predict(task, repeats=1)
    table["fold"] = np.arange(len(table)) % 2
    result = evaluate_predictions(table, task.spots, CLASSES, n_bootstrap=20)
    assert result["core"]["n_units"] == 128 and result["core"]["n_patients"] == 32


def nearest_neighbour(task: TaskSpots, spectra: np.ndarray, table) -> pd.DataFrame:
    parts = []
    for fold in table:
        train, test = spectra[fold.train_rows], spectra[fold.test_rows]
        distance = (test**2).sum(1)[:, None] - 2 * test @ train.T + (train**2).sum(1)
        called = task.y[fold.train_rows][distance.argmin(axis=1)]
        parts.append(
            pd.DataFrame(
                {
                    "row": fold.test_rows,
                    "repeat": fold.repeat,
                    "fold": fold.index,
                    "y": task.y[fold.test_rows],
                    "prob_AD": 1.0 - called,
                    "prob_SQ": 1.0 * called,
                }
            )
        )
    return pd.concat(parts)


def test_leakage_gap_shows_a_model_that_only_recognises_cores(task) -> None:
    rng = np.random.default_rng(0)
    _, core = np.unique(task.group_of("core"), return_inverse=True)
    spectra = rng.normal(0, 3, (64, 12))[core] + rng.normal(0, 1, (len(task), 12))
    groupings = leakage_groupings(task, FoldSettings(k=4, repeats=1, seed=0))
    results = {
        table.grouping: evaluate_predictions(
            nearest_neighbour(task, spectra, table), task.spots, CLASSES, n_bootstrap=20
        )
        for table in groupings
    }
    gap = leakage_gap(results, refused=groupings.refused)
    assert gap["grouping"].tolist() == ["spot", "core", "patient", "tma"]
    assert gap["optimistic"].tolist() == [True, False, False, False]
    line = gap.set_index("grouping")
    assert line.loc["spot", "balanced_accuracy"] > 0.95 and line.loc["spot", "gap"] > 0.25
    assert line.loc["tma", "gap"] == 0.0 and line.loc["tma", "strictest"]
    refused = leakage_gap({"spot": results["spot"]}, refused={"tma": "class a occurs on 1 TMA"})
    assert refused["reason"].tolist() == ["", "class a occurs on 1 TMA"]
    assert np.isnan(refused["balanced_accuracy"].iloc[1])
    with pytest.raises(ValueError, match="expected results"):
        leakage_gap({})
