"""An audit with its verdict as plain values and tables: what is stored, shown and logged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.thresholds import Thresholds
from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.indicators.counterfactual import CounterfactualDrop
from corespot.audit.indicators.shared_windows import SharedWindows
from corespot.audit.indicators.tma_sensitivity import TmaSensitivity
from corespot.audit.model.model_audit import ModelAudit
from corespot.audit.model.stored import FORMAT_VERSION
from corespot.audit.shares.class_shares import ARTIFACT, NON_PEPTIDE
from corespot.audit.shares.gap_parts import PARTS
from corespot.audit.verdict.readings import Reading, Readings
from corespot.audit.verdict.sentence import limitation, sentence
from corespot.audit.verdict.verdict import Verdict, judge, score
from corespot.audit.verdict.ways_out import recommend
from corespot.axis import MzAxis
from corespot.cohort.groups import unit_ids


@dataclass(frozen=True, eq=False)
class AuditResult:
    """The audit of a model, judged.

    Parameters
    ----------
    audit : ModelAudit
        What was measured.
    readings : Readings
        Its indicators, those of a second cohort and of shared windows among them.
    verdict : Verdict
        What they say.
    layout : ClassLayout
        Patients of each class on each TMA.
    axis : MzAxis
        m/z of every bin.
    tma : TmaSensitivity or NotApplicable
        What tells TMAs apart within a class.
    shared_windows, counterfactual
        What was measured besides.
    accuracies : tuple of float
        Balanced accuracy of all held-out spots of every fold.
    """

    audit: ModelAudit
    readings: Readings
    verdict: Verdict
    layout: ClassLayout
    axis: MzAxis
    tma: TmaSensitivity | NotApplicable
    shared_windows: SharedWindows | NotApplicable
    counterfactual: CounterfactualDrop | NotApplicable
    accuracies: tuple[float, ...]

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        audit = self.audit
        return sentence(
            self.verdict, self.readings, audit.share, model=audit.model, task=audit.task.name
        )

    @property
    def limitation(self) -> str:
        """What it cannot say."""
        return limitation(self.verdict, self.readings, nested=self.layout.nested)

    def as_dict(self) -> dict[str, Any]:
        """Everything but the tables, as plain values for JSON."""
        audit, verdict, readings = self.audit, self.verdict, self.readings
        rates = verdict.error_rates
        return {
            "format_version": FORMAT_VERSION,
            "task": audit.task.name,
            "model": audit.model,
            "classes": list(audit.task.classes),
            "verdict": verdict.word,
            "sentence": self.sentence,
            "limitation": self.limitation,
            "findings": [one.as_dict() for one in verdict.findings],
            "by_counterfactual": verdict.by_counterfactual,
            "score": score(readings, verdict.thresholds),
            "thresholds": verdict.thresholds.as_dict(),
            "error_rates": None if rates is None else rates.as_dict(),
            "artifact_share": readings.number("artifact_share"),
            "parts": {
                name: readings.number(name) for name in (*PARTS, NON_PEPTIDE) if name != ARTIFACT
            },
            "V": readings.number("V"),
            "V_p": None if isinstance(audit.tie, NotApplicable) else audit.tie.test.p,
            "nested": self.layout.nested,
            "leakage": {name: one.as_dict() for name, one in audit.leakage.items()},
            "balanced_accuracy_by_fold": list(self.accuracies),
            "negative_controls": [fold.controls.as_dict() for fold in audit.folds],
            "masking": [fold.masking.as_dict() for fold in audit.folds],
            "share": audit.share.as_dict(),
            "control_cores": audit.control_cores.as_dict(),
            "shared_windows": self.shared_windows.as_dict(),
            "counterfactual": self.counterfactual.as_dict(),
            "recommended": recommend(verdict, readings).as_dict(),
            "readings": readings.as_dict(),
            "not_applicable": readings.not_applicable(),
        }

    def patients(self) -> pd.DataFrame:
        """One row a patient, class and TMA.

        ``patient, tma, class``, mean log-odds ``score_<class>`` with TMAs held out and
        ``regrouped_<class>`` with patients held out (missing where that was not done).
        """
        task, folds = self.audit.task, self.audit.folds
        rows = np.concatenate([fold.rows for fold in folds])
        at = np.searchsorted(task.rows, rows)
        units = unit_ids(task.spots, "patient")
        keys = {
            "patient": units,
            "tma": task.group_of("tma"),
            "class": np.array(task.classes)[task.y],
        }
        spots = pd.DataFrame({name: values[at] for name, values in keys.items()})
        held_out = np.concatenate([fold.scores for fold in folds])
        for k, name in enumerate(task.classes):
            spots[f"score_{name}"] = held_out[:, k]
        table = spots.groupby(list(keys), as_index=False).mean()
        regrouped = self.audit.regrouped
        other = pd.DataFrame(keys)
        for k, name in enumerate(task.classes):
            other[f"regrouped_{name}"] = (
                np.nan if isinstance(regrouped, NotApplicable) else regrouped.scores[:, k]
            )
        return table.merge(other.groupby(list(keys), as_index=False).mean(), on=list(keys))

    def spectrum(self) -> pd.DataFrame:
        """One row a bin: ``mz``, ``mean``, ``is_peak``, ``is_non_peptide``, ``sensitivity_<class>``
        and, where it applies, ``tma_sensitivity``.

        Means over folds; a bin is of a peak where it is in at least half of them.
        """
        folds = self.audit.folds
        kinds = [fold.split.non_peptide for fold in folds]
        odd = [kind for kind in kinds if not isinstance(kind, NotApplicable)]
        columns = {
            "mz": self.axis.mz,
            "mean": np.mean([fold.mean_spectrum for fold in folds], axis=0),
            "is_peak": np.mean([fold.split.mask.is_peak for fold in folds], axis=0) >= 0.5,
            "is_non_peptide": np.mean(odd, axis=0) >= 0.5
            if odd
            else np.zeros(len(folds[0].mean_spectrum), dtype=bool),
        }
        profile = np.mean([fold.profile for fold in folds], axis=0)
        columns |= {
            f"sensitivity_{name}": profile[k] for k, name in enumerate(self.audit.task.classes)
        }
        if isinstance(self.tma, TmaSensitivity):
            columns["tma_sensitivity"] = self.tma.profile
        return pd.DataFrame(columns)


def judged(
    audit: ModelAudit,
    thresholds: Thresholds,
    layout: ClassLayout,
    *,
    axis: MzAxis,
    tma: TmaSensitivity | NotApplicable,
    shared_windows: SharedWindows | NotApplicable,
    counterfactual: CounterfactualDrop | NotApplicable,
    accuracies: Sequence[float],
    further: dict[str, Reading],
) -> AuditResult:
    """Draw the verdict on an audit.

    Parameters
    ----------
    audit : ModelAudit
        What was measured.
    thresholds : Thresholds
        Lines of the model.
    layout : ClassLayout
        Patients of each class on each TMA.
    axis, tma, shared_windows, counterfactual, accuracies
        See `AuditResult`.
    further : dict of str to float or NotApplicable
        Their indicators.
    """
    readings = Readings({**audit.readings.values, **further})
    verdict = judge(readings, thresholds, n_classes=len(audit.task.classes))
    return AuditResult(
        audit=audit,
        readings=readings,
        verdict=verdict,
        layout=layout,
        axis=axis,
        tma=tma,
        shared_windows=shared_windows,
        counterfactual=counterfactual,
        accuracies=tuple(accuracies),
    )
