"""Predictions and places that are none are told, never drawn as a class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from corespot.errors import StoreError
from corespot.report.map_grid import grids_of
from corespot.report.spot_table import spot_table

LABELS = pd.DataFrame(
    {
        **{"row": [0, 1], "file": "a.imzML", "x": [1, 2], "y": [1, 1], "core": ["A", "B"]},
        **{"tma": "T", "patient": ["P", "Q"], "class": ["AD", "SQ"]},
    }
)
PREDICTIONS = pd.DataFrame(
    {"row": [0, 1], "repeat": 0, "fold": 0, "prob_AD": [0.9, 0.2], "prob_SQ": [0.1, 0.8]}
)


def test_whole_predictions_are_read() -> None:
    assert list(spot_table(PREDICTIONS, LABELS, ["AD", "SQ"])["predicted"]) == ["AD", "SQ"]


@pytest.mark.parametrize(
    ("changed", "classes", "told"),
    [
        ({"prob_SQ": [np.nan, 0.8]}, ["AD", "SQ"], "row 0 are not between"),
        ({"prob_SQ": [0.1, np.inf]}, ["AD", "SQ"], "row 1 are not between"),
        ({"prob_SQ": ["x", "y"]}, ["AD", "SQ"], "no numbers"),
        ({}, ["AD", "SQ", "LC"], "lack 'prob_LC'"),
        ({}, ["AD"], "'prob_SQ', which is no class"),
    ],
)
def test_others_are_told(changed: dict[str, object], classes: list[str], told: str) -> None:
    with pytest.raises(StoreError, match=told):
        spot_table(PREDICTIONS.assign(**changed), LABELS, classes)


def test_spots_too_far_apart_for_a_map_are_told() -> None:
    with pytest.raises(StoreError, match="span 1,000,000,000 by"):
        grids_of(LABELS.assign(x=[1, 10**9], y=[1, 10**3]))
