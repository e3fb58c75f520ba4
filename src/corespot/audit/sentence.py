"""The verdict in words that a reviewer can quote, and what it cannot say."""

from __future__ import annotations

from corespot.audit.class_shares import ARTIFACT, NON_PEPTIDE, ArtifactShare, ClassShares
from corespot.audit.readings import Readings
from corespot.audit.verdict import TIED, Finding, Verdict

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
_UNTIED = (
    "Whatever else goes with the class in this cohort (age, treatment, site) is not examined by it."
)
_SECOND = (
    "It holds of measurements like those of the second cohort; that a fall has other causes too "
    "(other patients, other instruments) is not excluded."
)
_WITH_CONTROLS = (
    "Control cores were looked at; they show what acts on their tissue as on the others."
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
    tie = readings.number("V")
    if verdict.word == "no_evidence":
        return (
            f"{model} on {task}: label and TMA are not tied (V = {tie or 0:.2f}; the question "
            f"arises above {TIED}), and no evidence of confounding was found."
        )
    if tie is None:
        start = f"{model} on {task}: whether label and TMA are tied cannot be told"
    else:
        start = f"{model} on {task}: label and TMA are tied (V = {tie:.2f})"
    if verdict.word == "not_excluded":
        said = _carried(readings, share)
        return f"{start}. No indicator is above its line{said}; confounding is not excluded."
    named = [_told(one, verdict, share) for one in verdict.findings]
    return f"{start}, and {'; '.join(named)}."


def limitation(verdict: Verdict, readings: Readings, *, nested: bool) -> str:
    """What the verdict cannot say, always to be shown beside it."""
    if verdict.by_counterfactual:
        return _SECOND
    if verdict.word == "no_evidence":
        return _UNTIED
    has_controls = readings.number("control_share") is not None
    parts = [_NESTED if nested else _TIED, _WITH_CONTROLS if has_controls else BLIND_SPOT]
    if not verdict.thresholds.is_own:
        parts.append(
            f"The lines come from clean fits of {verdict.thresholds.calibrated_on}, not of this "
            "model: `corespot audit calibrate` makes its own."
        )
    return " ".join(parts)


def _of_second_cohort(verdict: Verdict, readings: Readings, model: str, task: str) -> str:
    drop = readings.number("counterfactual_drop") or 0.0
    low, high = (readings.number(f"counterfactual_drop_{end}") for end in ("low", "high"))
    interval = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    accuracy = readings.number("balanced_accuracy") or 0.0
    end = {
        "confounded": "it owes that to the tie of class and measurement",
        "suspect": "it may owe that to the tie of class and measurement",
        "not_excluded": "the second cohort is too small to exclude more",
        "no_evidence": "it does not depend on the tie of class and measurement",
    }[verdict.word]
    return (
        f"{model} on {task}: on a second cohort, whose classes share the measurement, balanced "
        f"accuracy changes from {accuracy:.2f} by {-drop:+.2f}{interval and ' (loss '}"
        f"{interval[2:] if interval else ''}: {end}."
    )


def _told(finding: Finding, verdict: Verdict, share: ArtifactShare) -> str:
    value, line = finding.value, finding.threshold
    clean = f"clean fits of {verdict.thresholds.calibrated_on}: at most {_percent(line)}"
    if finding.indicator == "artifact_share":
        least = "at least " if not _is_complete(share) else ""
        return (
            f"{least}{_percent(value)}{_interval(share, ARTIFACT)} of the held-out class gap is "
            f"carried by off-peak signal, gain, calibration or resolution ({clean})"
        )
    if finding.indicator == "non_peptide":
        return (
            f"{_percent(value)}{_interval(share, NON_PEPTIDE)} of the gap is carried by peaks that "
            f"are no peptide's ({clean})"
        )
    if finding.indicator == "control_share":
        return (
            f"control cores of one tissue differ between the TMAs of the classes by "
            f"{_percent(value)} of the class gap ({clean})"
        )
    if finding.indicator == "leakage":
        return (
            f"the TMA explains {_percent(value)} of the variance of patients' scores within a class"
        )
    return (
        f"a classifier that sees no peaks reaches a balanced accuracy of {value:.2f} in the same "
        "folds"
    )


def _carried(readings: Readings, share: ArtifactShare) -> str:
    value = readings.number("artifact_share")
    if value is None:
        return " (the artifact share does not apply)"
    return f" (artifact share {_percent(value)}{_interval(share, ARTIFACT)})"


def _interval(share: ArtifactShare, part: str) -> str:
    largest = share.largest(part)
    if not isinstance(largest, tuple):
        return ""
    shares = share.by_class[largest[0]]
    interval = shares.interval(part) if isinstance(shares, ClassShares) else None
    return "" if interval is None else f" ({_percent(interval[0])} to {_percent(interval[1])})"


def _is_complete(share: ArtifactShare) -> bool:
    largest = share.largest(ARTIFACT)
    shares = share.by_class[largest[0]] if isinstance(largest, tuple) else None
    return isinstance(shares, ClassShares) and shares.is_complete


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"
