"""Patients of each class on each TMA are counted once, and TMAs are named shortly."""

from __future__ import annotations

import numpy as np
import pytest
from design_tasks import table

from corespot.audit.design.class_layout import ClassLayout, in_words
from corespot.cohort.tasks import TaskSpots

LAYOUT = ClassLayout(
    ("a", "b"),
    ("T1", "T2", "T3", "T4", "T5", "T6"),
    np.array([[3, 0], [2, 0], [1, 0], [0, 4], [0, 1], [0, 2]]),
    "patient",
)


def test_a_patient_counts_once_for_every_class_and_tma_that_it_has_spots_of() -> None:
    task = table("aab", ["T1", "T1", "T2"])
    y = task.y.copy()
    y[0] = 1  # one spot of the first patient is of the other class
    mixed = TaskSpots("mixed", task.classes, task.rows, y, task.spots, task.label)
    layout = ClassLayout.of(mixed)
    assert layout.classes == ("a", "b") and layout.tmas == ("T1", "T2")
    assert layout.counts.tolist() == [[2, 1], [0, 1]]
    assert not layout.nested and ClassLayout.of(task).nested


def test_cores_are_counted_where_no_patient_is_named_or_every_core_is_one() -> None:
    task = table("aab", ["T1", "T1", "T2"])
    spots = task.spots

    def unit(patient: object) -> str:
        renamed = spots.assign(patient=patient)
        return ClassLayout.of(
            TaskSpots("t", task.classes, task.rows, task.y, renamed, task.label)
        ).unit

    assert ClassLayout.of(task).unit == "patient"
    assert unit("") == "core" and unit(spots["core"]) == "core"
    assert unit(spots["patient"].where(spots["core"] != "c00", "")) == "patient"


def test_tmas_of_a_class() -> None:
    assert LAYOUT.nested and not LAYOUT.label_is_tma
    assert LAYOUT.tmas_of("a") == ("T1", "T2", "T3")
    alone = ClassLayout(("T1", "T2"), ("T1", "T2"), np.array([[2, 0], [0, 3]]), "core")
    assert alone.label_is_tma
    single = ClassLayout(("a", "b"), ("T1",), np.array([[2, 0]]), "core")
    assert not single.nested


@pytest.mark.parametrize(
    ("tmas", "words"),
    [
        (["T2"], "T2"),
        (["T2", "T3"], "T2 and T3"),
        (["T1", "T2", "T3", "T4"], "T1, T2, T3 and T4"),
        (["T2", "T3", "T4", "T5", "T6"], "T2 to T6"),
        (["T1", "T2", "T3", "T4", "T6"], "T1, T2, T3, T4 and T6"),
    ],
)
def test_only_a_long_run_is_shortened(tmas: list[str], words: str) -> None:
    assert LAYOUT.tmas_in_words(tmas) == words


def test_names_are_strung_together() -> None:
    assert [in_words("a"), in_words("ab"), in_words("abc")] == ["a", "a and b", "a, b and c"]
