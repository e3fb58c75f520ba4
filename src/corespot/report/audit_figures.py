"""The exhibits of a model's audit."""

from __future__ import annotations

import plotly.graph_objects as go

from corespot.report.audit_control_figure import negative_controls
from corespot.report.audit_profile_figures import (
    label_and_tma_windows,
    sensitivity_profile,
    tma_profile,
)
from corespot.report.audit_score_figures import scores_by_tma
from corespot.report.audit_share_figure import gap_shares
from corespot.report.audit_shown import AuditView
from corespot.report.quality_figures import label_heatmap


def audit_figures(view: AuditView) -> dict[str, go.Figure]:
    """All figures of an audit, by the name under which they are kept with the model's run.

    Parameters
    ----------
    view : AuditView
        The audit.

    Returns
    -------
    dict of str to Figure
        ``audit_shares``, ``audit_scores``, ``audit_negative_controls``, ``audit_label_by_tma``,
        ``audit_sensitivity_<number of the class>``, and, where they apply, ``audit_windows`` and
        ``audit_tma_sensitivity``.
    """
    figures: dict[str, go.Figure | None] = {
        "audit_shares": gap_shares(view),
        "audit_negative_controls": negative_controls(view),
        "audit_scores": scores_by_tma(view),
        "audit_label_by_tma": label_by_tma_figure(view),
    }
    for name in view.shown_classes:
        figures[f"audit_sensitivity_{view.classes.index(name)}"] = sensitivity_profile(view, name)
    figures["audit_windows"] = label_and_tma_windows(view)
    figures["audit_tma_sensitivity"] = tma_profile(view)
    return {name: figure for name, figure in figures.items() if figure is not None}


def label_by_tma_figure(view: AuditView) -> go.Figure:
    """Patients of each class on each TMA, with how closely the two are tied."""
    tie = view.readings.number("V")
    p = "" if view.tie_p is None else f", permutation p = {view.tie_p:.2g}"
    said = "V not applicable" if tie is None else f"Cramér's V = {tie:.2f}{p}"
    return label_heatmap(view.label_by_tma, title=f"Patients of each class on each TMA: {said}")
