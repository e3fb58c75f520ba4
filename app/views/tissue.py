"""Tissue: maps of the spots, one core at a time, and single spots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import streamlit as st

from app import chosen, shown
from app.data import spectra, tissue
from app.data.runs import LoggedRun
from app.data.tissue import Tissue
from app.shown import literal, told
from app.tissue_more import more
from corespot.report.core_figures import core_spectrum
from corespot.report.tissue_explorer import core_map, tissue_explorer
from corespot.report.tissue_layers import Layer, ion_layer
from corespot.units import Tolerance

_ALL, _ION, _NOTHING = "All TMAs", "Ion image", "Nothing"


def main() -> None:
    """Show the view."""
    st.title("Tissue")
    run = chosen.one_run()
    here = tissue.tissue(run)
    wrong = int(here.table["wrong"].sum())
    n_right = int((here.votes["right"] == "yes").sum())
    st.caption(
        f"{len(here.table):,} spots of {len(here.votes):,} cores on {len(here.tmas)} TMAs, every "
        "one predicted by models that were trained without its fold (mean over repeats). "
        f"{1 - wrong / max(len(here.table), 1):.1%} of the spots and {n_right:,} of the cores are "
        "called right."
    )
    tma, layers = _choices(run, here)
    core = _core_clicked(run, here, tma)
    _map(run, here, tma, layers, core)
    core = _core_box(run, here, tma)
    if core is not None:
        _core(run, here, layers, core)
    more(run, here, None if tma == _ALL else tma, core)


def _choices(run: LoggedRun, here: Tissue) -> tuple[str, list[Layer]]:
    """Which TMA, and what is shown of it, as layers of all spots."""
    names = [*here.layers, _ION]
    with st.container(horizontal=True):
        many = len(here.tmas) > 1
        tmas = [_ALL, *here.tmas] if many else list(here.tmas)
        tma = st.selectbox("TMA", tmas, key=f"tma-{run.run_id}", width=200)
        what = st.selectbox("Map", names, index=names.index("Predicted class"), width=220)
        others = [_NOTHING, *(name for name in names if name != what)]
        # Models that draw regions are looked at beside what the regions should be.
        with_truth = "Label of the core" in here.layers or (
            bool(here.segments) and tissue.sees_neighbours(run)
        )
        beside = st.selectbox(
            "Beside it",
            others,
            index=others.index("Truth") if with_truth and "Truth" in others else 0,
            width=220,
        )
    wanted = [name for name in (what, beside) if name != _NOTHING]
    ion: Layer | None = None
    if _ION in wanted:
        with told():
            ion = _ion(run)
    layers = [here.layers[name] if name != _ION else ion for name in wanted]
    found = [layer for layer in layers if layer is not None]
    return tma, found or [here.layers["Predicted class"]]


def _ion(run: LoggedRun) -> Layer:
    """The ion image that is asked for, with boxes to ask."""
    axis, strongest = spectra.axis_of(run), tissue.strongest_mz(run)
    first = strongest[0] if strongest else float(axis.mz[axis.n_bins // 2])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        mz = st.number_input(
            "m/z", 0.0, None, first, 1.0, format="%.4f", key=f"mz-{run.run_id}", width=200
        )
        unit = cast(
            Literal["da", "ppm"],
            st.radio(
                "Tolerance in",
                ["da", "ppm"],
                format_func={"da": "Da", "ppm": "ppm"}.__getitem__,
                horizontal=True,
                width=140,
            ),
        )
        most, usual, step = (10.0, 0.25, 0.05) if unit == "da" else (5_000.0, 200.0, 50.0)
        width = st.number_input(
            "± tolerance", step / 10, most, usual, step, key=f"tolerance-{unit}", width=160
        )
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
    tolerance = Tolerance(float(width), unit)
    window = spectra.ion_window(run, float(mz), tolerance)
    image = spectra.ion_image(run, float(mz), tolerance)
    bins = f"{window.n_bins} bins" if window.n_bins > 1 else "1 bin"
    if window.nearest:
        st.info(
            f"No bin lies within {literal(tolerance)} of m/z {mz:.4f}: the nearest, m/z "
            f"{window.low:.4f}, is shown."
        )
    name = f"intensity at m/z {window.low:.2f}"
    if window.n_bins > 1:
        name += f" to {window.high:.2f}, mean of {bins}"
    return ion_layer(image, name, percentile=float(clip))


def _map_key(run: LoggedRun) -> str:
    return f"map-{run.run_id}"


def _core_key(run: LoggedRun) -> str:
    return f"core-{run.run_id}"


def _core_clicked(run: LoggedRun, here: Tissue, tma: str) -> int | None:
    """The chosen core: that of a new click on the map, else the one of the box beneath it."""
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
    if isinstance(core, int) and core < len(tmas) and tma in (_ALL, tmas[core]):
        return core
    st.session_state[_core_key(run)] = None
    return None


def _number(point: Mapping[str, Any]) -> int | None:
    data = point.get("customdata")
    found = data[0] if isinstance(data, list) and data else data
    return int(found) if isinstance(found, int | float) else None


def _map(run: LoggedRun, here: Tissue, tma: str, layers: list[Layer], core: int | None) -> None:
    rows = np.ones(len(here.table), dtype=bool)
    if tma != _ALL:
        rows = (here.table["tma"].astype(str) == tma).to_numpy()
    title = layers[0].name[0].upper() + layers[0].name[1:] if len(layers) == 1 else _ALL
    if tma != _ALL:
        title = f"{tma}: {layers[0].name}" if len(layers) == 1 else tma
    figure = tissue_explorer(
        here.table[rows],
        [layer.of(rows) for layer in layers],
        here.votes,
        title=title,
        chosen=core,
        highest_px=260 if tma == _ALL and len(here.tmas) > 2 else 440,
    )
    shown.figure_to_select_in(figure, _map_key(run), mode="points")


def _core_box(run: LoggedRun, here: Tissue, tma: str) -> int | None:
    votes = here.votes if tma == _ALL else here.votes[here.votes["tma"] == tma]
    core: int | None = st.selectbox(
        "Core",
        votes.index.tolist(),
        index=None,
        format_func=lambda number: _core_name(_row(here.votes, number), tma == _ALL),
        key=_core_key(run),
        placeholder="Click a core on the map, or choose one here",
    )
    return core


def _row(votes: pd.DataFrame, number: int) -> pd.Series[Any]:
    return votes.iloc[number]


def _core_name(core: pd.Series[Any], with_tma: bool) -> str:
    parts = [str(core["core"]), *([str(core["tma"])] if with_tma else [])]
    parts.append(f"label {core['class'] or 'not known'}, called {core['by_majority']}")
    return "  ·  ".join(parts)


def _core(run: LoggedRun, here: Tissue, layers: list[Layer], number: int) -> None:
    """One core: what it is, how its spots vote, its map and its mean spectrum."""
    core = _row(here.votes, number)
    rows = (here.table["number"] == number).to_numpy()
    st.subheader(f"Core {literal(core['core'])}")
    right = {"yes": " It is called right.", "no": " It is called wrong."}.get(core["right"], "")
    st.markdown(
        f"Patient **{literal(core['patient'] or 'not known')}**, {literal(core['tma'])}, label "
        f"**{literal(core['class'] or 'not known')}**. "
        f"Most spots say **{literal(core['by_majority'])}**, the mean probability says "
        f"**{literal(core['by_mean'])}**.{right}"
    )
    with st.container(horizontal=True):
        with st.container(width=300):
            one = [layer.of(rows) for layer in layers[:1]]
            name = one[0].name[0].upper() + one[0].name[1:]
            figure = core_map(here.table[rows], one[0], here.votes, title=name)
            shown.figure(figure, f"core-map-{run.run_id}")
        with st.container(width=430):
            names = list(here.classes)
            votes = pd.DataFrame(
                {
                    "class": names,
                    "votes": [core[f"votes_{name}"] for name in names],
                    "share of spots": [core[f"votes_{name}"] / core["spots"] for name in names],
                    "mean probability": [core[f"prob_{name}"] for name in names],
                }
            )
            st.caption(f"Votes of its {core['spots']:,} spots, each for its most probable class.")
            digits = st.column_config.NumberColumn(format="%.2f")
            config = {"share of spots": digits, "mean probability": digits}
            shown.table(votes, f"votes {core['tma']} {core['core']}", column_config=config)
    with told():
        _spectrum(run, str(core["tma"]), str(core["core"]))


def _spectrum(run: LoggedRun, tma: str, core: str) -> None:
    axis = spectra.axis_of(run)
    first, last = float(axis.mz[0]), float(axis.mz[-1])
    spectrum = spectra.mean_spectrum(run, tma, core)
    with st.container(horizontal=True):
        low = st.number_input(
            "From m/z", first, last, first, 10.0, format="%.3f", key=f"low-{run.run_id}", width=180
        )
        high = st.number_input(
            "to m/z", first, last, last, 10.0, format="%.3f", key=f"high-{run.run_id}", width=180
        )
    means = spectra.class_spectra(run)
    figure = core_spectrum(
        axis, spectrum, means, core=core, low=min(low, high), high=max(low, high)
    )
    shown.figure(figure, f"spectrum-{run.run_id}")


if __name__ == "__main__":
    main()
