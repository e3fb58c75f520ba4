"""Whether a model owes its accuracy to how the spectra were measured, and what helped."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app.data import evidence
from app.data import runs as data
from app.data.runs import LoggedRun
from app.parts import chosen, shown
from app.parts.exhibit import exhibit
from app.parts.report_button import report_button
from corespot.report.audit_card import VerdictCard, VerdictLimits
from corespot.report.audit_shown import AuditView
from corespot.report.audit_tables import (
    control_core_table,
    leakage_table,
    lines_table,
    readings_table,
    second_cohort_table,
)
from corespot.report.captioned import captioned
from corespot.report.design_parts import design_parts
from corespot.report.mitigation_figures import before_after_figure
from corespot.report.mitigation_record import MitigationRecord

_WIDE = st.column_config.TextColumn(width="large")


def main() -> None:
    """Show the view."""
    st.title("Confounding")
    run = chosen.one_run()
    if "audit.verdict" in run.tags:
        with shown.told():
            _audited(run, data.audit(run))
    else:
        _not_audited(run)
    _design(run)


def _audited(run: LoggedRun, view: AuditView) -> None:
    shown.drawn(VerdictCard(view, brief=True))
    figures = evidence.exhibits(run)
    with st.container(horizontal=True, gap="large"):
        with st.container(width=520):
            exhibit(figures["audit_shares"](), "shares")
        with st.container(width=520):
            exhibit(figures["audit_scores"](), "scores")
    shown.drawn(VerdictLimits(view))
    report_button([run])
    with shown.told():
        _before_after(run, view)
    st.subheader("Where the model looks")
    st.caption(
        "Peptides can only be on peaks. Sensitivity elsewhere is to the measurement: baseline, "
        "noise, matrix."
    )
    for name, draw in figures.items():
        if name.startswith("audit_sensitivity_"):
            exhibit(draw(), name)
    st.subheader("What else was looked at")
    with st.container(horizontal=True, gap="large"):
        with st.container(width=520):
            exhibit(figures["audit_negative_controls"](), "controls")
        with st.container(width=520):
            exhibit(figures["audit_label_by_tma"](), "layout", more="Colour: number of patients.")
    _of_the_tma(view, figures)
    _tables(view)
    _help(view)


@shown.own_part
def _of_the_tma(view: AuditView, figures: Mapping[str, evidence.Drawing]) -> None:
    """What the spectra say of the TMA, beside what the model reads: drawn when asked for."""
    there = {name: figures[name]() for name in ("audit_windows", "audit_tma_sensitivity")}
    if there["audit_windows"] is None:
        _reason(view, "shared_windows", "Windows of the label and of the TMA")
    if not any(there.values()):
        return
    more = st.expander("What tells the TMA", on_change="rerun", key="of the TMA")
    if more.open:
        with more:
            for name, figure in there.items():
                exhibit(figure, name)


@shown.own_part
def _tables(view: AuditView) -> None:
    st.subheader("All that was measured")
    # Half a dozen tables take a browser as long as all exhibits, and few ask for them.
    whole = st.expander("In tables, each with its files", on_change="rerun", key="all measured")
    if whole.open:
        with whole:
            _every_table(view)


def _every_table(view: AuditView) -> None:
    wide = {"what it says": _WIDE, "value": st.column_config.TextColumn(width="medium")}
    shown.table(readings_table(view), f"readings {view.task} {view.model}", column_config=wide)
    for table, name, indicator in (
        (second_cohort_table(view), "Second cohort", "counterfactual_drop"),
        (control_core_table(view), "Control cores", "control_share"),
        (leakage_table(view), "Leakage within classes", "leakage"),
        (lines_table(view), "Lines of this model", ""),
    ):
        if table is None or table.empty:
            _reason(view, indicator, name)
            continue
        st.markdown(f"**{name}**")
        shown.table(table, f"{name} {view.task} {view.model}")


def _help(view: AuditView) -> None:
    if not view.ways_out and not view.design:
        return
    st.subheader("What may help")
    if view.ways_out:
        st.write("Training anew, with a way out of confounding:")
        for way, why in view.ways_out:
            st.markdown(f"**{shown.literal(way)}**: {shown.literal(why)}")
        names = tuple(name for name, _ in view.ways_out)
        st.code(evidence.mitigate_command(view.task, view.model, names), language="sh")
        st.caption("It trains and audits again, and logs a run of its own beside this one.")
    if view.design:
        st.write("Measuring anew:")
        for text in view.design:
            st.text(text)


def _before_after(run: LoggedRun, view: AuditView) -> None:
    """Every way out that was tried on this model, or that made this run."""
    made = [run] if "mitigation" in run.tags else evidence.mitigated_from(run)
    if not made:
        return
    st.subheader("Before and after a way out")
    records: list[tuple[LoggedRun, MitigationRecord]] = []
    for one in made:
        with shown.told():
            records.append((one, evidence.before_after(one)))
    if not records:
        return
    line = view.thresholds.lines.get("artifact_share")
    figure = before_after_figure([one for _, one in records], chance=view.chance, line=line)
    exhibit(captioned(figure), "before and after")
    for one, record in records:
        if record.after.sentence:
            st.text(f"With {record.name}: {record.after.sentence}")
        table = record.table()
        with st.expander(f"With {shown.literal(record.name)}, in numbers"):
            shown.table(table, f"before and after {one.run_id[:8]}")


def _not_audited(run: LoggedRun) -> None:
    st.info(
        "This run was not audited: whether it is confounded is not known.",
        icon=":material/info:",
    )
    st.write("To audit every model of the project, in its folder:")
    st.code("dvc repro audit", language="sh")


@shown.own_part
def _design(run: LoggedRun) -> None:
    st.subheader(f"Design of the task {shown.literal(run.task)}")
    same = evidence.data_is_that_of(run)
    st.caption(
        "Which classes were measured where. Of the data the project holds now"
        + (", which this run has read." if same else "; **this run has read other data**.")
    )
    parts = list(enumerate(design_parts(evidence.design(run.task))))
    for _, part in parts:
        if not isinstance(part, pd.DataFrame):
            st.text(str(part))
    tables = st.expander("What else goes with the label", on_change="rerun", key="design tables")
    if tables.open:
        with tables:
            for at, part in parts:
                if isinstance(part, pd.DataFrame):
                    shown.table(part, f"design {run.task} {at}")


def _reason(view: AuditView, indicator: str, name: str) -> None:
    reason = view.readings.not_applicable().get(indicator, "it was not measured")
    st.caption(f"{name}: not applicable. {shown.literal(reason[:1].upper() + reason[1:])}.")


if __name__ == "__main__":
    main()
