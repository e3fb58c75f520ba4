"""Look for an m/z in what a model goes by."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.parts import shown
from app.parts.mz_window import choose_ion, show_window
from corespot.axis import MzAxis
from corespot.report.mz_search import Found, find_mz
from corespot.report.mz_window import MzWindow
from corespot.report.sensitivity_view import SensitivityView
from corespot.units import Tolerance

_UNITS = {"Da": "da", "ppm": "ppm"}
#: How columns of m/z are written.
MZ_COLUMNS: dict[str, Any] = {
    "m/z": st.column_config.NumberColumn(format="%.3f"),
    "from": st.column_config.NumberColumn(format="%.2f"),
    "to": st.column_config.NumberColumn(format="%.2f"),
}


def search(view: SensitivityView, axis: MzAxis) -> None:
    """Look for an m/z among bins, ranked windows and markers; what is found is zoomed to.

    Parameters
    ----------
    view : SensitivityView
        What is looked through.
    axis : MzAxis
        Its axis.
    """
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


def _show_found(found: Found, mz: float, tolerance: Tolerance) -> None:
    of = f"m/z {mz:.4f} ± {tolerance}"
    if found.nearest_only:
        st.caption(f"No bin lies within {of}; the nearest one:")
    else:
        st.caption(f"{len(found.bins)} bins within {of}, the closest first:")
    shown.table(found.bins, f"bins at {mz:g}", height=180, column_config=MZ_COLUMNS)
    for table, what in ((found.windows, "ranked windows"), (found.markers, "markers")):
        if len(table):
            st.caption(f"{what.capitalize()} there:")
            shown.table(table, f"{what} at {mz:g}", column_config=MZ_COLUMNS)
        else:
            st.caption(f"No {what} there.")
