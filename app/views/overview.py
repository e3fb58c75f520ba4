"""All runs at a glance: accuracy, verdict, gaps, decision; where others are picked to look at."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from app.data import comparison as data
from app.data.runs import runs
from app.parts import chosen, shown
from corespot.report.run_overview import (
    FlagLine,
    accuracy_by_task,
    overview_styles,
    overview_table,
)
from corespot.report.verdict_badge import VERDICT_STYLES
from corespot.review.compared_runs import shortened
from corespot.review.run_table import (
    NOT_AUDITED,
    ORDERS,
    RunFilter,
    filtered,
    flag_count,
    latest_of_each,
    ordered,
)

#: What each column says, where the pointer rests on its head and beneath the table.
EXPLAINED = {
    "verdict": "What the audit found on confounding by TMA. No verdict certifies a model.",
    "spots": "Balanced accuracy of held-out spots: median over folds, or over repeats where there "
    "are several. Of two classes, 0.5 is chance.",
    "quartiles": "Of the same, over folds or repeats.",
    "95 % interval": "Of balanced accuracy pooled over folds, if other patients of the same TMAs "
    "had been measured.",
    "cores": "Balanced accuracy of cores by the majority of their spots.",
    "patients": "Balanced accuracy of patients by the mean over their spots.",
    "artifact share": "How much of the distance between the classes is carried by off-peak "
    "signal, gain, calibration or resolution. It counts against a model where label and TMA are "
    "tied: read it with the verdict.",
    "leakage gap": "Accuracy of this model with patients held out less that with whole TMAs held "
    "out; empty where the audit did not measure it.",
    "train–test gap": "Balanced accuracy on training spots less that on held-out ones.",
    "data": "Beginning of the DVC hash of the spectra.",
}
#: Rows that the table begins with: a browser takes a second for the colours of 500.
_MOST_ROWS = 100
#: Up to so many runs the figure is drawn unasked.
_FEW = 60
_NUMBERS = ("spots", "cores", "patients", "leakage gap", "train–test gap")


def main() -> None:
    """Show the view."""
    st.title("Overview")
    if not runs():
        chosen.empty_project()
        return
    table = data.table_of_runs()
    count = flag_count(table)
    shown.drawn(FlagLine(count.n_models, count.n_audited, count.flagged))
    wanted, order = _asked(table)
    found = ordered(filtered(table, wanted), order)
    actions = st.container(horizontal=True, vertical_alignment="center")
    if found.empty:
        st.info("No run passes these filters.", icon=":material/filter_alt_off:")
        return
    picked = _pick(found)
    with actions:
        _go(picked, len(found), len(table))
    with st.expander("What the columns say", icon=":material/help:"):
        for name, meaning in EXPLAINED.items():
            st.markdown(f"**{shown.literal(name)}**: {shown.literal(meaning)}")
    # Of many runs the table is what is looked at, and it should not have to wait for a figure.
    by_task = st.expander(
        "Accuracy by task, the latest of each model",
        expanded=len(found) <= _FEW,
        icon=":material/scatter_plot:",
        on_change="rerun",
    )
    if by_task.open:
        with by_task:
            _by_task(latest_of_each(found).sort_values("task", kind="stable"))


def _by_task(latest: pd.DataFrame) -> None:
    shown.figure(
        accuracy_by_task(latest.assign(label=_labels(latest))),
        "accuracy",
        alt="Balanced accuracy of spots with its interval, by task, marked by verdict",
    )


def _asked(table: pd.DataFrame) -> tuple[RunFilter, str]:
    """What the boxes above the table ask for."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Name", placeholder="part of the name", width=160)
        tasks = _box(table, "task", "Task")
        models = _box(table, "model", "Model")
        verdicts = _box(table, "verdict", "Verdict")
        cohorts = _box(table, "cohort", "Cohort") if table["cohort"].nunique() > 1 else []
        versions = _box(table, "data", "Data version") if table["data"].nunique() > 1 else []
        order = st.selectbox("Order", list(ORDERS), width=185)
        latest = st.checkbox("Latest of each model only")
    wanted = RunFilter(tasks, models, verdicts, cohorts, versions, text or "", latest)
    return wanted, str(order)


def _box(table: pd.DataFrame, column: str, label: str) -> list[str]:
    values = sorted(set(table[column]) - {""})
    if column == "verdict":
        words = [*VERDICT_STYLES, NOT_AUDITED]
        values = [word for word in words if word in values]
    return st.multiselect(
        label,
        values,
        format_func=lambda value: _worded(value) if column == "verdict" else str(value),
        placeholder="all",
        width=160,
    )


def _worded(verdict: str) -> str:
    style = next((style for word, style in VERDICT_STYLES.items() if word == verdict), None)
    return f"{style.mark} {style.text}" if style else verdict


def _pick(found: pd.DataFrame) -> list[str]:
    """The table; identifiers of the rows picked in it."""
    whole = len(found) <= _MOST_ROWS or st.toggle(f"All {len(found)} rows")
    rows = overview_table(found if whole else found.head(_MOST_ROWS)).reset_index(drop=True)
    styled = rows.style.apply(lambda _: overview_styles(rows), axis=None)
    # Picked rows are known by their place: another list of runs is another table.
    digest = hashlib.sha256("".join(rows["run"]).encode()).hexdigest()[:12]
    event = shown.table(
        _rounded(styled),
        "runs",
        whole=found,
        key=f"runs {digest}",
        on_select="rerun",
        selection_mode="multi-row",
        height=min(35 * len(rows) + 38, 470),
        column_config=_columns(),
        alt="All runs: verdict, task, model, balanced accuracy, gaps and decision",
    )
    picked = event.selection.rows
    return [str(rows["run"].iloc[at]) for at in picked if at < len(rows)]


def _rounded(styled: Styler) -> Styler:
    formats: dict[Any, Any] = {
        **dict.fromkeys(_NUMBERS, lambda value: f"{value:.3f}".replace("-", "−")),
        "artifact share": "{:.0f} %",
        "started (UTC)": "{:%Y-%m-%d %H:%M}",
    }
    return styled.format(formats, na_rep="—")


def _columns() -> dict[str, Any]:
    widths = {
        **{"task": 65, "model": 100, "verdict": 120, "spots": 58, "95 % interval": 105},
        **{"cores": 58, "patients": 70, "artifact share": 97, "leakage gap": 91},
        **{"train–test gap": 97, "started (UTC)": 124, "data": 78, "decision": 150, "remarks": 120},
    }
    return {
        # Pinned columns are written in grey: the verdict is none of them.
        name: st.column_config.Column(
            width=widths.get(name), help=EXPLAINED.get(name), pinned=name in ("task", "model")
        )
        for name in {**widths, **EXPLAINED}
    }


def _go(picked: list[str], n_found: int, n_runs: int) -> None:
    """Ways to the other views with what is picked."""
    one, many = len(picked) == 1, 2 <= len(picked) <= chosen.MOST
    if st.button("Compare", disabled=not many, type="primary", icon=":material/compare_arrows:"):
        _open("compare", picked)
    for view, label in (
        ("sensitivity", "Sensitivity"),
        ("confounding", "Confounding"),
        ("tissue", "Tissue"),
        ("decision", "Decision"),
    ):
        if st.button(label, disabled=not one):
            _open(view, picked)
    count = f"{n_found} of {n_runs} runs shown" if n_found < n_runs else f"{n_runs} runs"
    if len(picked) > chosen.MOST:
        hint = f"{len(picked)} picked; at most {chosen.MOST} can be compared"
    elif picked:
        hint = f"{len(picked)} picked"
    else:
        hint = "pick one to look at it, two to six to compare them"
    st.caption(f"{count}; {hint}.")


def _open(view: str, picked: list[str]) -> None:
    chosen.choose(picked)
    st.switch_page(f"views/{view}.py", query_params={"run": ",".join(picked)})


def _labels(table: pd.DataFrame) -> list[str]:
    """What rows of the figure are called: the model, and how it was mitigated."""
    several = table["cohort"].nunique() > 1
    return [
        " · ".join(
            shortened(part)
            for part in (model or name, mitigation, cohort if several else "")
            if part
        )
        for name, model, mitigation, cohort in zip(
            table["name"], table["model"], table["mitigation"], table["cohort"], strict=True
        )
    ]


if __name__ == "__main__":
    main()
