"""Beneath the maps of the tissue: tables, single spots, segmentation, t-SNE; drawn when asked."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.data import spectra, tissue
from app.data.runs import LoggedRun
from app.data.tissue import Tissue
from app.parts import shown
from app.parts.shown import own_part, told
from corespot.report.embedding_figures import embedding_maps
from corespot.report.gallery_figures import spots_of_gallery
from corespot.report.segmentation_figures import segmentation

#: Most rows of a table that are sent to the browser; the files hold all.
_MOST_ROWS = 2_000


@own_part
def more(run: LoggedRun, here: Tissue, tma: str | None) -> None:
    """A choice of what else there is to see, and what was chosen.

    Parameters
    ----------
    run : LoggedRun
        The run.
    here : Tissue
        Its spots and cores.
    tma : str, optional
        The TMA that tables are of; all if not given.
    """
    parts: dict[str, Callable[[], None]] = {
        "Cores": lambda: _cores(run, here, tma),
        "Spots": lambda: _spots(run, here, tma),
        "Single spots": lambda: _single_spots(run, here),
    }
    if here.segments.get("positive"):
        parts["Tumour fraction"] = lambda: _segmentation(run, here)
    with told():
        if tissue.embedding(run) is not None:
            parts["What looks alike"] = lambda: _embedding(run, here)
    st.divider()
    wanted = st.segmented_control(
        "More of this run", list(parts), default="Cores", key=f"more-{run.run_id}"
    )
    if wanted in parts:
        with told():
            parts[wanted]()


def _cores(run: LoggedRun, here: Tissue, tma: str | None) -> None:
    votes = here.votes if tma is None else here.votes[here.votes["tma"] == tma]
    st.caption(
        "Each spot votes for its most probable class; prob is the mean probability over the "
        "core's spots. A core is right if most of its spots vote for its label; where "
        "votes are even, the mean probability decides."
    )
    shown.table(votes, f"cores {run.name} {tma or ''}", height=min(38 + 35 * len(votes), 460))


def _spots(run: LoggedRun, here: Tissue, tma: str | None) -> None:
    table, of = here.table, "all TMAs"
    if tma is not None:
        table, of = table[table["tma"].astype(str) == tma], tma
    table = table.drop(columns="number")
    first = "" if len(table) <= _MOST_ROWS else f" The first {_MOST_ROWS:,} are shown;"
    st.caption(
        shown.literal(f"{len(table):,} spots of {of}, mean over repeats.{first}")
        + (" the files hold all." if first else "")
    )
    shown.table(table.head(_MOST_ROWS), f"spots {run.name} {of}", whole=table, height=460)


def _single_spots(run: LoggedRun, here: Tissue) -> None:
    means = spectra.class_spectra(run)
    if not means:
        st.info("This run kept no mean spectra of its classes; `dvc repro` makes them.")
        return
    axis, with_maps = spectra.axis_of(run), tissue.sees_neighbours(run)
    st.caption(
        "Look here for what the numbers hide: folded tissue, empty spots, a core of another class."
    )
    for name, gallery in tissue.galleries(run).items():
        rows = tuple(int(row) for row in gallery.spots["row"])
        taken = spectra.spectra_of(run, rows)
        figure = spots_of_gallery(gallery, here.table, means, axis, taken, with_maps=with_maps)
        shown.figure(figure, f"gallery-{name}-{run.run_id}")


def _segmentation(run: LoggedRun, here: Tissue) -> None:
    cores = tissue.segmented_cores(run)
    if cores.empty:
        st.info("This run kept no table of its cores; `dvc repro` makes it.")
        return
    auc = here.segments.get("fraction_auc")
    figure = segmentation(cores, here.classes, str(here.segments["positive"]), auc=auc)
    shown.figure(figure, f"segmentation-{run.run_id}")
    shown.table(cores, f"tumour fraction {run.name}", height=min(38 + 35 * len(cores), 320))


def _embedding(run: LoggedRun, here: Tissue) -> None:
    table = tissue.embedding(run)
    if table is None:
        return
    st.caption(
        "The model of one fold. If spots gather by TMA or patient rather than by class, the model "
        "tells apart measurements or people. Distances between far groups mean nothing in a t-SNE."
    )
    shown.figure(embedding_maps(table, here.classes), f"embedding-{run.run_id}")
