"""The verdict: which indicator decides what, and that nothing passes for lack of a number."""

from __future__ import annotations

import itertools

import pytest
from audited_cohorts import LINES, NOT, THRESHOLDS

from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.verdict import CLEAN, RELIANT, TIED, Verdict, judge, score

#: A model that nothing speaks against, on a task whose classes never share a TMA.
QUIET = {
    "V": 0.9,
    "balanced_accuracy": 0.9,
    "artifact_share": 0.05,
    "non_peptide": 0.01,
    "control_share": 0.1,
    "control_p": 0.3,
    "leakage": 0.0,
    "leakage_p": 0.5,
    "negative_control": 0.55,
}
LOUD = {
    "artifact_share": {"artifact_share": 0.21},
    "non_peptide": {"non_peptide": 0.11},
    "control_share": {"control_share": 0.41, "control_p": 0.049},
}
HINTS = {
    "leakage": {"leakage": 0.16, "leakage_p": 0.049},
    "negative_control": {"negative_control": 0.75},
}


def verdict(n_classes: int = 2, **changes: object) -> Verdict:
    return judge(Readings({**QUIET, **changes}), THRESHOLDS, n_classes=n_classes)  # type: ignore[dict-item]


def test_a_quiet_model_is_not_excluded_where_class_and_tma_are_tied():
    found = verdict()
    assert (found.word, found.findings, found.by_counterfactual) == ("not_excluded", (), False)


@pytest.mark.parametrize("loud", LOUD)
def test_each_line_alone_decides(loud: str):
    found = verdict(**LOUD[loud])
    assert found.word == "confounded"
    assert [one.indicator for one in found.findings] == [loud]
    assert found.findings[0].threshold == LINES[loud] < found.findings[0].value


@pytest.mark.parametrize("name", LINES)
def test_on_the_line_is_not_above_it(name: str):
    changes = {"control_p": 0.01, name: LINES[name]}
    assert verdict(**changes).word == "not_excluded"
    assert verdict(**changes | {name: LINES[name] + 1e-6}).word == "confounded"


@pytest.mark.parametrize("tie", [0.0, 0.2, TIED])
def test_without_a_tie_the_question_does_not_arise(tie: float):
    everything = {k: v for one in (*LOUD.values(), *HINTS.values()) for k, v in one.items()}
    assert verdict(V=tie, **everything).word == "no_evidence"
    assert verdict(V=TIED + 1e-6, **everything).word == "confounded"


def test_what_cannot_be_told_certifies_nothing():
    assert verdict(V=NOT).word == "not_excluded"
    assert verdict(V=NOT, **LOUD["artifact_share"]).word == "not_excluded"
    assert verdict(V=float("nan")).word == "not_excluded"
    assert judge(Readings({}), THRESHOLDS).word == "not_excluded"


@pytest.mark.parametrize("missing", [name for name in QUIET if name != "V"])
def test_a_missing_reading_never_clears_a_model(missing: str):
    assert verdict(**{missing: NOT}).word == "not_excluded"
    for loud, values in LOUD.items():
        if missing not in values:
            assert verdict(**values, **{missing: NOT}).word == "confounded", loud


def test_all_combinations_have_the_worst_of_their_parts():
    parts = {**LOUD, **HINTS}
    for n in range(len(parts) + 1):
        for names in itertools.combinations(parts, n):
            found = verdict(**{k: v for name in names for k, v in parts[name].items()})
            worst = (
                "confounded" if set(names) & set(LOUD) else "suspect" if names else "not_excluded"
            )
            assert found.word == worst, names
            told = set(names) & set(LOUD) or set(names)
            assert {one.indicator for one in found.findings} == told
            ratios = [one.value / one.threshold for one in found.findings]
            assert ratios == sorted(ratios, reverse=True)


def test_chance_does_not_count():
    assert verdict(control_share=0.9, control_p=0.05).word == "not_excluded"
    assert verdict(control_share=0.9, control_p=NOT).word == "not_excluded"
    assert verdict(leakage=0.9, leakage_p=0.05).word == "not_excluded"
    assert verdict(leakage=0.9, leakage_p=NOT).word == "not_excluded"


@pytest.mark.parametrize(
    ("n_classes", "accuracy", "line"),
    [(2, 0.9, 0.74), (3, 0.9, 1 / 3 + 0.6 * (0.9 - 1 / 3)), (20, 1.0, 0.05 + 0.6 * 0.95)],
)
def test_negative_controls_count_from_chance(n_classes: int, accuracy: float, line: float):
    below = verdict(n_classes, balanced_accuracy=accuracy, negative_control=line - 1e-6)
    above = verdict(n_classes, balanced_accuracy=accuracy, negative_control=line + 1e-6)
    assert (below.word, above.word) == ("not_excluded", "suspect")
    assert above.findings[0].threshold == pytest.approx(line)


@pytest.mark.parametrize("accuracy", [0.33, 0.5, 0.55])
def test_a_model_at_chance_is_not_suspect_for_what_chance_gives(accuracy: float):
    found = verdict(balanced_accuracy=accuracy, negative_control=0.55, artifact_share=NOT)
    assert found.word == "not_excluded"
    assert verdict(balanced_accuracy=accuracy, negative_control=0.7).word == "suspect"


@pytest.mark.parametrize(
    ("drop", "low", "high", "word"),
    [
        (0.40, 0.30, 0.50, "confounded"),
        (0.10, 0.01, 0.20, "confounded"),
        (0.40, None, None, "confounded"),
        (0.12, -0.01, 0.30, "suspect"),
        (0.07, 0.02, 0.12, "suspect"),
        (0.05, 0.04, 0.06, "suspect"),
        (0.04, -0.20, 0.25, "not_excluded"),
        (-0.10, -0.40, 0.10, "not_excluded"),
        (0.00, None, None, "not_excluded"),
        (0.02, -0.01, 0.06, "no_evidence"),
        (-0.30, -0.40, -0.2, "no_evidence"),
    ],
)
@pytest.mark.parametrize("others", [{}, {"V": 0.0}, {"V": NOT}, LOUD["artifact_share"]])
def test_a_second_cohort_overrides_all(drop, low, high, word, others):
    found = verdict(
        **{"counterfactual_drop": drop, **others},
        counterfactual_drop_low=NOT if low is None else low,
        counterfactual_drop_high=NOT if high is None else high,
    )
    assert (found.word, found.by_counterfactual) == (word, True)
    assert found.error_rates is None
    if word in ("confounded", "suspect"):
        (finding,) = found.findings
        assert finding.value == drop
        assert finding.threshold == (RELIANT if word == "confounded" else CLEAN)
    else:
        assert found.findings == ()


def test_a_second_cohort_that_does_not_apply_decides_nothing():
    found = verdict(counterfactual_drop=NOT, **LOUD["artifact_share"])
    assert (found.word, found.by_counterfactual) == ("confounded", False)


def test_the_score_is_above_one_where_a_line_decides():
    for values in LOUD.values():
        assert score(Readings({**QUIET, **values}), THRESHOLDS) > 1
    quiet = score(Readings(QUIET), THRESHOLDS)
    assert quiet == pytest.approx(0.05 / 0.2)
    assert score(Readings({**QUIET, "V": 0.1}), THRESHOLDS) == 0.0
    assert score(Readings({**QUIET, "V": NOT}), THRESHOLDS) == 0.0
    assert score(Readings({"V": 0.9}), THRESHOLDS) == 0.0


def test_error_rates_are_those_of_the_verdict():
    assert verdict().error_rates == THRESHOLDS.error_rates["not_excluded"]
    assert verdict(**HINTS["leakage"]).error_rates is None


def test_on_a_peak_list_gain_alone_makes_a_model_suspect_not_confounded():
    values = {"V": 1.0, "artifact_share": 0.9, "gain": 0.9}
    listed = Readings({**values, "off_peak": NOT, "calibration": NOT, "resolution": NOT})
    assert judge(listed, THRESHOLDS).word == "suspect"
    seen = Readings({**listed.values, "off_peak": 0.5})
    assert judge(seen, THRESHOLDS).word == "confounded"
