"""One spectrum as it was measured and as it is stored, for a spot of one's choice."""

from __future__ import annotations

import streamlit as st

from app.data import cohort as data
from app.parts import shown
from app.parts.shown import literal
from corespot.errors import CorespotError
from corespot.report.fold_layout import in_order
from corespot.report.preprocessing_figures import before_after, clearest_window
from corespot.report.quality_figures import mean_spectra


def show() -> None:
    """Show what preprocessing did to a spot."""
    store = data.store()
    done = " → ".join(
        f"{one['step']} ({one['method']})" if one.get("method") else str(one["step"])
        for one in store.meta["recipe"]
    )
    st.caption(literal(f"Recipe: {done}. {str(store.meta['axis_explanation']).capitalize()}."))
    row = _spot()
    spot = store.spots.iloc[row]
    name = f"{spot['file']}, spot ({spot['x']}, {spot['y']}), core {spot['core']}"
    after = (store.axis, data.stored(row))
    try:
        before = data.measured(row)
    except CorespotError as error:
        st.warning(literal(f"The spectrum as measured cannot be shown: {error}"))
        before = None
    low, high = clearest_window(*(before or (store.axis.mz, after[1])))
    with st.container(horizontal=True):
        low = st.number_input("Zoom from m/z", 0.0, 1e6, round(low, 1), 1.0, key=f"from-{row}")
        high = st.number_input("to m/z", 0.0, 1e6, round(high, 1), 1.0, key=f"to-{row}")
    if high <= low:
        st.info("The zoom ends before it begins.", icon=":material/info:")
        return
    if before is None:
        shown.figure(
            mean_spectra(
                {"as stored": after[1]},
                store.axis,
                title="The spectrum as it is stored",
                subtitle="preprocessed",
                mz_range=(low, high),
            ),
            "stored",
        )
        return
    shown.figure(
        before_after(before, after, zoom=(low, high), spot=name),
        "before-after",
        alt="The spectrum as measured above, as stored below, whole and in a zoom",
    )


def _spot() -> int:
    """Row of the spot looked at: TMA file, core, position."""
    spots = data.store().spots
    with st.container(horizontal=True):
        files = in_order(spots["file"].unique())
        file = st.selectbox("File", files)
        here = spots[spots["file"].astype(str) == file]
        cores = in_order(here["core"].unique())
        core = st.selectbox("Core", cores, key=f"core of {file}")
        of_core = here[here["core"].astype(str) == core]
        places = zip(of_core["x"].tolist(), of_core["y"].tolist(), strict=True)
        rows: list[int] = of_core.index.tolist()
        at = {row: f"({x}, {y})" for row, (x, y) in zip(rows, places, strict=True)}
        row = st.selectbox(
            "Spot (x, y)", rows, format_func=at.__getitem__, key=f"spot of {file} {core}"
        )
    return int(row)
