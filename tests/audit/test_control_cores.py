"""A planted dependence on the class of the TMA is measured; none is found where there is none."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.control_cores import (
    ControlCoreDependence,
    class_gaps,
    class_shares_of_tmas,
    control_core_dependence,
    find_control_spots,
)
from corespot.audit.control_cores_by_class import ClassDependence
from corespot.audit.within_class import WithinClassLeakage
from corespot.cohort.tasks import TaskSpots

CLASSES = ("lung", "pancreas")
GAP = 4.0


def nested(n_a: int, n_b: int) -> dict[str, np.ndarray]:
    return {
        f"T{at}": np.array([1.0, 0.0]) if at < n_a else np.array([0.0, 1.0])
        for at in range(n_a + n_b)
    }


def controls(
    rng: np.random.Generator,
    mixes: dict[str, np.ndarray],
    *,
    share: float,
    n_cores: int = 2,
    own: float = 0.05,
    n_tissues: int = 1,
) -> ControlCoreDependence:
    """Control cores whose TMA moves their score by `share` of the gap from class to class."""
    rows = []
    for tma, mix in mixes.items():
        effect = GAP * (share * (mix[1] - 0.5) + own * rng.normal())
        for tissue in range(n_tissues):
            for core in range(n_cores):
                level = 2 * tissue + effect + 0.15 * GAP * rng.normal()
                rows += [
                    (level + 0.1 * GAP * rng.normal(), f"{tma}-{tissue}-{core}", tma, str(tissue))
                    for _ in range(4)
                ]
    logit, core_of, tma_of, tissue_of = (np.array(part) for part in zip(*rows, strict=True))
    found = control_core_dependence(
        logit,
        core_of,
        tma_of,
        classes=CLASSES,
        class_shares=mixes,
        gaps=np.array([GAP, GAP]),
        tissues=tissue_of,
    )
    assert isinstance(found, ControlCoreDependence)
    return found


def of_class(found: ControlCoreDependence) -> ClassDependence:
    assert isinstance(found.by_class, ClassDependence), found.by_class
    return found.by_class


def test_the_share_is_the_difference_of_tma_means_over_the_gap() -> None:
    logit = np.array([0.0, 2.0, 1.0, 3.0, 5.0, 6.0])
    core = np.array(["a", "a", "b", "c", "d", "e"])
    tma = np.array(["T0", "T0", "T0", "T1", "T2", "T3"])
    found = control_core_dependence(
        logit, core, tma, classes=CLASSES, class_shares=nested(2, 2), gaps=np.array([8.0, 8.0])
    )
    assert isinstance(found, ControlCoreDependence)
    dependence = of_class(found)
    # TMA means 1 (cores 1 and 1), 3, 5, 6: (5.5 - 2) / 8.
    assert dependence.share == pytest.approx(3.5 / 8)
    assert dependence.by_class == pytest.approx({"lung": 3.5 / 8, "pancreas": 3.5 / 8})
    # No other pair of four TMAs has as high a mean.
    assert dependence.exact and dependence.n_arrangements == 6
    assert dependence.p == pytest.approx(1 / 6) and dependence.p_two_sided == pytest.approx(2 / 6)
    assert (dependence.n_tmas, dependence.n_cores) == (4, 5)


def test_p_is_that_of_all_ways_to_choose_the_tmas() -> None:
    rng = np.random.default_rng(0)
    level = rng.normal(size=7)
    tma = np.array([f"T{at}" for at in range(7)])
    found = control_core_dependence(
        level, tma, tma, classes=CLASSES, class_shares=nested(4, 3), gaps=np.array([1.0, 1.0])
    )
    assert isinstance(found, ControlCoreDependence)
    sums = [level[list(chosen)].sum() for chosen in combinations(range(7), 3)]
    expected = np.mean(np.array(sums) >= level[4:].sum() - 1e-12)
    assert of_class(found).p == pytest.approx(expected)


def test_interval_is_that_of_two_means() -> None:
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(1)
    level = rng.normal(size=9)
    tma = np.array([f"T{at}" for at in range(9)])
    found = control_core_dependence(
        level, tma, tma, classes=CLASSES, class_shares=nested(5, 4), gaps=np.array([2.0, 2.0])
    )
    assert isinstance(found, ControlCoreDependence)
    expected = ttest_ind(level[5:], level[:5]).confidence_interval()
    assert of_class(found).interval == pytest.approx((expected.low / 2, expected.high / 2))


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_planted_share_is_measured(share: float) -> None:
    rng = np.random.default_rng(2)
    found = [of_class(controls(rng, nested(4, 4), share=share)) for _ in range(60)]
    assert np.mean([one.share for one in found]) == pytest.approx(share, abs=0.05)
    assert np.mean([one.p <= 0.05 for one in found]) > (0.8 if share == 0.3 else 0.99)
    covered = [one.interval and one.interval[0] <= share <= one.interval[1] for one in found]
    assert np.mean(covered) >= 0.85


def test_partly_mixed_tmas_give_the_same_share() -> None:
    rng = np.random.default_rng(3)
    mixes = {f"T{at}": np.array([1 - q, q]) for at, q in enumerate([0.2, 0.2, 0.3, 0.7, 0.8, 0.9])}
    found = [of_class(controls(rng, mixes, share=0.8)) for _ in range(60)]
    assert np.mean([one.share for one in found]) == pytest.approx(0.8, abs=0.08)


def test_level_without_dependence() -> None:
    rng = np.random.default_rng(4)
    n = 150
    found = [controls(rng, nested(4, 4), share=0.0, own=0.1) for _ in range(n)]
    bound = 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
    assert np.mean([of_class(one).p <= 0.05 for one in found]) <= bound
    assert np.mean([of_class(one).p_two_sided <= 0.05 for one in found]) <= bound
    alike = [controls(rng, nested(2, 1), share=0.0, own=0.0) for _ in range(n)]
    p = [one.by_tma.p for one in alike if isinstance(one.by_tma, WithinClassLeakage)]
    assert len(p) == n and np.mean(np.array(p) <= 0.05) <= bound


def test_tmas_that_differ_whatever_their_class_show_by_tma_alone() -> None:
    rng = np.random.default_rng(5)
    found = [controls(rng, nested(3, 3), share=0.0, own=0.6) for _ in range(20)]
    by_tma = [one.by_tma for one in found]
    assert all(isinstance(one, WithinClassLeakage) for one in by_tma)
    assert np.mean([one.p <= 0.05 for one in by_tma]) > 0.8  # type: ignore[union-attr]
    assert np.mean([of_class(one).p <= 0.05 for one in found]) < 0.3


def test_several_tissues_are_compared_within_tissue() -> None:
    rng = np.random.default_rng(6)
    found = controls(rng, nested(4, 4), share=0.5, n_cores=1, n_tissues=3)
    assert of_class(found).share == pytest.approx(0.5, abs=0.15)
    # One core of each tissue on a TMA: tissue against tissue, TMAs cannot be told from cores.
    assert isinstance(found.by_tma, NotApplicable) and "two or more" in found.by_tma.reason


def test_a_tissue_that_a_tma_lacks_does_not_move_it() -> None:
    level = {"liver": 0.0, "spleen": 6.0}
    held = [("T0", "liver"), ("T1", "liver"), ("T1", "spleen"), ("T2", "liver"), ("T2", "spleen")]
    held += [("T3", "spleen")]
    found = control_core_dependence(
        np.array([level[tissue] for _, tissue in held]),
        np.array([f"{tma}-{tissue}" for tma, tissue in held]),
        np.array([tma for tma, _ in held]),
        classes=CLASSES,
        class_shares=nested(2, 2),
        gaps=np.array([GAP, GAP]),
        tissues=np.array([tissue for _, tissue in held]),
    )
    assert isinstance(found, ControlCoreDependence)
    assert of_class(found).share == pytest.approx(0.0) and of_class(found).p == 1.0


def test_three_classes_report_the_largest() -> None:
    names = ("a", "b", "c")
    mixes = {f"T{at}": np.eye(3)[at % 3] for at in range(9)}
    rng = np.random.default_rng(7)
    tma = np.array(list(mixes))
    logit = 0.1 * rng.normal(size=(9, 3))
    logit[:, 2] += 1.5 * (np.arange(9) % 3 == 2)
    found = control_core_dependence(
        logit, tma, tma, classes=names, class_shares=mixes, gaps=np.array([3.0, 3.0, 3.0])
    )
    assert isinstance(found, ControlCoreDependence)
    dependence = of_class(found)
    assert dependence.share == dependence.by_class["c"] == pytest.approx(0.5, abs=0.06)
    assert abs(dependence.by_class["a"]) < 0.1
    assert found.as_dict()["by_class"]["by_class"]["c"] == dependence.share


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
