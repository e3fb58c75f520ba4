"""What a model goes by: its signed spectrum, down to single bins, and the ion images behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import pandas as pd
import streamlit as st

from app.data import runs as data
from app.data import spectra, tissue
from app.data.runs import LoggedRun
from app.parts import chosen, shown
from app.parts.ion_tolerance import tolerance_boxes
from app.parts.mz_search import MZ_COLUMNS, search
from app.parts.mz_window import (
    choose_ion,
    chosen_ion,
    show_window,
    shown_window,
    take_selection,
    window_controls,
)
from app.parts.shown import own_part, told
from corespot.axis import MzAxis
from corespot.errors import CorespotError
from corespot.explain.profile import Quantity
from corespot.report.mz_search import window_table
from corespot.report.mz_window import MzWindow
from corespot.report.sensitivity_explorer import (
    Overlays,
    resolution_text,
    sensitivity_explorer,
)
from corespot.report.sensitivity_parts import class_means_of, fold_profiles, kinds_on, windows_of
from corespot.report.sensitivity_view import SensitivityView
from corespot.report.tissue_explorer import tissue_explorer
from corespot.report.tissue_layers import ion_layer

#: Most cores of an ion image that tells of them beneath the pointer, as Tissue always does.
_FEW_CORES = 300
_QUANTITIES: dict[Quantity, str] = {"logit": "log-odds", "probability": "probability"}


def main() -> None:
    """Show the view."""
    st.title("Sensitivity")
    run = chosen.one_run()
    with told():
        _explore(run)


def _explore(run: LoggedRun) -> None:
    profile = data.sensitivity(run)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        index = st.selectbox(
            "Class",
            range(len(profile.classes)),
            format_func=lambda at: profile.classes[at],
            width=150,
        )
        of: Quantity = (
            st.segmented_control(
                "Change of the",
                get_args(Quantity)[::-1],
                format_func=lambda one: _QUANTITIES[one],
                default="logit",
                required=True,
            )
            or "logit"
        )
    means = class_means_of(data.class_means(run), profile)
    windows = _windows(run, profile.classes[index])
    view = SensitivityView(profile, index, means, windows, _markers(), of)
    _spectrum(run, view)
    search(view, profile.axis)
    _ranked(view, profile.axis, run)


@own_part
def _spectrum(run: LoggedRun, view: SensitivityView) -> None:
    axis = view.profile.axis
    with st.container(horizontal=True, vertical_alignment="bottom"):
        clicks = _pointer_clicks()
        with_kinds = st.toggle("Peaks", value=True)
        with_markers = st.toggle("Markers", value=True)
        with_folds = st.toggle("Single folds")
    window = shown_window(axis)
    window_controls(window, axis)
    overlays = Overlays(
        kinds=_kinds(run, axis) if with_kinds else None,
        folds=_folds(run, view) if with_folds else None,
        chosen_mz=chosen_ion(),
    )
    # A new window is a new figure, so that no selection of the last one stays on it.
    key = f"spectrum {run.run_id} {window.text} {clicks}"
    shown_view = view if with_markers else replace(view, markers=())
    shown.figure_to_select_in(
        sensitivity_explorer(shown_view, window, overlays, pointer="choose" if clicks else "zoom"),
        key,
        mode="points" if clicks else "box",
        alt=f"Signed sensitivity for {view.class_name}, m/z {window.text}, over mean spectra",
        on_select=take_selection(key, axis),
    )
    st.caption(
        f"{resolution_text(view.profile, window)} Height: change of the "
        f"{_QUANTITIES[view.of]} of the class when a bin rises by one standard deviation, mean of "
        f"{view.profile.n_folds} folds. Numbers: rank of a window."
    )
    _ion_image(run)


def _pointer_clicks() -> bool:
    """Whether the pointer chooses a point rather than a stretch; it cannot do both."""
    choices = ("Drag across to zoom", "Click for the ion image")
    chosen_one = st.segmented_control(
        "Pointer", choices, default=choices[0], required=True, label_visibility="collapsed"
    )
    return bool(chosen_one == choices[1])


def _ranked(view: SensitivityView, axis: MzAxis, run: LoggedRun) -> None:
    st.subheader("Ranked windows")
    if view.windows is None or view.windows.empty:
        st.caption("No m/z window was ranked for this class.")
        return
    table = window_table(view.windows)
    key = f"windows {run.run_id} {view.class_index}"
    st.caption("One row an isotope pattern, the strongest first. Select a row to zoom to its bins.")
    shown.table(
        table,
        f"windows of {view.class_name}",
        height=300,
        column_config=MZ_COLUMNS,
        key=key,
        on_select=partial(_go_to_row, key, table, axis),
        selection_mode="single-row",
    )


def _go_to_row(key: str, table: pd.DataFrame, axis: MzAxis) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(table):
        mz = float(table["m/z"].iloc[rows[0]])
        choose_ion(mz)
        show_window(MzWindow.around(mz, axis), axis)


def _ion_image(run: LoggedRun) -> None:
    mz = chosen_ion()
    if mz is None:
        st.caption(
            "Click a point of the spectrum, select a window, or find an m/z: how it lies on the "
            "tissue is shown here."
        )
        return
    st.subheader("Ion image")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tolerance = tolerance_boxes()
    with told():
        here = tissue.tissue(run)
        image = spectra.ion_image(run, mz, tolerance)
        name = f"mean intensity within m/z {mz:.3f} ± {tolerance}"
        layer = ion_layer(image, name, percentile=99)
        title = name[0].upper() + name[1:]
        few = len(here.votes) <= _FEW_CORES
        figure = tissue_explorer(
            here.table, [layer], here.votes, title=title, highest_px=260, answers=few
        )
        shown.figure(figure, "ion image", alt=f"Ion image of m/z {mz:.3f} on every TMA")


def _windows(run: LoggedRun, name: str) -> pd.DataFrame | None:
    try:
        return windows_of(data.read(run, "windows"), name)
    except CorespotError as error:
        st.caption(shown.literal(error))
        return None


def _markers() -> tuple[Any, ...]:
    try:
        return data.markers()
    except CorespotError as error:
        st.caption(shown.literal(error))
        return ()


def _kinds(run: LoggedRun, axis: MzAxis) -> Mapping[str, Any] | None:
    if "audit.verdict" not in run.tags:
        st.caption("Which bins lie on peaks is known after the audit; this run has none.")
        return None
    try:
        return kinds_on(data.audit(run), axis)
    except CorespotError as error:
        st.caption(shown.literal(error))
        return None


def _folds(run: LoggedRun, view: SensitivityView) -> Mapping[str, Any] | None:
    try:
        arrays = data.read(run, "fold_sensitivities")
        return fold_profiles(arrays, view.profile, view.class_index, view.of)
    except CorespotError as error:
        st.caption(shown.literal(error))
        return None


if __name__ == "__main__":
    main()
