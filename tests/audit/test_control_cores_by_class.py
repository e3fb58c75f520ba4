"""The share of the gap that comes with a TMA's class: closed forms, planted shares, p and level."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from simulated_control_cores import CLASSES, GAP, controls, nested, of_class

from corespot.audit.indicators.control_cores import ControlCoreDependence, control_core_dependence
from corespot.audit.indicators.within_class import WithinClassLeakage


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
