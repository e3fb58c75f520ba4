"""The page that comes out with the store: what the spectra of each TMA look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.io.imzml import open_imzml
from corespot.io.store import SpectraStore
from corespot.report.html import Section, write_page
from corespot.report.preprocessing_figures import before_after, clearest_window
from corespot.report.quality_figures import mean_spectra, quality_by_tma
from corespot.report.tables import natural


@dataclass(frozen=True)
class Example:
    """A spectrum that shows what preprocessing did.

    Parameters
    ----------
    spot : str
        File, position and core.
    raw : (ndarray, ndarray)
        m/z and intensity as measured.
    processed : (MzAxis, ndarray)
        The same spectrum in the store.
    """

    spot: str
    raw: tuple[npt.NDArray[np.float64], npt.NDArray[Any]]
    processed: tuple[MzAxis, npt.NDArray[np.float32]]


def write_quality_page(
    path: Path, cohort: Path, store: SpectraStore, quality: Mapping[str, pd.DataFrame]
) -> None:
    """Write quality by TMA, mean spectra and one spectrum before and after preprocessing.

    Parameters
    ----------
    path : Path
        The page.
    cohort : Path
        Cohort folder, from which the example is read.
    store : SpectraStore
        What was stored.
    quality : mapping of str to DataFrame
        Tables ``spots``, ``tmas`` and ``mean_spectra`` of the preprocess stage.
    """
    write_page(
        path,
        f"Quality of the spectra: {cohort.name}",
        list(_sections(quality, store, median_example(cohort, store, quality["spots"]))),
        subtitle="descriptive; nothing of this is fed back into training",
    )


def median_example(cohort: Path, store: SpectraStore, spots: pd.DataFrame) -> Example | None:
    """The spot of median TIC among those with intensity, as measured and as stored."""
    full = spots[~spots["empty"]].sort_values("tic", kind="stable")
    if full.empty:
        return None
    row = int(full["row"].iloc[len(full) // 2])
    spot = store.spots.iloc[row]
    with open_imzml(cohort / str(spot["file"])) as file:
        raw = file.spectrum(int(spot["spectrum"]))
    name = f"{spot['file']}, spot ({spot['x']}, {spot['y']}), core {spot['core']}: median TIC"
    return Example(name, raw, (store.axis, store.take(np.array([row]))[0]))


def _sections(
    quality: Mapping[str, pd.DataFrame], store: SpectraStore, example: Example | None
) -> Iterator[Section]:
    tmas = quality["tmas"]
    skipped = [f"skipped: {one['step']}, {one['reason']}" for one in store.meta["skipped"]]
    done = ", ".join(f"{one['step']} ({one['method']})" for one in store.meta["recipe"])
    yield Section(
        "What was done",
        [
            f"{store.meta['data_kind']} data: {store.meta['data_kind_explanation']}",
            f"axis: {store.meta['axis_explanation']}",
            f"recipe: {done}",
            *skipped,
            *(f"warning: {text}" for text in store.meta["warnings"]),
        ],
    )
    yield Section("Spots by TMA", [quality_by_tma(quality["spots"], tmas), tmas])
    if example is not None:
        zoom = clearest_window(*example.raw)
        figure = before_after(example.raw, example.processed, zoom=zoom, spot=example.spot)
        yield Section("Before and after", [figure])
    means = quality["mean_spectra"]
    names = sorted(means["tma"].astype(str).unique(), key=natural)
    for column, title in (
        ("raw_mean", "Mean raw spectrum of each TMA"),
        ("preprocessed_mean", "Mean preprocessed spectrum of each TMA"),
    ):
        by_tma = {
            name: means[means["tma"] == name][column].to_numpy(dtype=np.float64) for name in names
        }
        yield Section(title, [mean_spectra(by_tma, store.axis, title=title)])
