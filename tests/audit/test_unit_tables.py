"""Products of standardized tables are the textbook's phi squared and eta squared."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, f_oneway

from corespot.audit.design.unit_tables import (
    explained,
    root_of_share,
    shares,
    standardized_numbers,
    standardized_shares,
    unit_means,
)

LABEL = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])


def test_products_of_shares_are_phi_squared() -> None:
    level = np.array([0, 0, 1, 1, 1, 1, 3, 3, 3])  # nothing on level 2
    labels, levels = np.eye(3)[LABEL], np.eye(4)[level]
    table = (labels.T @ levels)[:, [0, 1, 3]]
    phi2 = chi2_contingency(table, correction=False).statistic / len(LABEL)
    a, b = standardized_shares(labels), standardized_shares(levels)
    assert b.shape == (9, 3)
    assert explained(a[None], b)[0] == pytest.approx(phi2)


def test_products_of_shares_and_numbers_are_eta_squared() -> None:
    values = np.array([1.0, 2.0, 4.0, 3.0, 6.0, 8.0, 7.0, 5.0, 9.0])
    f = f_oneway(*(values[k == LABEL] for k in range(3))).statistic
    column = standardized_numbers(values)
    assert column.shape == (9, 1) and (column**2).sum() == pytest.approx(1.0)
    labels = standardized_shares(np.eye(3)[LABEL])
    assert explained(labels[None], column)[0] == pytest.approx(2 * f / (2 * f + 6))


def test_every_arrangement_has_its_own_product() -> None:
    rng = np.random.default_rng(0)
    orders = np.stack([rng.permutation(9) for _ in range(4)])
    a = standardized_shares(np.eye(3)[LABEL])
    b = standardized_numbers(rng.normal(size=9))
    expected = [((a[order].T @ b) ** 2).sum() for order in orders]
    assert explained(a[orders], b) == pytest.approx(expected)


def test_numbers_that_differ_by_rounding_are_the_same() -> None:
    assert not standardized_numbers(0.1 * np.ones(7) + 1e-17).any()
    assert standardized_numbers(1e6 + np.array([0.0, 1.0, 0.0])).any()


def test_units_are_reduced_to_shares_and_means() -> None:
    unit = np.array([1, 0, 0, 1, 1])
    assert shares(unit, np.array([1, 0, 0, 1, 0]), 2, 2)[1] == pytest.approx([1 / 3, 2 / 3])
    assert unit_means(unit, np.array([1.0, 4.0, 6.0, 2.0, 6.0])).tolist() == [5.0, 3.0]


def test_a_share_has_a_root_between_zero_and_one() -> None:
    assert root_of_share(1.0, 4.0) == 0.5 and root_of_share(4.0 + 1e-9, 4.0) == 1.0
    assert root_of_share(-0.1, 1.0) == 0.0 and root_of_share(1e-13, 1.0) == 0.0
    assert root_of_share(1.0, 0.0) == 0.0
