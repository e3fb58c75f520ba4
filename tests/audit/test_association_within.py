"""Inside units that hold several classes: seen there, exact, and at its level."""

from __future__ import annotations

import numpy as np
import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import Association, associate
from corespot.audit.design.association_within import associate_within
from corespot.audit.design.metadata_column import read_column


def test_within_units_sees_what_between_units_hides() -> None:
    rng = np.random.default_rng(11)
    units = np.repeat([f"C{i:02d}" for i in range(10)], 20)
    label = np.tile(np.repeat([0, 1], 10), 10)
    order = rng.normal(0, 100, 10).repeat(20) + np.tile(np.arange(20), 10)
    between = associate(label, 2, units, read_column(order), "numeric")
    within = associate_within(label, units, order)
    assert isinstance(between, Association) and between.value == 0.0
    assert isinstance(within, Association) and within.value == pytest.approx(1.0)
    assert within.test.exact and within.test.n_arrangements == 2**10
    assert within.test.p == pytest.approx(2 / 2**10)
    flipped = np.where(np.arange(200) // 20 % 2 == 0, label, 1 - label)
    even = associate_within(flipped, units, order)
    assert isinstance(even, Association) and even.value < 0.1 and even.test.p > 0.5


def test_within_units_keeps_its_level() -> None:
    rng = np.random.default_rng(5)
    rejected = 0
    for seed in range(200):
        units = np.repeat(np.arange(8).astype(str), 12)
        cut = np.repeat(rng.integers(2, 10, 8), 12)
        side = np.repeat(rng.integers(0, 2, 8), 12)
        label = (np.tile(np.arange(12), 8) < cut) ^ side.astype(bool)
        x = np.tile(np.arange(12.0), 8)
        found = associate_within(label.astype(np.int64), units, x, seed=seed)
        assert isinstance(found, Association)
        rejected += found.test.p <= 0.05
    assert rejected / 200 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_within_units_needs_units_that_hold_several_classes() -> None:
    y, units = np.array([0, 0, 1, 1]), np.array(["A", "B", "C", "D"])
    found = associate_within(y, units, np.arange(4.0))
    assert isinstance(found, NotApplicable) and "more than one class" in found.reason
    same = associate_within(np.array([0, 1, 0, 1]), np.array(["A", "A", "B", "B"]), np.ones(4))
    assert isinstance(same, NotApplicable) and "same for all classes" in same.reason
