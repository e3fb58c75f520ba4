"""Patches, and the cores and slides they vote for: by hand, intervals, slides without a class."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from corespot.errors import StoreError
from corespot.evaluate.patches import evaluate_patches

CLASSES = ("benign", "cancer")


def cohort(cores_of_slide: dict[str, list[int]]) -> pd.DataFrame:
    """Ten spots a core; cores are numbered through, slides given with the classes of theirs."""
    lines, number = [], 0
    for slide, classes in cores_of_slide.items():
        for label in classes:
            core = f"c{number}"
            line = {"core": core, "patient": f"p{number}", "file": f"{slide}.imzML", "tma": slide}
            lines += [{**line, "class": label}] * 10
            number += 1
    return pd.DataFrame(lines)


def patches_of(spots: pd.DataFrame, called: list[list[float]], *, repeat: int = 0) -> pd.DataFrame:
    """A patch for each given probability of cancer, core by core."""
    lines = [
        {
            "row": 10 * core + at,
            "repeat": repeat,
            "fold": 0,
            "n_spots": 3 + at,
            "y": spots["class"][10 * core],
            "prob_benign": 1 - p,
            "prob_cancer": p,
        }
        for core, probabilities in enumerate(called)
        for at, p in enumerate(probabilities)
    ]
    return pd.DataFrame(lines)


NESTED = cohort({"A": [0, 0], "B": [0], "C": [1, 1], "D": [1]})
# The majority of the patches of core c4 and of slide A is not what their mean says.
CALLED = [[0.1, 0.1, 0.9], [0.6, 0.6], [0.1], [0.9, 0.1], [0.8, 0.4, 0.45], [0.9]]


def test_figures_worked_out_by_hand() -> None:
    found = evaluate_patches(patches_of(NESTED, CALLED), NESTED, CLASSES, n_bootstrap=0)
    # Benign patches: 3 of 6 right; cancer patches: 3 of 6.
    assert found["patch"]["balanced_accuracy"]["pooled"] == pytest.approx(0.5)
    # Benign cores: 2 of 3; cancer cores: c3 tied with mean .5 goes to the first class, c4 wrong.
    assert found["core"]["balanced_accuracy"]["pooled"] == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert found["core"]["n_units"] == 6
    # Slides: A has 3 of 5 patches called cancer; B is right; C has 2 of 5 called cancer; D right.
    assert found["slide"]["applicable"] and found["slide"]["n_units"] == 4
    assert found["slide"]["balanced_accuracy"]["pooled"] == pytest.approx(0.5)
    assert found["slide"]["confusion"]["counts"] == [[1, 1], [1, 1]]
    assert found["median_spots"] == pytest.approx(np.median([3, 4, 5, 3, 4, 3, 3, 4, 3, 4, 5, 3]))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_repeats_are_summarised_as_at_other_levels() -> None:
    right = [[float(c)] * 2 for c in (0, 0, 0, 1, 1, 1)]
    both = pd.concat([patches_of(NESTED, CALLED), patches_of(NESTED, right, repeat=1)])
    entry = evaluate_patches(both, NESTED, CLASSES, n_bootstrap=0)["core"]["balanced_accuracy"]
    assert entry["repeats"] == pytest.approx([0.5, 1.0]) and entry["over"] == "repeats"
    assert entry["median"] == pytest.approx(0.75)


def test_intervals_resample_patients_and_slides() -> None:
    # On slides of class 0 one of four is wrong throughout; all else is right.
    spots = cohort({name: [int(name in "EFGH")] * 5 for name in "ABCDEFGH"})
    called = [[0.9 if core < 5 else float(core >= 20)] * 4 for core in range(40)]
    found = evaluate_patches(patches_of(spots, called), spots, CLASSES, n_bootstrap=400)
    for level in ("patch", "core"):
        low, high = found[level]["balanced_accuracy"]["ci95"]
        # 5 of 20 patients wrong: standard error of the sensitivity .097, of the mean half of it.
        assert found[level]["balanced_accuracy"]["pooled"] == pytest.approx(0.875)
        assert 0.75 < low < 0.82 and 0.93 < high < 0.99
    # 1 of 4 slides wrong: (3/4)^4 of the resamples have none, 1 in 256 has only it.
    low, high = found["slide"]["balanced_accuracy"]["ci95"]
    assert low <= 0.625 and high == 1.0


def test_slides_that_share_a_patient_are_resampled_together() -> None:
    spots = cohort({"A": [0, 0], "B": [0, 0], "C": [1], "D": [1]})
    perfect = patches_of(spots, [[0.1]] * 4 + [[0.9]] * 2)
    apart = evaluate_patches(perfect, spots, CLASSES, n_bootstrap=20)["slide"]
    assert apart["balanced_accuracy"]["ci95"] == [1.0, 1.0] and apart["n_patients"] == 4
    shared = spots.assign(patient=spots["patient"].replace("p3", "p1"))
    joined = evaluate_patches(perfect, shared, CLASSES, n_bootstrap=20)["slide"]
    # A patient is on slides A and B: one cluster of the class, and nothing to resample.
    assert joined["balanced_accuracy"]["ci95"] is None and joined["n_patients"] == 3


@pytest.mark.parametrize(
    ("slides", "message"),
    [
        ({"A": [0, 1], "B": [0], "C": [1]}, r"1 of 3, among them A\.imzML"),
        ({"A": [0, 0], "B": [1], "C": [1]}, "class benign is on 1 slide; at least two"),
        ({"A": [0], "B": [0]}, "class cancer is on 0 slides"),
    ],
)
def test_slides_without_a_class_of_their_own_are_not_judged(slides, message) -> None:
    spots = cohort(slides)
    table = patches_of(spots, [[0.3]] * (len(spots) // 10))
    found = evaluate_patches(table, spots, CLASSES, n_bootstrap=0)
    assert found["slide"]["applicable"] is False
    assert pd.Series([found["slide"]["reason"]]).str.contains(message).all()
    assert found["core"]["n_units"] == len(spots) // 10


def test_slide_is_the_tma_where_no_file_is_named() -> None:
    table = patches_of(NESTED, CALLED)
    by_file = evaluate_patches(table, NESTED, CLASSES, n_bootstrap=0)["slide"]
    by_tma = evaluate_patches(table, NESTED.drop(columns="file"), CLASSES, n_bootstrap=0)["slide"]
    assert by_tma == by_file
    nameless = NESTED.assign(file="", tma="")
    nameless = evaluate_patches(table, nameless, CLASSES, n_bootstrap=0)["slide"]
    assert nameless["applicable"] is False and "neither a file nor a TMA" in nameless["reason"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.iloc[:0], "no patches"),
        (lambda t: t.drop(columns="n_spots"), "patch table lacks the column 'n_spots'"),
        (lambda t: t.assign(row=t["row"] + 1000), "belong to another store"),
        (lambda t: t.assign(prob_cancer=2.0), "not probabilities"),
        (lambda t: t.assign(y=7), "class number 7"),
    ],
)
def test_faulty_tables_are_refused(change, message) -> None:
    with pytest.raises(StoreError, match=message):
        evaluate_patches(change(patches_of(NESTED, CALLED)), NESTED, CLASSES, n_bootstrap=0)
