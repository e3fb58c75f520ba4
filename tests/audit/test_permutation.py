"""Exact where few, random where many; p against Fisher's exact test and by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from corespot.audit.permutation import Permutations, code_rows


def arrangements(perms: Permutations) -> list[tuple[int, ...]]:
    return [tuple(perms.labels[order].tolist()) for block in perms.orders() for order in block]


@settings(max_examples=40, deadline=None)
@given(units=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=6))
def test_every_distinct_arrangement_comes_exactly_once(units: list[tuple[int, int]]) -> None:
    labels, strata = (np.array(column) for column in zip(*units, strict=True))
    perms = Permutations(labels, strata)
    expected = {
        tuple(labels[list(order)].tolist())
        for order in permutations(range(len(labels)))
        if all(strata[a] == strata[b] for a, b in enumerate(order))
    }
    found = arrangements(perms)
    assert perms.exact and perms.n_distinct == len(found) == len(set(found))
    assert set(found) == expected


def test_exact_p_is_that_of_fisher() -> None:
    group = np.array([0] * 7 + [1] * 5)
    outcome = np.array([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1])
    test = Permutations(group).test(
        lambda order: (outcome * (group[order] == 0)).sum(1).astype(float)
    )
    table = [[6, 1], [1, 4]]
    assert test.exact and test.n_arrangements == 792
    assert test.p == pytest.approx(fisher_exact(table, alternative="greater").pvalue)


def test_random_p_is_near_the_exact_one_and_never_zero() -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 6)
    values = rng.normal(size=12) + 0.8 * labels

    def gap(order: np.ndarray) -> np.ndarray:
        return np.where(labels[order] == 1, values, -values).sum(axis=1)

    exact = Permutations(labels).test(gap)
    drawn = Permutations(labels, most_exact=10, n_draws=9_999, seed=5).test(gap)
    assert exact.exact and not drawn.exact and drawn.n_arrangements == 9_999
    assert drawn.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p / 9_999))
    again = Permutations(labels, most_exact=10, n_draws=9_999, seed=5).test(gap)
    assert again == drawn
    far = Permutations(labels, most_exact=10, n_draws=99).test(
        lambda order: (order == np.arange(12)).all(axis=1).astype(float)
    )
    assert far.p == pytest.approx(1 / 100)


def test_random_draws_stay_within_strata() -> None:
    labels = np.arange(20)
    strata = np.arange(20) % 3
    perms = Permutations(labels, strata, n_draws=50)
    assert not perms.exact
    blocks = np.concatenate(list(perms.orders()))
    assert blocks.shape == (50, 20)
    assert np.array_equal(strata[blocks], np.tile(strata, (50, 1)))
    assert len(np.unique(blocks, axis=0)) > 45


def test_equal_statistics_count_whatever_the_order_of_summation() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.1, 0.2, 0.3])
    labels = np.array([0, 0, 0, 1, 1, 1])
    test = Permutations(labels).test(
        lambda order: np.abs((values * (2 * labels[order] - 1)).sum(1))
    )
    assert test.p == 1.0


def test_rows_alike_get_one_number() -> None:
    codes = code_rows(np.array([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]))
    assert codes[0] == codes[2] != codes[1]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="strata"):
        Permutations(np.zeros(3, dtype=np.int64), np.zeros(2, dtype=np.int64))
    with pytest.raises(ValueError, match="n_draws"):
        Permutations(np.zeros(3, dtype=np.int64), n_draws=0)
