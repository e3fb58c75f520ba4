"""What a model goes by: its signed spectrum, down to single bins, and the ion images behind it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, get_args

import pandas as pd
import streamlit as st

from app.data import runs as data
from app.data import spectra
from app.data.runs import LoggedRun
from app.parts import chosen, shown
from app.parts.mz_window import (
    choose_ion,
    chosen_ion,
    show_window,
    shown_window,
    take_selection,
    window_controls,
)
from corespot.axis import MzAxis
from corespot.errors import CorespotError
from corespot.explain.profile import Quantity
from corespot.report.mz_search import Found, find_mz, window_table
from corespot.report.mz_window import MzWindow
from corespot.report.sensitivity_explorer import (
    Overlays,
    resolution_text,
    sensitivity_explorer,
)
from corespot.report.sensitivity_parts import class_means_of, fold_profiles, kinds_on, windows_of
from corespot.report.sensitivity_view import SensitivityView
from corespot.report.value_maps import spot_value_maps
from corespot.units import Tolerance

_QUANTITIES: dict[Quantity, str] = {"logit": "log-odds", "probability": "probability"}
_UNITS = {"Da": "da", "ppm": "ppm"}
_NUMBERS: dict[str, Any] = {
    "m/z": st.column_config.NumberColumn(format="%.3f"),
    "from": st.column_config.NumberColumn(format="%.2f"),
    "to": st.column_config.NumberColumn(format="%.2f"),
}


def main() -> None:
    """Show the view."""
    st.title("Sensitivity")
    run = chosen.one_run()
    with shown.told():
        _explore(run)


def _explore(run: LoggedRun) -> None:
    profile = data.sensitivity(run)
    axis = profile.axis
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
        with_kinds = st.toggle("Peaks", value=True)
        with_markers = st.toggle("Markers", value=True)
        with_folds = st.toggle("Single folds")
    windows, markers = _windows(run, profile.classes[index]), _markers()
    view = SensitivityView(
        profile,
        index,
        class_means_of(data.class_means(run), profile),
        windows,
        markers if with_markers else (),
        of,
    )
    window = shown_window(axis)
    window_controls(window, axis)
    clicks = _pointer_clicks()
    overlays = Overlays(
        kinds=_kinds(run, axis) if with_kinds else None,
        folds=_folds(run, view) if with_folds else None,
        chosen_mz=chosen_ion(),
    )
    # A new window is a new figure, so that no selection of the last one stays on it.
    key = f"spectrum {run.run_id} {window.text} {clicks}"
    shown.figure_to_select_in(
        sensitivity_explorer(view, window, overlays, pointer="choose" if clicks else "zoom"),
        key,
        mode="points" if clicks else "box",
        alt=f"Signed sensitivity for {view.class_name}, m/z {window.text}, over mean spectra",
        on_select=take_selection(key, axis),
    )
    st.caption(
        f"{resolution_text(profile, window)} Height: change of the "
        f"{_QUANTITIES[of]} of the class when a bin rises by one standard deviation, mean of "
        f"{profile.n_folds} folds. Numbers: rank of a window."
    )
    tolerance = _search(view, axis)
    _ranked(view, axis, run)
    _ion_image(run, tolerance)


def _pointer_clicks() -> bool:
    """Whether the pointer chooses a point rather than a stretch; it cannot do both."""
    choices = ("Drag across to zoom", "Click for the ion image")
    chosen_one = st.segmented_control(
        "Pointer", choices, default=choices[0], required=True, label_visibility="collapsed"
    )
    return bool(chosen_one == choices[1])


def _search(view: SensitivityView, axis: MzAxis) -> Tolerance:
    """Look for an m/z; the tolerance holds for the ion image, too."""
    st.subheader("Find an m/z")
    with (
        st.form("search", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        mz = st.number_input(
            "m/z", 0.0, 1e6, None, step=0.1, format="%.4f", width=160, placeholder="e.g. 1105.6"
        )
        value = st.number_input("Tolerance ±", 0.0001, 1e5, 0.3, format="%.4g", width=140)
        unit = st.segmented_control("Unit", list(_UNITS), default="Da", required=True)
        asked = st.form_submit_button("Find", icon=":material/search:")
    tolerance = Tolerance(float(value), "ppm" if unit == "ppm" else "da")
    if asked and mz:
        choose_ion(float(mz))
        show_window(MzWindow.around(float(mz), axis, tolerance=tolerance), axis)
        st.session_state["found"] = float(mz)
        st.rerun()
    looked_for = st.session_state.get("found")
    if looked_for:
        _show_found(find_mz(view, looked_for, tolerance), looked_for, tolerance)
    return tolerance


def _show_found(found: Found, mz: float, tolerance: Tolerance) -> None:
    of = f"m/z {mz:.4f} ± {tolerance}"
    if found.nearest_only:
        st.caption(f"No bin lies within {of}; the nearest one:")
    else:
        st.caption(f"{len(found.bins)} bins within {of}, the closest first:")
    shown.table(found.bins, f"bins at {mz:g}", height=180, column_config=_NUMBERS)
    for table, what in ((found.windows, "ranked windows"), (found.markers, "markers")):
        if len(table):
            st.caption(f"{what.capitalize()} there:")
            shown.table(table, f"{what} at {mz:g}", column_config=_NUMBERS)
        else:
            st.caption(f"No {what} there.")


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
        column_config=_NUMBERS,
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


def _ion_image(run: LoggedRun, tolerance: Tolerance) -> None:
    st.subheader("Ion image")
    mz = chosen_ion()
    if mz is None:
        st.caption(
            "Click a point of the spectrum, select a window, or find an m/z: how it lies on the "
            "tissue is shown here."
        )
        return
    with shown.told():
        spots = data.spots(run)
        image = spectra.ion_image(run, mz, tolerance)
        figure = spot_value_maps(
            spots.assign(intensity=image), "intensity", title="", unit="mean intensity"
        )
        st.caption(f"Mean intensity within m/z {mz:.3f} ± {tolerance}, one cell a spot.")
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
