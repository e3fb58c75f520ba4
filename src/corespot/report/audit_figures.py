"""The exhibits of a model's audit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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
    """All figures of an audit that apply, by the name under which they are kept with the run.

    Parameters
    ----------
    view : AuditView
        The audit.
    """
    drawn = {name: draw() for name, draw in audit_drawings(view).items()}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def audit_drawings(view: AuditView) -> dict[str, Callable[[], go.Figure | None]]:
    """How each figure of an audit is drawn, for pages that show one while they draw the next.

    Parameters
    ----------
    view : AuditView
        The audit.

    Returns
    -------
    dict of str to callable
        ``audit_shares``, ``audit_negative_controls``, ``audit_scores``, ``audit_label_by_tma``,
        ``audit_sensitivity_<number of the class>``, ``audit_windows`` and
        ``audit_tma_sensitivity``; the last two give None where they do not apply.
    """
    return {
        "audit_shares": partial(gap_shares, view),
        "audit_negative_controls": partial(negative_controls, view),
        "audit_scores": partial(scores_by_tma, view),
        "audit_label_by_tma": partial(label_by_tma_figure, view),
        **{
            f"audit_sensitivity_{view.classes.index(name)}": partial(
                sensitivity_profile, view, name
            )
            for name in view.shown_classes
        },
        "audit_windows": partial(label_and_tma_windows, view),
        "audit_tma_sensitivity": partial(tma_profile, view),
    }


def label_by_tma_figure(view: AuditView) -> go.Figure:
    """Patients of each class on each TMA, with how closely the two are tied."""
    tie = view.readings.number("V")
    p = "" if view.tie_p is None else f", permutation p = {view.tie_p:.2g}"
    said = "V not applicable" if tie is None else f"Cramér's V = {tie:.2f}{p}"
    return label_heatmap(view.label_by_tma, title=f"Patients of each class on each TMA: {said}")
