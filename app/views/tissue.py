"""Tissue: maps of the spots, one core at a time, and single spots."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.data import spectra, tissue
from app.data.runs import LoggedRun
from app.data.tissue import Tissue
from app.parts import chosen, shown
from app.parts.ion_tolerance import tolerance_boxes
from app.parts.shown import literal, own_part, told
from app.parts.tissue_core import one_core
from app.parts.tissue_more import more
from corespot.report.tissue_explorer import tissue_explorer
from corespot.report.tissue_layers import Layer, ion_layer

#: Most spots whose maps are drawn unasked.
_MOST_AT_ONCE = 8_000
_ALL, _ION, _NOTHING = "All TMAs", "Ion image", "Nothing"


def main() -> None:
    """Show the view."""
    st.title("Tissue")
    run = chosen.one_run()
    here = tissue.tissue(run)
    left, right = st.columns([1, 4], vertical_alignment="bottom")
    with left:
        tma = _tma_box(run, here)
    right.caption(
        f"{len(here.table):,} spots of {len(here.votes):,} cores on {len(here.tmas)} TMAs, every "
        "one predicted by models that were trained without its fold (mean over repeats). "
        f"{here.right_spots:.1%} of the spots and {here.right_cores:,} of the cores are called "
        "right."
    )
    _maps(run, here, tma)
    more(run, here, None if tma == _ALL else tma)


def _tma_box(run: LoggedRun, here: Tissue) -> str:
    many = len(here.tmas) > 1
    tmas = [_ALL, *here.tmas] if many else list(here.tmas)
    # Maps of a large cohort take the browser longer to draw: one TMA comes first.
    first_one = int(many and len(here.table) > _MOST_AT_ONCE)
    return st.selectbox("TMA", tmas, index=first_one, key=f"tma-{run.run_id}")


@own_part
def _maps(run: LoggedRun, here: Tissue, tma: str) -> None:
    layers = _layers(run, here)
    _take_click(run, here, tma)
    _map(run, here, tma, layers)
    core = _core_box(run, here, tma)
    if core is not None:
        one_core(run, here, layers[0], core)


def _layers(run: LoggedRun, here: Tissue) -> list[Layer]:
    """What is shown of the spots, as layers of all of them."""
    names = [*here.layers, _ION]
    with st.container(horizontal=True):
        first = names.index("Predicted class")
        what = st.selectbox("Map", names, index=first, key=f"what-{run.run_id}", width=220)
        others = [_NOTHING, *names]
        # Models that draw regions are looked at beside what the regions should be.
        with_truth = "Label of the core" in here.layers or (
            bool(here.segments) and tissue.sees_neighbours(run)
        )
        beside = st.selectbox(
            "Beside it",
            others,
            index=others.index("Truth") if with_truth else 0,
            key=f"beside-{run.run_id}",
            width=220,
        )
    wanted = [what, *([beside] if beside not in (what, _NOTHING) else [])]
    ion: Layer | None = None
    if _ION in wanted:
        with told():
            ion = _ion(run)
    layers = [here.layers[name] if name != _ION else ion for name in wanted]
    found = [layer for layer in layers if layer is not None]
    return found or [here.layers["Predicted class"]]


def _ion(run: LoggedRun) -> Layer:
    """The ion image that is asked for, with boxes to ask."""
    axis, strongest = spectra.axis_of(run), tissue.strongest_mz(run)
    first = strongest[0] if strongest else float(axis.mz[axis.n_bins // 2])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        mz = st.number_input(
            "m/z", 0.0, None, first, 1.0, format="%.4f", key=f"mz-{run.run_id}", width=200
        )
        tolerance = tolerance_boxes()
        clip = st.number_input(
            "Brightest at percentile",
            50.0,
            100.0,
            99.0,
            0.5,
            width=190,
            help="Brighter spots get the last colour, so that single ones do not darken the rest.",
        )
    if strongest:
        st.caption(
            "The model goes most by m/z "
            + literal(", ".join(f"{one:.2f}" for one in strongest))
            + ", strongest first."
        )
    window = spectra.ion_window(run, float(mz), tolerance)
    image = spectra.ion_image(run, float(mz), tolerance)
    if window.nearest:
        st.info(
            f"No bin lies within {literal(tolerance)} of m/z {mz:.4f}: the nearest, m/z "
            f"{window.low:.4f}, is shown."
        )
    name, held = f"intensity at m/z {mz:.2f} ± {tolerance}", f"m/z {window.low:.3f}, 1 bin"
    if window.nearest:
        name = f"intensity at m/z {window.low:.2f}, the nearest bin"
    if window.n_bins > 1:
        held = f"mean of {window.n_bins} bins, m/z {window.low:.3f} to {window.high:.3f}"
    return ion_layer(
        image,
        name,
        percentile=float(clip),
        window=f"{held}, preprocessed intensity",
    )


def _map_key(run: LoggedRun) -> str:
    return f"map-{run.run_id}"


def _core_key(run: LoggedRun) -> str:
    return f"core-{run.run_id}"


def _take_click(run: LoggedRun, here: Tissue, tma: str) -> None:
    """Choose the core of a new click on the map in the box beneath it."""
    state: Any = st.session_state.get(_map_key(run)) or {}
    points = (state.get("selection") or {}).get("points") or []
    clicked = next((_number(point) for point in points), None)
    kept = f"clicked-{run.run_id}"
    if clicked is not None and clicked != st.session_state.get(kept):
        st.session_state[_core_key(run)] = clicked
    # A click stays in the state while the figure stays: it must not overrule the box for ever.
    st.session_state[kept] = clicked
    core = st.session_state.get(_core_key(run))
    tmas = here.votes["tma"].tolist()
    if not (isinstance(core, int) and core < len(tmas) and tma in (_ALL, tmas[core])):
        st.session_state[_core_key(run)] = None


def _framed(run: LoggedRun, shown_now: tuple[str, ...]) -> tuple[int | None, int]:
    """The core that is framed as the map is drawn, and how often one was chosen in the box.

    The browser moves the frame to what is clicked. The map is not drawn again for that, so that
    its zoom stays.
    """
    key, core = f"framed-{run.run_id}", st.session_state.get(_core_key(run))
    before, framed, n_times = st.session_state.get(key, ((), None, 0))
    if before != shown_now:
        framed = core
    st.session_state[key] = shown_now, framed, n_times
    return framed, n_times


def _choose_in_box(run: LoggedRun) -> None:
    key = f"framed-{run.run_id}"
    _, _, n_times = st.session_state.get(key, ((), None, 0))
    # Nothing is remembered as shown: the map is drawn again, with the frame round this core.
    st.session_state[key] = (), None, n_times + 1


def _number(point: Mapping[str, Any]) -> int | None:
    data = point.get("customdata")
    found = data[0] if isinstance(data, list) and data else data
    return int(found) if isinstance(found, int | float) else None


def _map(run: LoggedRun, here: Tissue, tma: str, layers: list[Layer]) -> None:
    rows = np.ones(len(here.table), dtype=bool)
    if tma != _ALL:
        rows = (here.table["tma"].astype(str) == tma).to_numpy()
    title = layers[0].name[0].upper() + layers[0].name[1:] if len(layers) == 1 else _ALL
    if tma != _ALL:
        title = f"{tma}: {layers[0].name}" if len(layers) == 1 else tma
    framed, revision = _framed(run, (tma, *(layer.name + layer.note for layer in layers)))
    figure = tissue_explorer(
        here.table[rows],
        [layer.of(rows) for layer in layers],
        here.votes,
        title=title,
        chosen=framed,
        revision=revision,
        highest_px=260 if tma == _ALL and len(here.tmas) > 2 else 440,
    )
    alt = f"{title}: map of {int(rows.sum()):,} spots; cores can also be chosen in the box beneath."
    shown.figure_to_select_in(figure, _map_key(run), mode="points", alt=alt)


def _core_box(run: LoggedRun, here: Tissue, tma: str) -> int | None:
    votes = here.votes if tma == _ALL else here.votes[here.votes["tma"] == tma]
    names = dict(zip(votes.index.tolist(), _core_names(votes, tma == _ALL), strict=True))
    core: int | None = st.selectbox(
        "Core",
        list(names),
        index=None,
        format_func=lambda number: names[number],
        key=_core_key(run),
        on_change=partial(_choose_in_box, run),
        placeholder="Click a core on the map, or choose one here",
    )
    return core


def _core_names(votes: pd.DataFrame, with_tma: bool) -> list[str]:
    names = []
    for core in votes[["core", "tma", "class", "by_majority"]].to_dict("records"):
        parts = [str(core["core"]), *([str(core["tma"])] if with_tma else [])]
        parts.append(f"label {core['class'] or 'not known'}, called {core['by_majority']}")
        names.append("  ·  ".join(parts))
    return names


if __name__ == "__main__":
    main()
