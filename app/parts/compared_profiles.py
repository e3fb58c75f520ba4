"""Sensitivity profiles of several runs over each other, and how alike they are."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.data import runs as data
from app.data.runs import LoggedRun
from app.parts import shown
from corespot.explain.compared import profile_correlations
from corespot.explain.profile import SensitivityProfile
from corespot.report.comparison_figures import ProfilesView, profiles_compared
from corespot.review.comparison_pairs import MOST_OVERLAID

CORRELATED = (
    "Over all m/z bins; 1: the models look at the same, 0: at nothing in common, empty: the m/z "
    "axes differ. Models that look at the same can share the same artifact."
)


@shown.own_part
def section(runs: list[LoggedRun], labels: list[str], colours: dict[str, str]) -> None:
    """The profiles that are there, with inputs for class and m/z range."""
    profiles: dict[str, SensitivityProfile] = {}
    for run, label in zip(runs, labels, strict=True):
        with shown.told():
            profiles[label] = data.sensitivity(run)
    if not profiles:
        return
    classes = list(dict.fromkeys(name for one in profiles.values() for name in one.classes))
    start = min(float(one.axis.mz[0]) for one in profiles.values())
    stop = max(float(one.axis.mz[-1]) for one in profiles.values())
    with st.container(horizontal=True):
        name = st.selectbox("Towards", classes, width=180)
        n_shown = sum(name in one.classes for one in profiles.values())
        low = st.number_input("m/z from", start, stop, start, step=10.0, format="%.2f", width=150)
        high = st.number_input("to", start, stop, stop, step=10.0, format="%.2f", width=150)
        how = st.segmented_control(
            "Curves",
            ["overlaid", "one above the other"],
            default="overlaid" if n_shown <= MOST_OVERLAID else "one above the other",
        )
    without = [label for label, one in profiles.items() if name not in one.classes]
    if without:
        st.caption(shown.literal(f"Without this class: {', '.join(without)}."))
    if low >= high:
        st.warning("The m/z range is empty: the first number must be below the second.")
        return
    with shown.told():
        markers = data.markers()
    view = ProfilesView(
        profiles=profiles,
        colours=colours,
        class_name=str(name),
        low=float(low),
        high=float(high),
        stacked=how == "one above the other",
        markers=markers,
    )
    shown.figure(profiles_compared(view), "profiles")
    _correlations(profiles, str(name))


def _correlations(profiles: dict[str, SensitivityProfile], name: str) -> None:
    alike: pd.DataFrame = profile_correlations(profiles, name)
    if alike.empty:
        return
    if len(alike) == 1:
        value = float(alike["correlation"].iloc[0])
        said = f"{value:.2f}".replace("-", "−") if pd.notna(value) else "not defined"
        st.caption(shown.literal(f"Correlation of the two profiles: {said}. {CORRELATED}"))
        return
    two = st.column_config.NumberColumn(format="%.2f")
    shown.table(alike, "correlations of profiles", column_config={"correlation": two})
    st.caption(shown.literal(CORRELATED))
