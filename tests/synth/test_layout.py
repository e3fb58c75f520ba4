"""Cohorts with a layout of their own: patients, campaigns, and what the counterfactual shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from corespot.errors import ParamsError
from corespot.synth import SynthSettings, make_cohort, preset
from corespot.synth.layout import TmaContents, campaigns_of, shared_out

SEED = 7


def with_layout(*patients: tuple[int, int]) -> SynthSettings:
    settings = preset("tiny")
    layout = tuple(TmaContents(lung=a, pancreas=b) for a, b in patients)
    return settings.model_copy(
        update={"design": settings.design.model_copy(update={"layout": layout})}
    )


def patients_by_tma(settings: SynthSettings) -> dict[str, tuple[int, int]]:
    cores = make_cohort(settings, SEED).cores.drop_duplicates("patient")
    return {
        str(tma): ((part["organ"] == "lung").sum(), (part["organ"] == "pancreas").sum())
        for tma, part in cores.groupby("tma")
    }


def test_the_nested_design_written_out_is_the_very_same_cohort() -> None:
    named = make_cohort(preset("tiny"), SEED)
    written = make_cohort(with_layout(*[(4, 0)] * 4, *[(0, 4)] * 2), SEED)
    pd.testing.assert_frame_equal(written.cores, named.cores)
    pd.testing.assert_frame_equal(written.spots, named.spots)
    assert written.truth["artifacts"] == named.truth["artifacts"]
    for a, b in zip(written.measurements(), named.measurements(), strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a.blocks, b.blocks, strict=True))
        break


def test_truth_knows_of_a_layout_only_where_there_is_one() -> None:
    assert "layout" not in make_cohort(preset("tiny"), SEED).truth["settings"]["design"]
    settings = with_layout((3, 1), (0, 2))
    truth = make_cohort(settings, SEED).truth["settings"]
    assert truth["design"]["layout"] == [{"lung": 3, "pancreas": 1}, {"lung": 0, "pancreas": 2}]
    assert SynthSettings.parse(truth, "truth.json") == settings


def test_patients_are_where_the_layout_puts_them() -> None:
    assert patients_by_tma(with_layout((3, 1), (0, 2), (5, 5))) == {
        "TMA01": (3, 1),
        "TMA02": (0, 2),
        "TMA03": (5, 5),
    }


@pytest.mark.parametrize(
    ("layout", "campaigns"),
    [
        ([(8, 0), (8, 0), (0, 7)], [0, 0, 1]),
        ([(3, 5), (5, 3), (4, 4), (4, 4)], [1, 0, 0, 1]),  # ties take turns
        ([(1, 9), (3, 9)], [1, 0]),  # the smaller class everywhere, yet not as much of it
        ([(1, 2)] * 4, [0, 1, 0, 1]),
    ],
)
def test_the_campaign_follows_the_class(
    layout: list[tuple[int, int]], campaigns: list[int]
) -> None:
    tmas = [TmaContents(lung=a, pancreas=b) for a, b in layout]
    assert campaigns_of(tmas) == campaigns
    truth = make_cohort(with_layout(*layout), SEED).truth
    assert list(truth["campaigns"].values()) == ["AB"[at] for at in campaigns]


def test_the_counterfactual_holds_every_class_on_every_tma_and_campaign() -> None:
    layout = [(8, 0), (7, 0), (0, 5), (0, 5), (1, 0), (0, 4)]
    settings = with_layout(*layout)
    broken = settings.as_counterfactual()
    found = list(patients_by_tma(broken).values())
    assert found == [(4, 4), (4, 3), (2, 3), (3, 2), (1, 1), (2, 2)]
    kept = [sum(tma) for tma, was in zip(found, layout, strict=True) if sum(was) > 1]
    assert kept == [8, 7, 5, 5, 4]
    campaigns = [make_cohort(one, SEED).truth["campaigns"].values() for one in (settings, broken)]
    assert list(campaigns[0]) == list(campaigns[1]) == ["A", "A", "B", "B", "A", "B"]
    own, other = (set(make_cohort(one, SEED).cores["patient"]) for one in (settings, broken))
    assert not own & other


def test_an_odd_patient_is_not_always_of_one_class() -> None:
    tmas = shared_out([TmaContents(lung=3)] * 6)
    assert sum(tma.lung for tma in tmas) == sum(tma.pancreas for tma in tmas) == 9


def test_an_empty_tma_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"layout\.1: a TMA of a layout holds one patient"):
        SynthSettings.parse({"design": {"layout": [{"lung": 2}, {}]}}, "synth")
