"""The audits of a run as plain values: the content of ``reports/audit.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.class_shares import NON_PEPTIDE
from corespot.audit.shares.gap_parts import ARTIFACT_PARTS
from corespot.audit.verdict.readings import Reading
from corespot.report.audit_records import FoldAccuracies
from corespot.report.audit_shown import AuditView

Views = Mapping[str, Mapping[str, AuditView]]


def audit_summary(views: Views) -> dict[str, dict[str, dict[str, Any]]]:
    """What programs need to know of every audit.

    Parameters
    ----------
    views : mapping
        ``{task: {model: AuditView}}``, as `corespot.report.run_tables.RunTables` has them.

    Returns
    -------
    dict
        ``{task: {model: {"verdict", "sentence", "limitation", "artifact_share", "parts", "V",
        "leakage", "negative_controls", "thresholds", "error_rates", "not_applicable", "run_id",
        …}}}``. A number that does not apply is null, and ``not_applicable`` says why.
    """
    return {
        task: {model: _summary(view) for model, view in models.items()}
        for task, models in views.items()
    }


def brief(view: AuditView) -> dict[str, Any]:
    """Verdict and artifact share, as they stand beside a model's metrics."""
    return {
        "verdict": view.verdict,
        "artifact_share": view.readings.number("artifact_share"),
        "sentence": view.sentence,
    }


def _summary(view: AuditView) -> dict[str, Any]:
    rates = view.error_rates
    return {
        **brief(view),
        "limitation": view.limitation,
        "by_counterfactual": view.by_counterfactual,
        "findings": [one.as_dict() for one in view.findings],
        "parts": {part: view.readings.number(part) for part in (*ARTIFACT_PARTS, NON_PEPTIDE)},
        "V": view.readings.number("V"),
        "V_p": view.tie_p,
        "nested": view.nested,
        "leakage": {column: found.as_dict() for column, found in view.leakage.items()},
        "negative_controls": [_fold(fold) for fold in view.folds],
        "readings": view.readings.as_dict(),
        "thresholds": view.thresholds.as_dict(),
        "error_rates": None if rates is None else rates.as_dict(),
        "not_applicable": view.readings.not_applicable(),
        "run_id": view.run_id,
    }


def _fold(fold: FoldAccuracies) -> dict[str, Any]:
    values = {"model": fold.model, "off_peak": fold.off_peak, "nuisance": fold.nuisance}
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Reading) -> float | dict[str, str]:
    return value.as_dict() if isinstance(value, NotApplicable) else value
