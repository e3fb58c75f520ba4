"""Truth of single spots: which spots it knows, that nothing else changes, what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from corespot.cohort.tasks import SpotTruth, Task, select_spots
from corespot.errors import ParamsError

SPOTS = pd.DataFrame(
    {
        "core": list("aaabbcc"),
        "diagnosis": ["cancer"] * 3 + ["normal"] * 2 + ["", "cancer"],
        "tissue": ["tumor", "stroma", None, "stroma", "fat", "tumor", "tumor"],
    }
)
WEAK = Task.parse(
    {
        "label": "diagnosis",
        "classes": ["cancer", "normal"],
        "truth": {"label": "tissue", "classes": ["tumor", "stroma"]},
    },
    "tasks.weak",
)


def test_truth_is_that_of_each_spot_and_unknown_where_it_is_another_value() -> None:
    task = select_spots(SPOTS, "weak", WEAK)
    assert task.rows.tolist() == [0, 1, 2, 3, 4, 6]
    assert task.y.tolist() == [0, 0, 0, 1, 1, 0]
    assert task.truth is not None and task.truth.dtype == np.int64
    assert task.truth.tolist() == [0, 1, -1, 1, -1, 0]
    assert (task.label, task.truth_label) == ("diagnosis", "tissue")
    by_row = task.truth_by_row(len(SPOTS))
    assert by_row is not None and by_row.tolist() == [0, 1, -1, 1, -1, -1, 0]


def test_truth_changes_neither_spots_nor_labels() -> None:
    plain = Task(label="diagnosis", classes=("cancer", "normal"))
    with_truth, without = (select_spots(SPOTS, "weak", task) for task in (WEAK, plain))
    assert with_truth.rows.tolist() == without.rows.tolist()
    assert with_truth.y.tolist() == without.y.tolist()
    assert without.truth is None and without.truth_label is None
    assert without.truth_by_row(len(SPOTS)) is None


def test_truth_is_compared_as_text_like_labels() -> None:
    spots = SPOTS.assign(tissue=[1.0, 0.0, np.nan, 0.0, 2.0, 1.0, 1.0])
    task = Task(
        label="diagnosis",
        classes=("cancer", "normal"),
        truth=SpotTruth(label="tissue", classes=("1", "0")),
    )
    found = select_spots(spots, "weak", task).truth
    assert found is not None and found.tolist() == [0, 1, -1, 1, -1, 0]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"label": "tissue", "classes": ["tumor", "stroma", "fat"]}, "names 3 classes .*has 2"),
        ({"label": "tissue", "classes": ["tumor"]}, "truth.classes: expected two or more"),
        ({"label": "tissue", "classes": [True, False]}, "quote the names"),
        ({"label": "tissue", "clases": ["a", "b"]}, "unknown key 'clases'; did you mean 'classes'"),
        ({"classes": ["a", "b"]}, "truth.label: this key is required"),
    ],
)
def test_faulty_truth_is_refused_where_params_are_read(truth, message) -> None:
    with pytest.raises(ParamsError, match=message):
        Task.parse(
            {"label": "diagnosis", "classes": ["cancer", "normal"], "truth": truth}, "tasks.weak"
        )


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (
            SpotTruth(label="tisue", classes=("tumor", "stroma")),
            r"tasks\.weak\.truth: column 'tisue' is in neither .*did you mean 'tissue'",
        ),
        (
            SpotTruth(label="tissue", classes=("tumour", "stroma")),
            r"tasks\.weak\.truth: no spot of the task is 'tumour' .*fat, stroma, tumor",
        ),
    ],
)
def test_truth_that_the_spots_do_not_have_is_refused(truth, message) -> None:
    task = Task(label="diagnosis", classes=("cancer", "normal"), truth=truth)
    with pytest.raises(ParamsError, match=message):
        select_spots(SPOTS, "weak", task)
