"""One core of the tissue, beneath the map that it was picked from."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.data import spectra
from app.data.runs import LoggedRun
from app.data.tissue import Tissue
from app.parts import shown
from app.parts.shown import literal, told
from corespot.report.core_figures import core_spectrum
from corespot.report.tissue_explorer import core_map
from corespot.report.tissue_layers import Layer


def one_core(run: LoggedRun, here: Tissue, layer: Layer, number: int) -> None:
    """One core: what it is, how its spots vote, its map and its mean spectrum.

    Parameters
    ----------
    run : LoggedRun
        The run.
    here : Tissue
        Its spots and cores.
    layer : Layer
        What its map shows, of all spots.
    number : int
        Number of the core.
    """
    core: pd.Series[Any] = here.votes.iloc[number]
    rows = (here.table["number"] == number).to_numpy()
    name = str(core["core"])
    st.subheader(literal(name if name.lower().startswith("core") else f"Core {name}"))
    right = {"yes": " It is called right.", "no": " It is called wrong."}.get(core["right"], "")
    st.markdown(
        f"Patient **{literal(core['patient'] or 'not known')}**, {literal(core['tma'])}, label "
        f"**{literal(core['class'] or 'not known')}**. "
        f"Most spots say **{literal(core['by_majority'])}**, the mean probability says "
        f"**{literal(core['by_mean'])}**.{right}"
    )
    with st.container(horizontal=True):
        with st.container(width=300):
            title = layer.name[0].upper() + layer.name[1:]
            figure = core_map(here.table[rows], layer.of(rows), here.votes, title=title)
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
    spots = st.expander("Its spots, one by one", on_change="rerun", key=f"spots-{run.run_id}")
    if spots.open:
        with spots:
            of_core = here.table[rows].drop(columns="number")
            shown.table(of_core, f"spots {core['tma']} {core['core']}")


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
