"""What the maps of a run are made from: its spots with their cores, votes and layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app.data.runs import LoggedRun, read, record, spots
from corespot.errors import CorespotError, ModelError, StoreError
from corespot.models.registry import entry
from corespot.report.core_votes import core_votes
from corespot.report.gallery import Gallery, pick_galleries
from corespot.report.tables import natural
from corespot.report.tissue_explorer import with_numbers
from corespot.report.tissue_layers import Layer, tissue_layers


@dataclass(frozen=True)
class Tissue:
    """Spots and cores of a run, to be mapped; not to be changed in place.

    Parameters
    ----------
    table : DataFrame
        Spots, with the ``number`` of each one's core.
    votes : DataFrame
        Cores; row i is core i.
    classes : tuple of str
        Class names, in order.
    layers : mapping of str to Layer
        What can be shown of all spots, without spectra.
    tmas : tuple of str
        In natural order.
    segments : mapping
        Facts of the segmentation, empty where there are none.
    """

    table: pd.DataFrame
    votes: pd.DataFrame
    classes: tuple[str, ...]
    layers: Mapping[str, Layer]
    tmas: tuple[str, ...]
    segments: Mapping[str, Any]

    @property
    def right_spots(self) -> float:
        """Share of the spots whose predicted class is the true one, where that is known."""
        codes = self.layers["Right or wrong"].codes
        return float((codes == 1).sum() / max((codes < 3).sum(), 1))

    @property
    def right_cores(self) -> int:
        """Cores whose label most of their spots vote for."""
        return int((self.votes["right"] == "yes").sum())


def tissue(run: LoggedRun) -> Tissue:
    """Spots and cores of a run.

    Raises
    ------
    StoreError
        If its predictions or its spot table are missing or of no use.
    """
    return _tissue(run.run_id, run.status, run)


def galleries(run: LoggedRun) -> dict[str, Gallery]:
    """Spots to look at one by one: ``right``, ``wrong``, ``unsure``."""
    return _galleries(run.run_id, run.status, run)


def sees_neighbours(run: LoggedRun) -> bool:
    """Whether the run's model looks at more than one spot at a time; no for an unknown model."""
    try:
        return entry(run.model).is_spatial
    except ModelError:
        return False


def segmented_cores(run: LoggedRun) -> pd.DataFrame:
    """Tumour fraction and Dice of every core, mean over repeats; empty where there are none."""
    cores = read(run, "optional_table", "tables/cores.parquet")
    if cores is None or not {"core", "tma", "class", "fraction", "dice"} <= set(cores):
        return pd.DataFrame()
    keys = ["core", "tma", "class"]
    mean: pd.DataFrame = cores.groupby(keys, as_index=False)[["fraction", "dice"]].mean()
    return mean


def embedding(run: LoggedRun) -> pd.DataFrame | None:
    """t-SNE of the run's spots with class, TMA, patient and core; ``None`` if it has none."""
    found = read(run, "optional_table", "sensitivity/embedding.parquet")
    if found is None or not {"row", "tsne_x", "tsne_y", "held_out"} <= set(found):
        return None
    labels = spots(run)[["row", "class", "tma", "patient", "core"]]
    places: pd.DataFrame = found[["row", "tsne_x", "tsne_y", "held_out"]]
    return places.merge(labels, on="row", how="inner")


def strongest_mz(run: LoggedRun, n: int = 6) -> list[float]:
    """m/z of the windows that the run goes most by, strongest first; empty where not ranked."""
    try:
        windows = read(run, "windows")
    except CorespotError:
        return []
    if not {"mz", "rank"} <= set(windows):
        return []
    ranked = windows.sort_values("rank")["mz"].drop_duplicates().astype(float)
    return [float(mz) for mz in ranked.head(n)]


@st.cache_resource(ttl=60, max_entries=8, show_spinner="Reading the spots …")
def _tissue(run_id: str, status: str, _run: LoggedRun) -> Tissue:
    table, classes = spots(_run), record(_run).classes
    lacking = {"file", "x", "y", "core", "tma", "patient"} - set(table)
    if lacking:
        raise StoreError(f"the spot table of run {run_id} lacks {', '.join(sorted(lacking))}")
    table = with_numbers(table)
    facts = _segments(_run)
    layers = tissue_layers(table, classes, segmented_cores(_run), str(facts.get("positive") or ""))
    return Tissue(
        table,
        core_votes(table, classes),
        classes,
        layers,
        tuple(sorted(table["tma"].astype(str).unique(), key=natural)),
        facts,
    )


def _segments(run: LoggedRun) -> Mapping[str, Any]:
    """Facts of the segmentation; maps can do without metrics."""
    try:
        found = read(run, "metrics").get("segmentation")
    except CorespotError:
        return {}
    return found if isinstance(found, Mapping) and found.get("applicable") else {}


@st.cache_resource(ttl=600, max_entries=16, show_spinner=False)
def _galleries(run_id: str, status: str, _run: LoggedRun) -> dict[str, Gallery]:
    return pick_galleries(spots(_run))
