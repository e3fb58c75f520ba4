"""Omega squared against analysis of variance, exact p against enumeration, p at its level."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.within_class import WithinClassLeakage, within_class_leakage

CLASSES = ("lung", "pancreas")


def leakage(*args: object, **settings: object) -> WithinClassLeakage:
    settings.setdefault("classes", CLASSES)
    found = within_class_leakage(*args, **settings)  # type: ignore[arg-type]
    assert isinstance(found, WithinClassLeakage), found
    return found


def cohort(
    rng: np.random.Generator, sizes: list[list[int]], effect: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Logits, patients, classes, TMAs: patients of a class spread over TMAs of their own."""
    rows = []
    for label, tmas in enumerate(sizes):
        for tma, n in enumerate(tmas):
            shift = effect * rng.normal()
            for patient in range(n):
                level = 3 * label + (1 + 0.8 * label) * rng.normal() + shift
                rows += [
                    (level + 0.5 * rng.normal(), f"P{label}{tma}{patient}", label, f"T{label}{tma}")
                    for _ in range(rng.integers(1, 5))
                ]
    logit, unit, y, tma_of = zip(*rows, strict=True)
    return np.array(logit), np.array(unit), np.array(y), np.array(tma_of)


def test_one_class_is_one_way_analysis_of_variance() -> None:
    rng = np.random.default_rng(0)
    sizes = [4, 6, 3]
    tma = np.repeat([0, 1, 2], sizes)
    score = rng.normal(size=13) + 0.7 * tma
    other = np.array([1.0, 2.0])  # one TMA: says nothing
    found = leakage(
        np.r_[score, other],
        np.arange(15).astype(str),
        np.r_[np.zeros(13, dtype=int), 1, 1],
        [*tma.astype(str), "9", "9"],
        n_draws=99,
    )
    means = np.array([score[tma == t].mean() for t in range(3)])
    between = (np.array(sizes) * (means - score.mean()) ** 2).sum()
    total = ((score - score.mean()) ** 2).sum()
    noise = (total - between) / 10
    assert found.leakage == pytest.approx((between - 2 * noise) / (total + noise))
    assert found.classes_used == ("lung",)
    assert (found.n_units, found.n_levels) == (13, 3)


def test_exact_p_is_that_of_all_permutations_within_class() -> None:
    rng = np.random.default_rng(4)
    score = rng.normal(size=7)
    y = np.array([0, 0, 0, 0, 1, 1, 1])
    tma = np.array(list("AABBCCD"))

    def between(tmas: np.ndarray) -> float:
        total = 0.0
        for label in (0, 1):
            here = y == label
            centre = score[here].mean()
            for name in set(tmas[here]):
                members = score[here & (tmas == name)]
                total += len(members) * (members.mean() - centre) ** 2
        return total

    values = [
        between(np.r_[tma[list(first)], tma[list(second)]])
        for first in permutations(range(4))
        for second in permutations(range(4, 7))
    ]
    expected = np.mean(np.array(values) >= between(tma) - 1e-12)
    found = leakage(score, np.arange(7).astype(str), y, tma)
    assert found.exact and found.n_arrangements == 6 * 3
    assert found.p == pytest.approx(expected)


def test_spots_do_not_count_as_patients() -> None:
    rng = np.random.default_rng(1)
    logit, unit, y, tma = cohort(rng, [[3, 4], [4, 3]], 0.5)
    once = leakage(logit, unit, y, tma)
    many = leakage(*(np.repeat(part, 50) for part in (logit, unit, y, tma)))
    assert many.p == once.p and many.leakage == pytest.approx(once.leakage)
    score, alone = rng.normal(size=12), np.arange(12)
    label, place = np.repeat([0, 1], 6), np.array(list("AABBCC" * 2))
    sizes = rng.integers(1, 30, 12)
    even = leakage(score, alone.astype(str), label, place)
    uneven = leakage(*(np.repeat(a, sizes) for a in (score, alone.astype(str), label, place)))
    assert uneven.leakage == pytest.approx(even.leakage) and uneven.p == even.p


@pytest.mark.parametrize("sizes", [[[2, 3, 9, 4], [8, 2]], [[2, 3], [2, 2]]])
def test_level_with_unequal_numbers_of_patients(sizes: list[list[int]]) -> None:
    rng = np.random.default_rng(2)
    n = 300
    found = [leakage(*cohort(rng, sizes, 0.0), n_draws=199, seed=i) for i in range(n)]
    rejected = np.mean([one.p <= 0.05 for one in found])
    assert rejected <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)
    assert abs(np.mean([one.leakage for one in found])) < 0.09


def test_patients_of_both_classes_move_as_one() -> None:
    """Both halves of a core share its own level: permuting them apart would reject too often."""
    rng = np.random.default_rng(3)
    n, rejected = 300, 0
    for seed in range(n):
        own = rng.normal(size=12)
        logit = np.concatenate([own, own + 2])
        unit = np.tile(np.arange(12).astype(str), 2)
        tma = np.tile(np.repeat(["A", "B"], 6), 2)
        found = leakage(logit, unit, np.repeat([0, 1], 12), tma, seed=seed, n_draws=199)
        rejected += found.p <= 0.05
    assert rejected / n <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


def test_a_planted_effect_is_found() -> None:
    rng = np.random.default_rng(5)
    sizes = [[10, 12, 9, 11], [10, 9, 12, 10]]
    found = [leakage(*cohort(rng, sizes, 1.2), n_draws=199) for _ in range(20)]
    assert np.mean([one.p <= 0.05 for one in found]) >= 0.75
    assert np.median([one.leakage for one in found]) > 0.15


def test_three_classes_report_the_largest_and_keep_all() -> None:
    rng = np.random.default_rng(6)
    names = ("a", "b", "c")
    unit, y = np.arange(36).astype(str), np.repeat([0, 1, 2], 12)
    tma = np.tile(np.repeat(["A", "B"], 6), 3)
    logit = rng.normal(size=(36, 3))
    logit[:, 2] += 2.5 * (tma == "B")
    found = leakage(logit, unit, y, tma, classes=names, n_draws=499)
    assert list(found.by_class) == ["a", "b", "c"]
    assert found.leakage == found.by_class["c"][0] == max(v for v, _ in found.by_class.values())
    assert found.p <= 0.01 and found.p >= found.by_class["c"][1] - 1e-12
    assert found.by_class["a"][1] > 0.05
    moved = leakage(logit + np.array([0.0, 50.0, -9.0]), unit, y, tma, classes=names, n_draws=499)
    assert moved.by_class["b"] == pytest.approx(found.by_class["b"])
    plain = found.as_dict()
    assert plain["by_class"]["c"]["leakage"] == found.leakage and plain["classes_used"] == [*names]


def test_two_columns_of_two_classes_are_one_score() -> None:
    rng = np.random.default_rng(7)
    logit, unit, y, tma = cohort(rng, [[3, 4], [4, 3]], 1.0)
    both = leakage(np.stack([-logit, logit], axis=1), unit, y, tma)
    assert both == leakage(logit, unit, y, tma)


def test_a_number_is_a_slope_within_class() -> None:
    rng = np.random.default_rng(8)
    y = np.repeat([0, 1], 20)
    age = rng.normal(60, 8, 40) + 30 * y
    unit = np.arange(40).astype(str)
    flat = leakage(rng.normal(size=40) + 5 * y, unit, y, age, column="age")
    steep = leakage(rng.normal(size=40) + 0.2 * age, unit, y, age, column="age")
    assert flat.kind == steep.kind == "numeric"
    assert flat.p > 0.05 and abs(flat.leakage) < 0.15
    assert steep.p < 0.01 and steep.leakage > 0.2


@pytest.mark.parametrize(
    ("tma", "reason"),
    [
        (list("AAABBB"), "same for all"),
        (list("ABCDEF"), "no two units"),
        ([""] * 6, "no spot has a value"),
    ],
)
def test_not_applicable(tma: list[str], reason: str) -> None:
    y = np.array([0, 0, 0, 1, 1, 1])
    found = within_class_leakage(np.arange(6.0), np.arange(6).astype(str), y, tma, classes=CLASSES)
    assert isinstance(found, NotApplicable) and reason in found.reason


def test_units_that_cannot_change_places_are_not_applicable() -> None:
    """Cores of site A hold both classes, cores of site B one: site and mix are the same."""
    unit = np.array([*"abcabcdef"])
    y = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])
    found = within_class_leakage(np.arange(9.0), unit, y, list("AAAAAABBB"), classes=CLASSES)
    assert isinstance(found, NotApplicable) and "change places" in found.reason


def test_a_constant_model_is_not_applicable() -> None:
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = within_class_leakage(
        y * 2.0, np.arange(8).astype(str), y, list("AABBAABB"), classes=CLASSES
    )
    assert isinstance(found, NotApplicable) and "same score" in found.reason


def test_what_does_not_fit_is_refused() -> None:
    y, unit, tma = np.array([0, 0, 1, 1]), np.arange(4).astype(str), list("ABAB")
    with pytest.raises(ValueError, match="not finite"):
        within_class_leakage(np.array([0, 1, np.inf, 2]), unit, y, tma, classes=CLASSES)
    with pytest.raises(ValueError, match="3 columns of logits for 2"):
        within_class_leakage(np.zeros((4, 3)), unit, y, tma, classes=CLASSES)
    with pytest.raises(ValueError, match="differ"):
        within_class_leakage(np.zeros(3), unit, y, tma, classes=CLASSES)
    with pytest.raises(ValueError, match="5 values for 4"):
        within_class_leakage(np.zeros(4), unit, y, list("ABABA"), classes=CLASSES)
