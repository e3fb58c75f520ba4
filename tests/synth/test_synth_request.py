"""A synthetic cohort as ``params.yaml`` and the command line ask for it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from corespot.errors import ParamsError
from corespot.synth.confounds import FAMILIES
from corespot.synth.request import SynthRequest, make_requested, only_families


def request(**values: Any) -> SynthRequest:
    return SynthRequest.parse({"preset": "tiny", "seed": 1, **values}, "synth")


def organs_by_tma(**values: Any) -> pd.DataFrame:
    cores = make_requested(request(**values)).cores
    return pd.crosstab(cores["tma"], cores["organ"]) > 0


@pytest.mark.parametrize("design", ["balanced", "partial", "nested", "nested_mixed"])
def test_every_design_and_its_counterfactual_can_be_asked_for(design: str) -> None:
    asked = {"design": {"name": design}}
    nested = design.startswith("nested")
    assert (organs_by_tma(settings=asked).sum(axis=1) == (1 if nested else 2)).all()
    assert (organs_by_tma(settings=asked, counterfactual=True).sum(axis=1) == 2).all()


def test_one_family_can_be_asked_for_alone() -> None:
    artifacts = {**only_families(["baseline"]), "amplitude": 0.5}
    truth = make_requested(request(settings={"artifacts": artifacts})).truth["artifacts"]
    for family in FAMILIES:
        tmas = truth.get(family, {}).get("tma", {}).values()
        strong = any(tma["amplitude"] > 0 for tma in tmas)
        assert strong == (family == "baseline"), family


def test_wrong_words_are_answered_with_the_right_ones() -> None:
    with pytest.raises(ParamsError, match="did you mean 'ripple'"):
        only_families(["riple"])
    with pytest.raises(ParamsError, match="did you mean 'amplitude'"):
        make_requested(request(settings={"artifacts": {"amplitud": 1}}))
    with pytest.raises(ParamsError, match="balanced"):
        make_requested(request(settings={"design": {"name": "nestd"}}))
