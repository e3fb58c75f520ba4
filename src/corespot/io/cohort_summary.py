"""What is in a cohort: spots per TMA and class, axes, modes, empty spectra, in plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.labels import class_counts, label_columns, matches
from corespot.cohort.tables import Cohort
from corespot.cohort.tasks import Task, as_text
from corespot.io.ahead import read_ahead
from corespot.io.imzml import ImzMLFile

#: Intensities read at once while looking for empty spectra.
_BLOCK_VALUES = 4_000_000


@dataclass(frozen=True)
class FileFacts:
    """What one measurement holds.

    Parameters
    ----------
    mode : {"continuous", "processed"}
        Whether all spectra share one m/z array.
    spectrum_type : {"profile", "centroid", "unknown"}
        As the file says.
    mz_range : tuple of float
        Lowest and highest m/z, NaN if no spectrum holds any value.
    mz : ndarray of float64, shape (n_bins,), or None
        The shared m/z array of a continuous file.
    n_points, n_nonzero : ndarray of int64, shape (n_spectra,)
        Values of every spectrum, and those among them that are not zero.
    """

    mode: Literal["continuous", "processed"]
    spectrum_type: Literal["profile", "centroid", "unknown"]
    mz_range: tuple[float, float]
    mz: npt.NDArray[np.float64] | None
    n_points: npt.NDArray[np.int64]
    n_nonzero: npt.NDArray[np.int64]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for the summary."""
        return {
            "mode": self.mode,
            "spectrum_type": self.spectrum_type,
            "n_spectra": len(self.n_points),
            "points_per_spectrum": _spread(self.n_points),
            "mz_range": _range([self.mz_range]),
        }


def describe_file(measurement: ImzMLFile) -> FileFacts:
    """Describe a measurement; reads every intensity once, block by block.

    Raises
    ------
    CohortError
        If a value cannot be read.
    """
    low, high = measurement.mz_range()
    kinds: dict[bool | None, Literal["profile", "centroid", "unknown"]]
    kinds = {True: "profile", False: "centroid", None: "unknown"}
    return FileFacts(
        mode=measurement.mode,
        spectrum_type=kinds[measurement.is_profile],
        mz_range=(float(low), float(high)),
        mz=np.array(measurement.mz) if measurement.mode == "continuous" else None,
        n_points=np.asarray(measurement.n_points, dtype=np.int64),
        n_nonzero=_count_nonzero(measurement),
    )


def summarise(
    cohort: Cohort, facts: Mapping[str, FileFacts], tasks: Mapping[str, Task] | None
) -> dict[str, Any]:
    """Summary of a faultless cohort, ready for JSON.

    Parameters
    ----------
    cohort : Cohort
        Its tables.
    facts : mapping of str to FileFacts
        Of every file in ``cohort.files``.
    tasks : mapping of str to Task, optional
        Tasks to count classes for; without any, columns with two to eight values are counted.
    """
    spots = cohort.spots
    n_nonzero, n_values = 0, 0
    is_empty = np.zeros(len(spots), dtype=bool)
    for file in cohort.files:
        here = (spots["file"] == file).to_numpy()
        spectra = spots["spectrum"].to_numpy(dtype=np.int64)[here]
        is_empty[here] = facts[file].n_nonzero[spectra] == 0
        n_nonzero += int(facts[file].n_nonzero[spectra].sum())
        n_values += int(facts[file].n_points[spectra].sum())
    files = {
        file: {
            **facts[file].as_dict(),
            "n_spots": int((spots["file"] == file).sum()),
            "n_background": cohort.n_background[file],
        }
        for file in cohort.files
    }
    return {
        "n_spots": len(spots),
        "n_cores": int(spots["core"].nunique()),
        "n_patients": int(spots["patient"].nunique()),
        "n_tmas": int(spots["tma"].nunique()),
        "n_files": len(files),
        "n_background": sum(cohort.n_background.values()),
        "n_empty": int(is_empty.sum()),
        "zero_fraction": 1.0 - n_nonzero / n_values if n_values else None,
        "mode": _common([fact.mode for fact in facts.values()]),
        "spectrum_type": _common([fact.spectrum_type for fact in facts.values()]),
        "mz_range": _range([fact.mz_range for fact in facts.values()]),
        "points_per_spectrum": _spread(np.concatenate([f.n_points for f in facts.values()])),
        "shared_axis": _share_axis([fact.mz for fact in facts.values()]),
        "n_markers": None if cohort.markers is None else len(cohort.markers),
        "tmas": _tmas(spots, is_empty),
        "files": files,
        **_labels(spots, tasks),
    }


def _count_nonzero(measurement: ImzMLFile) -> npt.NDArray[np.int64]:
    """Intensities of each spectrum that are not zero, shape (n_spectra,)."""
    n_spectra = len(measurement)
    counts = np.zeros(n_spectra, dtype=np.int64)
    step = max(1, _BLOCK_VALUES // max(1, int(measurement.n_points.max(initial=1))))
    blocks = [np.arange(a, min(a + step, n_spectra)) for a in range(0, n_spectra, step)]
    if measurement.mode == "processed":
        for rows, spectra in read_ahead(measurement.spectra, blocks):
            counts[rows] = [np.count_nonzero(intensity) for _, intensity in spectra]
        return counts
    for rows, block in read_ahead(measurement.intensity_block, blocks):
        counts[rows] = np.count_nonzero(block, axis=1)
    return counts


def _tmas(spots: pd.DataFrame, is_empty: npt.NDArray[np.bool_]) -> dict[str, dict[str, Any]]:
    grouped = spots.assign(is_empty=is_empty).groupby("tma", sort=True)
    return {
        str(tma): {
            "files": sorted(rows["file"].unique()),
            "n_spots": len(rows),
            "n_cores": int(rows["core"].nunique()),
            "n_patients": int(rows["patient"].nunique()),
            "n_empty": int(rows["is_empty"].sum()),
        }
        for tma, rows in grouped
    }


def _labels(spots: pd.DataFrame, tasks: Mapping[str, Task] | None) -> dict[str, dict[str, Any]]:
    """Class counts of every task, or of every column that may be a label."""
    if tasks:
        return {
            "tasks": {
                name: {
                    "label": task.label,
                    "where": task.where,
                    **class_counts(spots, task.label, task.classes, matches(spots, task)),
                }
                for name, task in tasks.items()
            },
            "labels": {},
        }
    everywhere = np.ones(len(spots), dtype=bool)
    labels = {}
    for column in label_columns(spots):
        classes = sorted(set(as_text(spots[column])) - {""})
        labels[column] = class_counts(spots, column, classes, everywhere)
    return {"tasks": {}, "labels": labels}


def _spread(n_points: npt.NDArray[np.integer[Any]]) -> dict[str, float]:
    return {
        "min": int(n_points.min()),
        "median": float(np.median(n_points)),
        "max": int(n_points.max()),
    }


def _range(ranges: Sequence[tuple[float, float]]) -> list[float] | None:
    """Lowest and highest m/z of all `ranges`, None if there is none."""
    known = [pair for pair in ranges if not np.isnan(pair[0])]
    return [min(low for low, _ in known), max(high for _, high in known)] if known else None


def _common(words: Sequence[str]) -> str:
    return words[0] if len(set(words)) == 1 else "mixed"


def _share_axis(axes: Sequence[npt.NDArray[np.float64] | None]) -> bool:
    first = axes[0]
    return first is not None and all(
        axis is not None and np.array_equal(axis, first) for axis in axes
    )
