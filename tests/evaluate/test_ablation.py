"""Paired drops of balanced accuracy: by hand, against a loop over resamples, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from corespot.errors import StoreError
from corespot.evaluate.ablation import ablation_drops
from corespot.evaluate.intervals import draw_patients
from corespot.evaluate.summary import evaluate_predictions
from corespot.seeding import generator

CLASSES = ("AD", "SQ")


def table(called, y, *, repeat: int = 0) -> pd.DataFrame:
    p = np.where(np.asarray(called) == 1, 0.9, 0.2)
    frame = pd.DataFrame({"row": np.arange(len(p)), "repeat": repeat, "fold": 0, "y": y})
    return frame.assign(prob_AD=1 - p, prob_SQ=p)


def spots_of(patient) -> pd.DataFrame:
    names = [f"p{p}" for p in patient]
    return pd.DataFrame({"core": names, "patient": names})


def test_drop_worked_out_by_hand() -> None:
    y = [0, 0, 0, 0, 1, 1, 1, 1]
    intact = pd.concat([table([0, 0, 0, 1, 1, 1, 1, 1], y), table(y, y, repeat=1)])
    shuffled = pd.concat(
        [table([0, 0, 1, 1, 1, 1, 0, 0], y), table([0, 0, 0, 0, 1, 1, 1, 0], y, repeat=1)]
    )
    found = ablation_drops(
        intact, {"spatial": shuffled, "spectral": intact}, spots_of(y), CLASSES, n_bootstrap=0
    )
    # Intact 7/8 and 8/8; with positions shuffled 4/8 and 7/8.
    assert found["spatial"] == {
        "intact": pytest.approx(15 / 16),
        "ablated": pytest.approx(11 / 16),
        "drop": pytest.approx(4 / 16),
        "ci95": None,
        "n_shuffles": 1,
    }
    assert found["spectral"]["drop"] == 0.0
    levels = evaluate_predictions(intact, spots_of(y), CLASSES, n_bootstrap=0)
    assert found["spatial"]["intact"] == levels["spot"]["balanced_accuracy"]["pooled"]


def test_shufflings_are_averaged_after_evaluation_not_before() -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    wrong = [np.where(np.arange(6) % 3 == index, 1 - y, y) for index in range(3)]
    shuffled = pd.concat([table(one, y).assign(shuffle=i) for i, one in enumerate(wrong)])
    found = ablation_drops(table(y, y), {"spatial": shuffled}, spots_of(y), CLASSES, n_bootstrap=0)
    # Each shuffling errs on a third of the spots; their mean probability would err nowhere.
    assert found["spatial"]["ablated"] == pytest.approx(2 / 3)
    assert found["spatial"]["n_shuffles"] == 3


def example(n_patients: int = 16, per_patient: int = 12):
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(n_patients), per_patient)
    y = patient % 2
    hard = rng.normal(0, 1.2, n_patients)[patient]  # the same patients are hard for both
    intact, shuffled = (
        pd.concat(
            table(
                (strength * (2 * y - 1) + hard + rng.normal(0, 0.7, len(y)) > 0).astype(int),
                y,
                repeat=repeat,
            )
            for repeat in range(2)
        )
        for strength in (1.2, 0.6)
    )
    return intact, shuffled, spots_of(patient), y


def test_interval_resamples_both_sides_alike() -> None:
    intact, shuffled, spots, y = example()
    found = ablation_drops(intact, {"spatial": shuffled}, spots, CLASSES, n_bootstrap=150, seed=4)[
        "spatial"
    ]
    # Patients are numbered in the order of their names.
    number = np.unique(spots["patient"], return_inverse=True)[1]
    strata = np.array([y[number == p][0] for p in range(16)])
    draws = draw_patients(strata, 150, generator(4, "bootstrap")).astype(int)
    drops = []
    for line in draws:
        rows = np.concatenate(
            [np.flatnonzero(number == p) for p in range(16) for _ in range(line[p])]
        )
        accuracy = [
            np.mean(
                [
                    balanced_accuracy_score(y[rows], (part["prob_SQ"] > 0.5).to_numpy()[rows])
                    for _, part in predictions.groupby("repeat")
                ]
            )
            for predictions in (intact, shuffled)
        ]
        drops.append(accuracy[0] - accuracy[1])
    assert found["ci95"] == pytest.approx(np.percentile(drops, [2.5, 97.5]))
    assert found["ci95"][0] < found["drop"] < found["ci95"][1]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_pairing_narrows_the_interval() -> None:
    intact, shuffled, spots, _ = example(40)
    drop = ablation_drops(intact, {"spatial": shuffled}, spots, CLASSES, n_bootstrap=300)["spatial"]
    alone = evaluate_predictions(intact, spots, CLASSES, n_bootstrap=300)["spot"]
    low, high = alone["balanced_accuracy"]["ci95"]
    # Two independent intervals as wide as this one would add up to sqrt(2) of it.
    assert drop["ci95"][1] - drop["ci95"][0] < high - low


def test_order_of_the_rows_does_not_matter() -> None:
    intact, shuffled, spots, _ = example()
    mixed = shuffled.sample(frac=1.0, random_state=1)
    ours, theirs = (
        ablation_drops(intact, {"spatial": one}, spots, CLASSES, n_bootstrap=50)
        for one in (shuffled, mixed)
    )
    assert ours == theirs


def test_one_patient_a_class_gives_no_interval() -> None:
    y = [0, 0, 1, 1]
    found = ablation_drops(table(y, y), {"spatial": table(y, y)}, spots_of(y), CLASSES)["spatial"]
    assert found["drop"] == 0.0 and found["ci95"] is None
    one = table([0, 1], [0, 0])
    assert ablation_drops(one, {"spatial": one}, spots_of([0, 1]), CLASSES)["spatial"] == {
        **dict.fromkeys(("intact", "ablated", "drop", "ci95")),
        "n_shuffles": 1,
    }
    assert ablation_drops(one, {}, spots_of([0, 1]), CLASSES) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.iloc[:-1], "not about the same"),
        (lambda t: t.assign(fold=1), "not about the same"),
        (lambda t: t.assign(y=1 - t["y"]), "not about the same"),
        (lambda t: t.assign(repeat=1), "not about the same"),
        (lambda t: t.assign(shuffle=0).iloc[:0], "no predictions of the ablation 'spectral'"),
        (lambda t: t.drop(columns="prob_AD"), "lacks the column"),
    ],
)
def test_predictions_of_other_spots_are_refused(change, message) -> None:
    y = [0, 0, 1, 1]
    with pytest.raises(StoreError, match=message):
        ablation_drops(table(y, y), {"spectral": change(table(y, y))}, spots_of(y), CLASSES)
