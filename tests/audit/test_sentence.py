"""The verdict in words: with its numbers, and never as if something were fine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from audited_cohorts import NOT, THRESHOLDS
from test_verdict import HINTS, LOUD, QUIET

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.class_shares import ArtifactShare, ClassShares
from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.sentence import BLIND_SPOT, limitation, sentence
from corespot.audit.verdict.verdict import judge

CLASSES = ("lung", "pancreas")
#: Words by which a reader would be reassured.
REASSURING = (" fine", "clean model", " safe", " passes", "no confounding", "is clean", "not conf")


def share_of(value: float | None = 0.71, *, missing: tuple[str, ...] = (), classes=CLASSES):
    if value is None:
        return ArtifactShare(dict.fromkeys(classes, NOT))
    draws = {
        "artifact": np.linspace(value - 0.05, value + 0.05, 201),
        "non_peptide": np.linspace(0.1, 0.3, 201),
    }
    shares = ClassShares(
        {"artifact": value, "non_peptide": 0.2}, draws, dict.fromkeys(missing, NOT), 3.0, {}
    )
    less = ClassShares({"artifact": value - 0.1, "non_peptide": 0.1}, {}, {}, 3.0, {})
    return ArtifactShare(dict.fromkeys(classes, less) | {classes[-1]: shares})


def said(share=None, *, thresholds=THRESHOLDS, n_classes=2, nested=True, **changes):
    readings = Readings({**QUIET, **changes})
    found = judge(readings, thresholds, n_classes=n_classes)
    told = share or share_of(readings.number("artifact_share"))
    words = sentence(found, readings, told, model="conv1d", task="LP")
    limits = limitation(found, readings, nested=nested)
    assert words.startswith("conv1d on LP: ") and words.endswith(".")
    for text in (words, limits):
        assert "  " not in text and "None" not in text and "nan" not in text
        assert "((" not in text and ".." not in text and ". ." not in text and " ." not in text
        assert not any(word in text.lower() for word in REASSURING), text
        assert text.count("(") == text.count(")")
    return found.word, words, limits


def test_the_main_number_is_quoted_with_interval_and_line():
    word, words, _ = said(artifact_share=0.71)
    assert word == "confounded"
    assert words == (
        "conv1d on LP: label and TMA are tied (V = 0.90), and 71 % of the held-out class gap is "
        "carried by off-peak signal, gain, calibration or resolution (95 % interval over "
        "patients 66 % to 76 %, line 20 %, from clean fits of roc_lda)."
    )


def test_a_lower_bound_is_called_one():
    for part in ("off_peak", "gain", "calibration", "resolution"):
        assert "at least 71 %" in said(share_of(0.71, missing=(part,)), artifact_share=0.71)[1]
        assert "at least 5 %" in said(share_of(0.05, missing=(part,)))[1]
    assert "at least" not in said(share_of(0.71, missing=("non_peptide",)), artifact_share=0.71)[1]


def test_of_three_classes_the_one_is_named():
    share = share_of(0.71, classes=("AD", "SQ", "SC"))
    assert "class gap between SC and the others" in said(share, n_classes=3, artifact_share=0.71)[1]


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        (LOUD["non_peptide"], ("11 %", "no peptide's", "11 % to 30 %", "line 10 %")),
        (LOUD["control_share"], ("control cores", "41 %", "p = 0.049", "line 40 %")),
        (HINTS["leakage"], ("16 %", "variance", "p = 0.049", "line 15 %")),
        (HINTS["negative_control"], ("0.75", "sees no peaks", "the model 0.90")),
    ],
)
def test_every_finding_is_told_with_its_numbers(changes, numbers):
    _, words, _ = said(**changes)
    for number in numbers:
        assert number in words, words


def test_several_findings_are_one_sentence_the_strongest_first():
    _, words, _ = said(**LOUD["control_share"], artifact_share=0.8)
    assert words.index("80 %") < words.index("41 %") and words.count(";") == 1


def test_where_nothing_is_found_nothing_is_certified():
    word, words, limits = said()
    assert word == "not_excluded" and "confounding is not excluded" in words
    assert "Artifact share of the class gap: 5 %" in words
    assert "cannot separate class and measurement" in limits
    assert "does not say that the model is useless" in limits
    tied = said(nested=False)[2]
    assert "No TMA holds two classes" not in tied and "cannot be told from tissue" in tied


def test_what_does_not_apply_is_said_with_its_reason():
    reason = NotApplicable("the model hardly reacts")
    _, words, _ = said(share_of(None), artifact_share=reason)
    assert "artifact share does not apply: the model hardly reacts" in words
    assert "not excluded" in words


def test_a_tie_that_cannot_be_told_is_not_compared_with_lines():
    one = NotApplicable("all spots are on one TMA, T0")
    word, words, limits = said(V=one, nested=False, artifact_share=0.8)
    assert word == "not_excluded"
    assert "cannot be told (all spots are on one TMA, T0)" in words and "80 %" in words
    assert "above its line" not in words and "are tied (V" not in words
    assert "no line was drawn" in limits and "Class and TMA go together" not in limits


def test_no_evidence_is_about_the_tma_only():
    word, words, limits = said(V=0.04)
    assert word == "no_evidence" and "V = 0.04" in words and "above 0.3" in words
    assert "age, treatment, site" in limits


def test_the_blind_spot_is_told_unless_control_cores_were_looked_at():
    assert BLIND_SPOT in said(control_share=NOT, control_p=NOT)[2]
    limits = said()[2]
    assert BLIND_SPOT not in limits and "Control cores were looked at" in limits


def test_control_cores_that_too_few_tmas_hold_are_not_passed_over():
    word, _, limits = said(control_share=0.9, control_p=1 / 6)
    assert word == "not_excluded"
    assert "90 % of the class gap" in limits and "p = 0.17" in limits


def test_lines_of_another_model_are_owned_up_to():
    stand_in = replace(THRESHOLDS, calibrated_on="conv1d", is_own=False)
    for changes in ({}, LOUD["artifact_share"], {"V": NOT}):
        limits = said(thresholds=stand_in, **changes)[2]
        assert "clean fits of conv1d, not of this model" in limits
        assert "not of this model" not in said(**changes)[2]


@pytest.mark.parametrize(
    ("low", "high", "drop", "end"),
    [
        (0.30, 0.50, 0.40, "the model owes that"),
        (-0.05, 0.30, 0.12, "may owe that"),
        (-0.20, 0.25, 0.02, "too few patients to exclude a loss of 10 %"),
        (-0.02, 0.06, 0.02, "no evidence that"),
        (NOT, NOT, 0.02, "certifies nothing"),
    ],
)
def test_a_second_cohort_is_told_from_its_own_accuracy(low, high, drop, end):
    _, words, limits = said(
        counterfactual_drop=drop,
        counterfactual_drop_low=low,
        counterfactual_drop_high=high,
        counterfactual_accuracy=0.55,
        balanced_accuracy=0.99,
    )
    assert f"from {0.55 + drop:.2f} to 0.55 ({-drop:+.2f}" in words and end in words
    assert "0.99" not in words
    if low is not NOT:
        assert f"{low:.2f} to {high:.2f}" in words
    assert "second cohort" in limits


def test_no_percentage_is_minus_zero():
    assert "-0 %" not in said(artifact_share=-0.001)[1]
