"""All that is shown of the audit of one model, as one record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.thresholds import ErrorRates, Thresholds
from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.verdict import (
    LEAST_ADVANTAGE,
    LEVEL,
    MOST_LEAKAGE,
    MOST_WITHOUT_PEAKS,
    RELIANT,
    TIED,
    Finding,
    Word,
)
from corespot.axis import MzAxis
from corespot.report.audit_records import (
    ControlCores,
    FoldAccuracies,
    Leakage,
    SecondCohort,
    SharesOfClass,
    WindowOverlap,
)


@dataclass(frozen=True, eq=False)
class AuditView:
    """All that is shown of the audit of one model on one task.

    Parameters
    ----------
    task, model, run_id : str
        What was audited, and the run that trained it.
    classes : tuple of str
        Class names, in order.
    verdict : {"confounded", "suspect", "not_excluded", "no_evidence"}
        The verdict.
    sentence, limitation : str
        It in words, and what it cannot say.
    findings : tuple of Finding
        What it rests on.
    by_counterfactual : bool
        Whether a second cohort decided it.
    thresholds : Thresholds
        Lines of the model, without their error rates.
    error_rates : ErrorRates or None
        How often models with this verdict fell in the benchmark.
    readings : Readings
        Every indicator.
    tie_p : float or None
        Permutation p of the association of label and TMA.
    nested : bool
        Whether no TMA holds two classes.
    shares : mapping of str to SharesOfClass or NotApplicable
        Of every class against the rest.
    leakage : mapping of str to Leakage or NotApplicable
        Of every metadata column.
    folds : tuple of FoldAccuracies
        Of every fold.
    control_cores : ControlCores or NotApplicable
        What control cores say.
    overlap : WindowOverlap or NotApplicable
        Windows that label and TMA share.
    second_cohort : SecondCohort or NotApplicable
        Balanced accuracy on a cohort with a broken design.
    patients, spectrum : DataFrame
        As `corespot.audit.model.result.AuditResult` gives them, the spectrum with ``mz``.
    windows : DataFrame or None
        Label windows beside TMA windows.
    label_by_tma : DataFrame
        Patients: classes as rows, TMAs as columns.
    ways_out : tuple of (str, str)
        What training may try, and why; empty where nothing is needed.
    design : tuple of str
        What measuring anew would settle.
    """

    task: str
    model: str
    run_id: str
    classes: tuple[str, ...]
    verdict: Word
    sentence: str
    limitation: str
    findings: tuple[Finding, ...]
    by_counterfactual: bool
    thresholds: Thresholds
    error_rates: ErrorRates | None
    readings: Readings
    tie_p: float | None
    nested: bool
    shares: Mapping[str, SharesOfClass | NotApplicable]
    leakage: Mapping[str, Leakage | NotApplicable]
    folds: tuple[FoldAccuracies, ...]
    control_cores: ControlCores | NotApplicable
    overlap: WindowOverlap | NotApplicable
    second_cohort: SecondCohort | NotApplicable
    patients: pd.DataFrame
    spectrum: pd.DataFrame
    windows: pd.DataFrame | None
    label_by_tma: pd.DataFrame
    ways_out: tuple[tuple[str, str], ...] = ()
    design: tuple[str, ...] = ()

    @cached_property
    def axis(self) -> MzAxis:
        """The m/z axis."""
        return MzAxis(self.spectrum["mz"].to_numpy(np.float64))

    @property
    def shown_classes(self) -> tuple[str, ...]:
        """Classes that a figure needs: of two, one says it all, the other mirrors it."""
        return self.classes[:1] if len(self.classes) == 2 else self.classes

    @property
    def patients_held_out(self) -> bool:
        """Whether there are scores of models that held out patients, so that TMAs compare."""
        columns = [f"regrouped_{name}" for name in self.classes]
        return bool(np.isfinite(self.patients[columns].to_numpy(np.float64)).any())

    @property
    def chance(self) -> float:
        """Balanced accuracy of guessing."""
        return 1 / len(self.classes)

    @property
    def without_peaks_line(self) -> float | None:
        """Balanced accuracy that classifiers without peaks may reach."""
        accuracy = self.readings.number("balanced_accuracy")
        if accuracy is None:
            return None
        return self.chance + MOST_WITHOUT_PEAKS * max(accuracy - self.chance, LEAST_ADVANTAGE)

    @property
    def lines(self) -> dict[str, float]:
        """The line of every indicator that has one; p counts below its line, all else above."""
        found = {**self.thresholds.lines, "V": TIED, "leakage": MOST_LEAKAGE}
        found |= {"counterfactual_drop": RELIANT, "control_p": LEVEL, "leakage_p": LEVEL}
        line = self.without_peaks_line
        return found if line is None else {**found, "negative_control": line}

    def against(self, name: str) -> str:
        """A class and what it is told from, for headings; text from outside, not escaped."""
        if len(self.classes) == 2:
            return f"{name} against {next(other for other in self.classes if other != name)}"
        return f"{name} against the rest"
