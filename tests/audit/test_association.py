"""Cramér's V and the correlation ratio against textbook forms; p at its level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import (
    Association,
    associate,
    correlation_ratio,
    cramers_v,
    permute,
)
from corespot.audit.design.metadata_column import read_column
from corespot.audit.design.unit_tables import shares
from corespot.audit.permutation import MOST_EXACT


def one_hot(codes: np.ndarray) -> np.ndarray:
    return np.eye(int(codes.max()) + 1)[codes]


def bergsma(table: np.ndarray) -> float:
    """Eqs. 4 to 6 of the paper, written out."""
    n, (r, c) = table.sum(), table.shape
    phi2 = chi2_contingency(table, correction=False).statistic / n
    phi2 = max(0.0, phi2 - (r - 1) * (c - 1) / (n - 1))
    r_, c_ = r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)
    return float(np.sqrt(phi2 / min(r_ - 1, c_ - 1)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=6, max_size=6))
def test_v_is_bergsmas(counts: list[int]) -> None:
    table = np.array(counts).reshape(2, 3)
    rows, columns = np.indices(table.shape).reshape(2, -1)
    a, b = np.repeat(rows, counts), np.repeat(columns, counts)
    assert cramers_v(one_hot(a), one_hot(b)) == pytest.approx(bergsma(table), abs=1e-6)


def test_v_of_the_same_partition_is_one() -> None:
    codes = np.repeat([0, 1, 2], [5, 9, 4])
    assert cramers_v(one_hot(codes), one_hot(codes)) == pytest.approx(1.0)


def test_what_chance_gives_is_subtracted_for_shared_units_too() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.dirichlet([0.6, 0.6], size=12), rng.dirichlet([0.5] * 4, size=12)
    phi2 = []
    for _ in range(4000):
        moved = a[rng.permutation(12)]
        expected = np.outer(a.sum(0), b.sum(0)) / 12
        phi2.append((((moved.T @ b) - expected) ** 2 / expected).sum() / 12)
    test = permute(*(_standard(one) for one in (a, b)))
    assert test.null_mean == pytest.approx(np.mean(phi2), rel=0.05)


def _standard(table: np.ndarray) -> np.ndarray:
    return (table - table.mean(0)) / np.sqrt(table.sum(0))


def test_correlation_ratio_is_kelleys() -> None:
    rng = np.random.default_rng(1)
    label = np.repeat([0, 1, 2], [6, 7, 8])
    values = rng.normal(size=21) + label
    means = np.array([values[label == k].mean() for k in range(3)])
    between = ((means[label] - values.mean()) ** 2).sum()
    eta2 = between / ((values - values.mean()) ** 2).sum()
    epsilon2 = 1 - (1 - eta2) * 20 / 18
    assert correlation_ratio(one_hot(label), values) == pytest.approx(np.sqrt(epsilon2))
    assert correlation_ratio(one_hot(label), 3 - 7 * values) == pytest.approx(np.sqrt(epsilon2))


def test_p_of_two_by_two_is_fishers_two_sided_by_chi_square() -> None:
    label = np.array([0] * 6 + [1] * 6)
    level = np.array([0] * 5 + [1] + [1] * 5 + [0])
    units = np.array([f"P{i}" for i in range(12)])
    found = associate(label, 2, units, read_column(level.astype(str)), "categorical")
    assert isinstance(found, Association) and found.test.exact
    # Equal margins: tables as far from independence on either side.
    assert found.test.p == pytest.approx(fisher_exact([[5, 1], [1, 5]]).pvalue)


def test_spots_do_not_count_as_units() -> None:
    units = np.repeat(["A", "B", "C", "D"], 500)
    label = np.repeat([0, 0, 1, 1], 500)
    tma = np.repeat(["T1", "T1", "T2", "T2"], 500)
    found = associate(label, 2, units, read_column(tma), "categorical")
    assert isinstance(found, Association)
    assert found.n_units == 4 and found.test.n_arrangements == 6
    assert found.test.p == pytest.approx(2 / 6)


def test_a_number_is_the_mean_of_a_units_spots() -> None:
    units = np.repeat(["A", "B", "C", "D", "E", "F"], [1, 9, 2, 30, 4, 5])
    y = np.repeat([0, 0, 0, 1, 1, 1], [1, 9, 2, 30, 4, 5])
    own = np.array([1.0, 2.0, 4.0, 3.0, 6.0, 8.0])
    found = associate(
        y, 2, units, read_column(own[np.unique(units, return_inverse=True)[1]]), "numeric"
    )
    assert isinstance(found, Association)
    assert found.value == correlation_ratio(one_hot(np.repeat([0, 1], 3)), own)


def test_a_patient_on_two_tmas_counts_with_a_share_on_each() -> None:
    unit = np.array([0, 0, 0, 0, 1])
    assert shares(unit, np.array([0, 0, 0, 1, 1]), 2, 2).tolist() == [[0.75, 0.25], [0.0, 1.0]]
    units = np.repeat([f"P{i}" for i in range(8)], 4)
    label = np.repeat([0] * 4 + [1] * 4, 4)
    nested = np.where(label == 0, "T1", "T2")
    leaning = nested.copy()
    leaning[0] = "T2"
    whole = associate(label, 2, units, read_column(nested), "categorical")
    part = associate(label, 2, units, read_column(leaning), "categorical")
    assert isinstance(whole, Association) and isinstance(part, Association)
    assert whole.value == pytest.approx(1.0)
    assert 0.8 < part.value < 1.0


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("kind", ["categorical", "numeric"])
def test_p_keeps_its_level_when_nothing_is_associated(kind: str, mixed: bool) -> None:
    rng = np.random.default_rng(7)
    rejected = 0
    n = 200
    for seed in range(n):
        n_units = 10
        units = np.repeat(np.arange(n_units).astype(str), 20)
        label = np.repeat(rng.permutation([0, 1] * 5), 20)
        if mixed:  # unequal shares of both classes in every unit, spots of a class together
            share = rng.uniform(0, 1, n_units)
            label = (np.tile(np.arange(20) / 20, n_units) > np.repeat(share, 20)).astype(np.int64)
        own = rng.integers(0, 3, n_units) if kind == "categorical" else rng.normal(size=n_units)
        column = read_column(
            np.repeat(own, 20).astype(str) if kind == "categorical" else np.repeat(own, 20)
        )
        found = associate(label, 2, units, column, kind, seed=seed)  # type: ignore[arg-type]
        assert isinstance(found, Association)
        rejected += found.test.p <= 0.05
    # 5 % and three standard errors.
    assert rejected / n <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


def test_random_permutations_take_over_and_power_is_there() -> None:
    rng = np.random.default_rng(2)
    label = np.repeat([0, 1], 30)
    units = np.arange(60).astype(str)
    found = associate(label, 2, units, read_column(rng.normal(size=60) + label), "numeric")
    assert isinstance(found, Association)
    assert not found.test.exact and found.test.n_arrangements < MOST_EXACT
    assert found.test.p < 0.01 and 0.2 < found.value < 0.7


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (["", "", "", ""], "categorical", "no spot has a value"),
        (["1", "2", "", ""], "categorical", "one class only"),
        (["a", "a", "a", "a"], "categorical", "same for all"),
        (["a", "b", "c", "d"], "categorical", "its own value"),
        (["7", "7", "7", "7"], "numeric", "same for all"),
    ],
)
def test_what_a_column_cannot_say_is_not_applicable(
    values: list[str], kind: str, reason: str
) -> None:
    y, units = np.array([0, 0, 1, 1]), np.array(["A", "B", "C", "D"])
    found = associate(y, 2, units, read_column(values), kind)  # type: ignore[arg-type]
    assert isinstance(found, NotApplicable) and reason in found.reason


def test_missing_units_are_counted() -> None:
    y = np.array([0, 0, 1, 1, 1])
    units = np.array(["A", "B", "C", "D", "E"])
    found = associate(y, 2, units, read_column(["u", "u", "v", "", "v"]), "categorical")
    assert isinstance(found, Association)
    assert (found.n_units, found.n_missing, found.n_levels) == (4, 1, 2)
