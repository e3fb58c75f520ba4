"""The audit of one model as a page to read offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from corespot.report.audit_card import VerdictCard
from corespot.report.audit_figures import audit_figures
from corespot.report.audit_shown import AuditView
from corespot.report.audit_tables import (
    control_core_table,
    leakage_table,
    lines_table,
    readings_table,
    second_cohort_table,
)
from corespot.report.html import Part, Section, save_figure_json, write_page

#: Name of the page in its folder.
AUDIT_PAGE = "audit.html"

_GAP = (
    "The difference of the class means, split into what a measurement can cause by itself and what "
    "remains on peaks, each weighted with how the model reacts to it."
)
_LEAKAGE = (
    "Patients of one class should score alike whatever the TMA they were measured on. L is the "
    "share of the variance of scores within a class that the TMA explains, beyond chance."
)
_PROFILE = (
    "Peptides can only be on peaks. Sensitivity elsewhere is to the measurement: baseline, noise, "
    "matrix."
)


def write_audit_page(folder: Path, view: AuditView) -> None:
    """Write ``audit.html`` and one JSON a figure.

    Parameters
    ----------
    folder : Path
        Receives the files; it may hold other pages of the model.
    view : AuditView
        What is shown.
    """
    figures = audit_figures(view)
    for name, figure in figures.items():
        save_figure_json(figure, folder / f"{name}.json")
    write_page(
        folder / AUDIT_PAGE,
        f"Audit for confounding: {view.task}, {view.model}",
        list(_sections(view, figures)),
        subtitle=f"run {view.run_id}; research use only",
        lead=VerdictCard(view),
    )


def _sections(view: AuditView, figures: Mapping[str, go.Figure]) -> Iterator[Section]:
    yield Section("What the class gap is made of", [_GAP, figures["audit_shares"]])
    yield Section("Classifiers that see no peaks", [figures["audit_negative_controls"]])
    yield Section(
        "Patients and TMAs",
        [_LEAKAGE, figures["audit_scores"], leakage_table(view), figures["audit_label_by_tma"]],
    )
    profiles = [f for name, f in figures.items() if name.startswith("audit_sensitivity_")]
    yield Section("Where the model looks", [_PROFILE, *profiles])
    windows = [
        figures[name] for name in ("audit_windows", "audit_tma_sensitivity") if name in figures
    ]
    shared: list[Part] = [*windows] or [_reason(view, "shared_windows")]
    yield Section("Windows of the label and of the TMA", shared)
    controls, second = control_core_table(view), second_cohort_table(view)
    yield Section(
        "Control cores", [_reason(view, "control_share") if controls is None else controls]
    )
    yield Section(
        "Second cohort", [_reason(view, "counterfactual_drop") if second is None else second]
    )
    if view.ways_out or view.design:
        ways = pd.DataFrame(view.ways_out, columns=["way out", "why"])
        yield Section("What may help", [*([ways] if len(ways) else []), *view.design])
    yield Section("All readings", [readings_table(view), "Lines of this model:", lines_table(view)])


def _reason(view: AuditView, name: str) -> str:
    return f"Not applicable: {view.readings.not_applicable().get(name, 'it was not measured')}."
