"""Readings: a number or a reason, never a number that means nothing."""

from __future__ import annotations

import json

import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.verdict.readings import MEANINGS, Readings, median_reading

NOT = NotApplicable("it was cloudy")


def test_what_has_no_number_is_above_nothing():
    readings = Readings({"V": NOT, "leakage": 0.2})
    assert not readings.above("V", -1.0) and readings.number("V") is None
    assert readings.above("leakage", 0.19) and not readings.above("leakage", 0.2)
    assert readings.number("gain") is None
    assert isinstance(readings["gain"], NotApplicable)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_not_applicable(value: float):
    readings = Readings({"artifact_share": value})
    assert readings.number("artifact_share") is None
    assert not readings.above("artifact_share", 0.0)
    assert list(readings.not_applicable()) == ["artifact_share"]


def test_numbers_and_reasons_are_read_back():
    readings = Readings({"V": 0.5, "gain": NOT, "leakage": -0.01})
    plain = json.loads(json.dumps([readings.as_dict(), readings.not_applicable()]))
    again = Readings.of(*plain)
    assert again == readings and again["gain"] == NOT


def test_a_median_needs_half_of_the_folds():
    assert median_reading([1.0, 5.0, 2.0]) == 2.0
    assert median_reading([1.0, NOT, 2.0, NOT]) == 1.5
    found = median_reading([1.0, NOT, NOT])
    assert isinstance(found, NotApplicable) and found.reason == "in 2 of 3 folds: it was cloudy"
    assert median_reading([NOT, NOT]) == NOT
    assert isinstance(median_reading([]), NotApplicable)


def test_every_indicator_says_what_it_is():
    assert all(MEANINGS.values()) and len(set(MEANINGS.values())) == len(MEANINGS) - 1
    # control_p and leakage_p are each the p of the line above.
    assert MEANINGS["control_p"] == MEANINGS["leakage_p"]
