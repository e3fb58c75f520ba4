"""The verdict: what the indicators together say of a model, with its error rates and its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from corespot.audit.calibration.thresholds import LINES, ErrorRates, Thresholds
from corespot.audit.design.association import IN_QUESTION
from corespot.audit.verdict.readings import Readings

Word = Literal["confounded", "suspect", "not_excluded", "no_evidence"]
#: The worst first.
VERDICTS: tuple[Word, ...] = get_args(Word)

#: From this association of label and TMA on the question arises.
TIED = IN_QUESTION
#: Control cores and within-class leakage count where chance is less likely than this.
LEVEL = 0.05
#: Share of the variance within a class that the TMA explains in a model that looks at it.
MOST_LEAKAGE = 0.15
#: Share of the model's advantage over chance that classifiers without peaks may reach.
MOST_WITHOUT_PEAKS = 0.6
#: An advantage below this is within what a classifier without peaks reaches by chance.
LEAST_ADVANTAGE = 0.10
#: Balanced accuracy lost on a broken design: a reliant model, and one that may be.
RELIANT, CLEAN = 0.10, 0.05


@dataclass(frozen=True)
class Finding:
    """One indicator that speaks against a model.

    Parameters
    ----------
    indicator : str
        A name of `corespot.audit.verdict.readings.MEANINGS`.
    value, threshold : float
        What was found, and the line it lies above.
    """

    indicator: str
    value: float
    threshold: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"indicator": self.indicator, "value": self.value, "threshold": self.threshold}


@dataclass(frozen=True)
class Verdict:
    """What the audit says of a model.

    Parameters
    ----------
    word : {"confounded", "suspect", "not_excluded", "no_evidence"}
        The verdict.
    findings : tuple of Finding
        What it rests on, the strongest first.
    by_counterfactual : bool
        Whether a second cohort decided it.
    thresholds : Thresholds
        The lines.
    """

    word: Word
    findings: tuple[Finding, ...]
    by_counterfactual: bool
    thresholds: Thresholds

    @property
    def error_rates(self) -> ErrorRates | None:
        """How often models with this verdict fell in the benchmark; none where it was measured."""
        return None if self.by_counterfactual else self.thresholds.error_rates.get(self.word)


def score(readings: Readings, thresholds: Thresholds) -> float:
    """The indicators that decide, each over its line, the largest: above 1 is confounded.

    Zero where label and TMA are not tied, and where no such indicator applies.
    """
    if not readings.above("V", TIED):
        return 0.0
    return max(
        [0.0, *(one.value / one.threshold for one in _over_lines(readings, thresholds, 0.0))]
    )


def judge(readings: Readings, thresholds: Thresholds, *, n_classes: int = 2) -> Verdict:
    """Draw the verdict.

    Parameters
    ----------
    readings : Readings
        Indicators of the model.
    thresholds : Thresholds
        Lines of the model.
    n_classes : int
        Classes of the task, for what chance would reach.

    Notes
    -----
    A measured drop on a second cohort overrides everything. Else, label and TMA have to be tied
    for the question to arise. An association that does not apply (a single TMA) certifies nothing.
    """
    decided = _by_counterfactual(readings)
    if decided is not None:
        drop = readings.number("counterfactual_drop") or 0.0
        line = RELIANT if decided == "confounded" else CLEAN
        found = (Finding("counterfactual_drop", drop, line),) if drop >= line else ()
        return Verdict(decided, found, True, thresholds)
    tie = readings.number("V")
    if tie is None:
        return Verdict("not_excluded", (), False, thresholds)
    if tie <= TIED:
        return Verdict("no_evidence", (), False, thresholds)
    against = _over_lines(readings, thresholds, 1.0)
    if against:
        return Verdict("confounded", _sorted(against), False, thresholds)
    hints = _hints(readings, thresholds, n_classes)
    return Verdict("suspect" if hints else "not_excluded", _sorted(hints), False, thresholds)


def _by_counterfactual(readings: Readings) -> Word | None:
    drop = readings.number("counterfactual_drop")
    if drop is None:
        return None
    low = readings.number("counterfactual_drop_low")
    high = readings.number("counterfactual_drop_high")
    if drop >= RELIANT and (low is None or low > 0):
        return "confounded"
    if drop >= CLEAN:
        return "suspect"
    # A small cohort that happens to show no drop does not certify anything.
    return "no_evidence" if high is not None and high < RELIANT else "not_excluded"


def _over_lines(readings: Readings, thresholds: Thresholds, factor: float) -> list[Finding]:
    found = []
    for name in LINES:
        value, line = readings.number(name), thresholds.lines[name]
        if value is None or value <= factor * line:
            continue
        p = readings.number("control_p") if name == "control_share" else 0.0
        if p is not None and p < LEVEL and not (name == "artifact_share" and gain_alone(readings)):
            found.append(Finding(name, value, line))
    return found


def gain_alone(readings: Readings) -> bool:
    """Whether gain is all that the artifact share is made of, as on peak lists.

    Tissue can tilt intensities over m/z, too: tumour and stroma of the same two slides gave
    shares of .19 to .48. It is a hint there, no proof.
    """
    others = ("off_peak", "calibration", "resolution")
    return readings.number("gain") is not None and all(
        readings.number(name) is None for name in others
    )


def _hints(readings: Readings, thresholds: Thresholds, n_classes: int) -> list[Finding]:
    found = []
    share, most = readings.number("artifact_share"), thresholds.lines["artifact_share"]
    if gain_alone(readings) and share is not None and share > most:
        found.append(Finding("artifact_share", share, most))
    leakage, p = readings.number("leakage"), readings.number("leakage_p")
    if leakage is not None and p is not None and leakage > MOST_LEAKAGE and p < LEVEL:
        found.append(Finding("leakage", leakage, MOST_LEAKAGE))
    control, accuracy = readings.number("negative_control"), readings.number("balanced_accuracy")
    if control is not None and accuracy is not None:
        advantage = max(accuracy - 1 / n_classes, LEAST_ADVANTAGE)
        line = 1 / n_classes + MOST_WITHOUT_PEAKS * advantage
        if control > line:
            found.append(Finding("negative_control", control, line))
    return found


def _sorted(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: one.value / one.threshold, reverse=True))
