"""Files of the sensitivity stage: arrays, ranked windows, figures, and a page to read offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.explain.folds import ExplainedModel
from corespot.explain.markers import Marker, marker_ranks
from corespot.explain.peaks import rank_windows
from corespot.explain.profile import Quantity, SensitivityProfile
from corespot.io.artifacts import write_arrays, write_table
from corespot.report.html import Section, save_figure_json, write_page
from corespot.report.sensitivity_figures import sensitivity_spectrum, window_ranking
from corespot.report.sensitivity_view import SensitivityView
from corespot.report.sensitivity_zooms import sensitivity_zooms


def write_sensitivity(
    folder: Path,
    explained: ExplainedModel,
    *,
    markers: Sequence[Marker],
    n_windows: int,
    of: Quantity,
    title: str,
) -> pd.DataFrame:
    """Write everything a reader needs to judge what a model reads.

    Parameters
    ----------
    folder : Path
        Receives ``sensitivity.npz``, ``folds.npz``, ``windows.csv``, ``markers.csv`` (where there
        are markers), ``embedding.parquet``, ``spot_map.parquet`` (for models that look at
        neighbouring spots), one figure a class as plotly JSON, and ``sensitivity.html``.
    explained : ExplainedModel
        Mean profile, that of every fold, mean class spectra.
    markers : sequence of Marker
        The user's marker table.
    n_windows : int
        Ranked windows a class.
    of : {"probability", "logit"}
        What windows are ranked by.
    title : str
        Task and model.

    Returns
    -------
    DataFrame
        The ranked windows of every class.
    """
    profile, class_means = explained.profile, explained.class_means
    write_arrays(folder / "sensitivity.npz", {**profile.to_arrays(), "class_means": class_means})
    write_arrays(folder / "folds.npz", _fold_arrays(explained.folds))
    for table, file in ((explained.embedding, "embedding"), (explained.spot_map, "spot_map")):
        if len(table):
            write_table(folder / f"{file}.parquet", table)
    tables, ranks, sections = [], [], []
    # Two classes mirror each other: one page section says it all, the table holds both.
    shown = [0] if len(profile.classes) == 2 else list(range(len(profile.classes)))
    for index, name in enumerate(profile.classes):
        windows = rank_windows(profile, index, n=n_windows, markers=markers, of=of)
        tables.append(windows)
        if markers:
            ranks.append(marker_ranks(windows, markers).assign(**{"class": name}))
        if index not in shown:
            continue
        view = SensitivityView(profile, index, class_means, windows, markers, of)
        figures = [sensitivity_spectrum(view), window_ranking(view), sensitivity_zooms(view)]
        for figure, kind in zip(figures, ("spectrum", "windows", "zooms"), strict=True):
            save_figure_json(figure, folder / f"{kind}_{index}.json")
        parts = [*figures, windows.drop(columns=["class"])]
        if markers:
            parts.append(ranks[-1].drop(columns=["class"]))
        sections.append(Section(_heading(profile.classes, index), parts))
    every = pd.concat(tables, ignore_index=True)
    write_table(folder / "windows.csv", every)
    if ranks:
        write_table(folder / "markers.csv", pd.concat(ranks, ignore_index=True))
    write_page(
        folder / "sensitivity.html",
        f"Sensitivity: {title}",
        sections,
        subtitle=(
            f"σ times the mean gradient of the {of}, over the training spots of "
            f"{profile.n_folds} folds; research use only"
        ),
    )
    return every


def _heading(classes: tuple[str, ...], index: int) -> str:
    if len(classes) == 2:
        return f"{classes[index]} against {classes[1 - index]}"
    return f"{classes[index]} against the rest"


def _fold_arrays(folds: dict[str, SensitivityProfile]) -> dict[str, npt.NDArray[Any]]:
    names = list(folds)
    return {
        "fold": np.array(names, dtype=np.str_),
        "probability": np.stack([folds[name].probability for name in names]).astype(np.float32),
        "logit": np.stack([folds[name].logit for name in names]).astype(np.float32),
    }
