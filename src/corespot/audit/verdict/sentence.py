"""The verdict in words that a reviewer can quote, and what it cannot say."""

from __future__ import annotations

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.class_shares import ARTIFACT, NON_PEPTIDE, ArtifactShare, ClassShares
from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.verdict import LEVEL, TIED, Finding, Verdict, gain_alone

#: What no indicator but control cores or a second cohort can see.
BLIND_SPOT = (
    "Effects that follow the class peptide by peptide (digestion, antigen retrieval) leave no "
    "trace in any of these indicators: only control cores of one tissue on every TMA, or a second "
    "cohort with a broken design, can show them."
)
_NESTED = (
    "No TMA holds two classes: the design cannot separate class and measurement, so that nothing "
    "measured here can certify the model. This does not say that the model is useless."
)
_TIED = (
    "Class and TMA go together: what follows the class peptide by peptide cannot be told from "
    "tissue here."
)
_GAIN_ALONE = (
    "On a peak list only the gain part of the artifact share can be told, and tissue can tilt "
    "intensities over m/z as well: it is a hint, no proof."
)
_NOT_TOLD = (
    "Without an association of class and TMA no line was drawn: nothing measured here certifies "
    "the model or speaks against it."
)
_UNTIED = (
    "Whatever else goes with the class in this cohort (age, treatment, site) is not examined by it."
)
_SECOND = (
    "It holds of measurements like those of the second cohort; that a loss has other causes too "
    "(other patients, other instruments) is not excluded."
)
_WITH_CONTROLS = (
    "Control cores were looked at: they show what acts on their tissue as it does on the others, "
    "and nothing else."
)


def sentence(
    verdict: Verdict, readings: Readings, share: ArtifactShare, *, model: str, task: str
) -> str:
    """One paragraph: the verdict and the numbers behind it.

    Parameters
    ----------
    verdict : Verdict
        The verdict.
    readings : Readings
        What it was drawn from.
    share : ArtifactShare
        Shares with their intervals.
    model, task : str
        What is spoken of.
    """
    if verdict.by_counterfactual:
        return _of_second_cohort(verdict, readings, model, task)
    tie = readings["V"]
    if isinstance(tie, NotApplicable):
        return (
            f"{model} on {task}: whether label and TMA are tied cannot be told ({tie.reason}); "
            f"confounding is not excluded{_carried(readings, share)}."
        )
    if verdict.word == "no_evidence":
        return (
            f"{model} on {task}: label and TMA are not tied (V = {tie:.2f}; the question arises "
            f"above {TIED}), so that there is no evidence of confounding by TMA."
        )
    start = f"{model} on {task}: label and TMA are tied (V = {tie:.2f})"
    if verdict.word == "not_excluded":
        return (
            f"{start}. No indicator that applies is above its line, but confounding is not "
            f"excluded{_carried(readings, share)}."
        )
    named = [_told(one, verdict, readings, share) for one in verdict.findings]
    return f"{start}, and {'; '.join(named)}."


def limitation(verdict: Verdict, readings: Readings, *, nested: bool) -> str:
    """What the verdict cannot say, always to be shown beside it."""
    if verdict.by_counterfactual:
        return _SECOND
    if verdict.word == "no_evidence":
        return _UNTIED
    has_controls = readings.number("control_share") is not None
    untold = readings.number("V") is None
    parts = [_NESTED if nested else _NOT_TOLD if untold else _TIED]
    parts.append(_WITH_CONTROLS if has_controls else BLIND_SPOT)
    parts += _by_chance(verdict, readings)
    if gain_alone(readings):
        parts.append(_GAIN_ALONE)
    if not verdict.thresholds.is_own:
        parts.append(
            f"The lines come from clean fits of {verdict.thresholds.calibrated_on}, not of this "
            "model: `corespot audit calibrate` makes its own."
        )
    return " ".join(parts)


def _by_chance(verdict: Verdict, readings: Readings) -> list[str]:
    """Control cores above their line that do not count, as with few TMAs they never can."""
    share, p = readings.number("control_share"), readings.number("control_p")
    line = verdict.thresholds.lines["control_share"]
    if share is None or p is None or share <= line or p < LEVEL:
        return []
    return [
        f"Control cores differ between the TMAs of the classes by {_percent(share)} of the class "
        f"gap, above the line of {_percent(line)}, but this does not count: chance gives as much "
        f"with p = {p:.2f}. More TMAs with control cores would tell."
    ]


def _of_second_cohort(verdict: Verdict, readings: Readings, model: str, task: str) -> str:
    drop = readings.number("counterfactual_drop") or 0.0
    low, high = (readings.number(f"counterfactual_drop_{end}") for end in ("low", "high"))
    after = readings.number("counterfactual_accuracy")
    told = "" if after is None else f" from {after + drop:.2f} to {after:.2f}"
    interval = (
        ""
        if low is None or high is None
        else f", 95 % interval of the loss {low:.2f} to {high:.2f}"
    )
    end = {
        "confounded": "the model owes that to the tie of class and measurement",
        "suspect": "the model may owe that to the tie of class and measurement",
        "not_excluded": f"too few patients to exclude a loss of {_percent(0.1)}"
        if high is not None
        else "without an interval this certifies nothing",
        "no_evidence": "no evidence that the model owes its accuracy to that tie",
    }[verdict.word]
    return (
        f"{model} on {task}: on a second cohort, where class and measurement are not tied, "
        f"balanced accuracy goes{told} ({-drop:+.2f}{interval}): {end}."
    )


def _told(finding: Finding, verdict: Verdict, readings: Readings, share: ArtifactShare) -> str:
    value, line = finding.value, finding.threshold
    clean = f"line {_percent(line)}, from clean fits of {verdict.thresholds.calibrated_on}"
    if finding.indicator == "artifact_share":
        parts = "off-peak signal, gain, calibration or resolution"
        if gain_alone(readings):
            parts = "a smooth gain"
        return (
            f"{_at_least(share)}{_percent(value)} of the held-out class gap"
            f"{_class(share, ARTIFACT)} is carried by {parts} "
            f"({_interval(share, ARTIFACT)}{clean})"
        )
    if finding.indicator == "non_peptide":
        return (
            f"{_percent(value)} of the gap{_class(share, NON_PEPTIDE)} is carried by peaks that "
            f"are no peptide's ({_interval(share, NON_PEPTIDE)}{clean})"
        )
    if finding.indicator == "control_share":
        p = readings.number("control_p")
        chance = "" if p is None else f"p = {p:.3f}, "
        return (
            "control cores of one tissue differ between the TMAs of the classes by "
            f"{_percent(value)} of the class gap ({chance}{clean})"
        )
    if finding.indicator == "leakage":
        p = readings.number("leakage_p")
        chance = "" if p is None else f"p = {p:.2g}, "
        return (
            f"the TMA explains {_percent(value)} of the variance of patients' scores within a "
            f"class ({chance}line {_percent(line)})"
        )
    accuracy = readings.number("balanced_accuracy")
    beside = "" if accuracy is None else f", the model {accuracy:.2f}"
    return (
        "a classifier that sees no peaks reaches a balanced accuracy of "
        f"{value:.2f} in the same folds{beside}"
    )


def _carried(readings: Readings, share: ArtifactShare) -> str:
    """The main number where no indicator speaks against the model, or why there is none."""
    value = readings["artifact_share"]
    if isinstance(value, NotApplicable):
        return f". The artifact share does not apply: {value.reason}"
    interval = _interval(share, ARTIFACT).removesuffix(", ")
    return (
        f". Artifact share of the class gap: {_at_least(share)}{_percent(value)}"
        f"{interval and f' ({interval})'}"
    )


def _at_least(share: ArtifactShare) -> str:
    """Said where parts of the artifact share cannot be told, so that it is a lower bound."""
    largest = share.largest(ARTIFACT)
    shares = share.by_class[largest[0]] if isinstance(largest, tuple) else None
    return "" if isinstance(shares, ClassShares) and shares.is_complete else "at least "


def _class(share: ArtifactShare, part: str) -> str:
    """Which class against the others, where there are more than two."""
    largest = share.largest(part)
    if len(share.by_class) < 3 or not isinstance(largest, tuple):
        return ""
    return f" between {largest[0]} and the others"


def _interval(share: ArtifactShare, part: str) -> str:
    largest = share.largest(part)
    if not isinstance(largest, tuple):
        return ""
    shares = share.by_class[largest[0]]
    interval = shares.interval(part) if isinstance(shares, ClassShares) else None
    if interval is None:
        return ""
    return f"95 % interval over patients {_percent(interval[0])} to {_percent(interval[1])}, "


def _percent(value: float) -> str:
    # Adding zero takes the sign off a zero.
    return f"{round(100 * value) + 0} %"
