"""Control cores are found, compared within tissue, and refused where they cannot say anything."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulated_control_cores import CLASSES, controls, nested, of_class

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.control_cores import (
    ControlCoreDependence,
    class_gaps,
    class_shares_of_tmas,
    control_core_dependence,
    find_control_spots,
)
from corespot.audit.indicators.within_class import WithinClassLeakage
from corespot.cohort.tasks import TaskSpots


def test_tmas_that_differ_whatever_their_class_show_by_tma_alone() -> None:
    rng = np.random.default_rng(5)
    found = [controls(rng, nested(3, 3), share=0.0, own=0.6) for _ in range(20)]
    by_tma = [one.by_tma for one in found]
    assert all(isinstance(one, WithinClassLeakage) for one in by_tma)
    assert np.mean([one.p <= 0.05 for one in by_tma]) > 0.8
    assert np.mean([of_class(one).p <= 0.05 for one in found]) < 0.3


def test_several_tissues_are_compared_within_tissue() -> None:
    rng = np.random.default_rng(6)
    found = controls(rng, nested(4, 4), share=0.5, n_cores=1, n_tissues=3)
    assert of_class(found).share == pytest.approx(0.5, abs=0.15)
    # One core of each tissue on a TMA: tissue against tissue, TMAs cannot be told from cores.
    assert isinstance(found.by_tma, NotApplicable) and "two or more" in found.by_tma.reason


def test_not_applicable() -> None:
    def run(tma: list[str], mixes: dict[str, np.ndarray], gap: float = 1.0) -> object:
        names = np.array(tma, dtype=str)
        return control_core_dependence(
            np.arange(float(len(tma))),
            np.array([f"c{at}" for at in range(len(tma))], dtype=str),
            names,
            classes=CLASSES,
            class_shares=mixes,
            gaps=np.array([gap, gap]),
        )

    none = run([], nested(1, 1))
    assert isinstance(none, NotApplicable) and "no control cores" in none.reason
    single = run(["T0", "T0"], nested(1, 1))
    assert isinstance(single, NotApplicable) and "one TMA" in single.reason
    same = run(["T0", "T1"], nested(2, 0))
    assert isinstance(same, ControlCoreDependence)
    assert isinstance(same.by_class, NotApplicable) and "same mix" in same.by_class.reason
    unknown = run(["T0", "X"], nested(1, 1))
    assert isinstance(unknown, ControlCoreDependence)
    assert (
        isinstance(unknown.by_class, NotApplicable) and "fewer than two" in unknown.by_class.reason
    )
    blind = run(["T0", "T1"], nested(1, 1), gap=-0.5)
    assert isinstance(blind, ControlCoreDependence)
    assert isinstance(blind.by_class, NotApplicable) and "no gap" in blind.by_class.reason
    assert "not_applicable" in blind.as_dict()["by_class"]


def test_what_does_not_fit_is_refused() -> None:
    tma = np.array(["T0", "T1"])
    mixes, gaps = nested(1, 1), np.ones(2)
    with pytest.raises(ValueError, match="3 classes"):
        control_core_dependence(
            np.zeros(2), tma, tma, classes="abc", class_shares=mixes, gaps=np.ones(3)
        )
    with pytest.raises(ValueError, match="differ"):
        control_core_dependence(
            np.zeros(3), tma, tma, classes=CLASSES, class_shares=mixes, gaps=gaps
        )
    with pytest.raises(ValueError, match="not finite"):
        control_core_dependence(
            np.array([0.0, np.nan]), tma, tma, classes=CLASSES, class_shares=mixes, gaps=gaps
        )


def spots_of(rows: list[tuple[str, str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["core", "patient", "tma", "control"])


def test_marks_of_control_cores() -> None:
    marks = ["1", "TRUE", "yes", "", "0", "no", "false"]
    spots = spots_of([(f"c{at}", "P", "T", mark) for at, mark in enumerate(marks)])
    assert find_control_spots(spots).tolist() == [True] * 3 + [False] * 4
    assert find_control_spots(spots.assign(control=[True] * 3 + [False] * 4)).sum() == 3
    assert find_control_spots(spots.assign(control=[1.0, np.nan, 0.0, 1.0, 0, 0, 0])).sum() == 2
    assert not find_control_spots(spots, "reference").any()


def test_class_shares_count_patients_and_leave_control_cores_out() -> None:
    rows = [("a", "P1", "T1", "")] * 9 + [("b", "P2", "T1", ""), ("k", "K", "T1", "1")]
    rows += [("c", "P3", "T2", "")] * 2
    y = np.array([0] * 9 + [1, 1] + [0, 1])
    spots = spots_of(rows)
    task = TaskSpots("t", CLASSES, np.arange(len(y)), y, spots)
    found = class_shares_of_tmas(task)
    assert found["T1"].tolist() == [0.5, 0.5] and found["T2"].tolist() == [0.5, 0.5]


def test_gaps_count_patients() -> None:
    units = np.array(["P1", "P1", "P1", "P2", "P3"])
    y = np.array([0, 0, 0, 0, 1])
    logit = np.array([-1.0, -1.0, -1.0, -3.0, 4.0])
    assert class_gaps(logit, units, y).tolist() == [6.0, 6.0]
