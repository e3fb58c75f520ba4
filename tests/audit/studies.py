"""Made-up studies: spot tables, stores and records of which everything is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from corespot.audit.calibration.record import Record
from corespot.audit.calibration.study_fits import StudyFit
from corespot.audit.calibration.study_layout import StudyLayout
from corespot.audit.verdict.readings import Readings
from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings
from corespot.io.store import SpectraStore

RECIPE = (
    {"step": "baseline", "method": "convolution", "width": 20},
    {"step": "normalize", "method": "tic"},
)


def spot_table(patients: Sequence[tuple[str, str, str, int, int]]) -> pd.DataFrame:
    """Spots of (patient, class, TMA, cores, spots a core)."""
    rows: list[dict[str, Any]] = []
    for name, label, tma, n_cores, n_spots in patients:
        for core in range(n_cores):
            rows += [
                {
                    "file": f"{tma}.imzML",
                    "core": f"{tma}-{name}-{core}",
                    "tma": tma,
                    "patient": name,
                    "kind": label,
                    "control": "1" if name.startswith("CONTROL") else "",
                    "x": len(rows) + spot,
                    "y": 0,
                    "spectrum": len(rows) + spot,
                }
                for spot in range(n_spots)
            ]
    return pd.DataFrame(rows)


def store_of(spots: pd.DataFrame, axis: MzAxis | None = None, **meta: Any) -> SpectraStore:
    """A store whose spectra are empty."""
    axis = axis or MzAxis.tof(1380.0, 1940.0, 400)
    known: Mapping[str, Any] = {"data_kind": "profile", "recipe": list(RECIPE), "scale": 1.0}
    return SpectraStore(
        Path(), np.zeros((len(spots), axis.n_bins), np.float32), axis, spots, {**known, **meta}
    )


def small_fit(task: str = "T", model: str = "logistic", **changes: Any) -> StudyFit:
    """Two TMAs of either class, four patients each, few bins."""
    values: dict[str, Any] = {
        "task": task,
        "first": "a",
        "others": "b",
        "tmas": ("T1", "T2", "T3", "T4"),
        "patients": ((4, 0), (4, 0), (0, 4), (0, 4)),
        "cores": ((8,), (8,)),
        "spots_per_core": 5.0,
        "control_cores": 0,
        "low": 1380.0,
        "high": 1940.0,
        "n_bins": 400,
    }
    layout = StudyLayout(**{**values, **changes})
    return StudyFit(layout, model, {}, FoldSettings(group="tma", k=2), 2, RECIPE)


def made_up(fit: StudyFit, seed: int, drop: float, share: float, **readings: float) -> Record:
    """A record with a drop and an artifact share."""
    values = {"V": 0.9, "balanced_accuracy": 0.9, "artifact_share": share, "non_peptide": 0.0}
    return Record(
        seed,
        {"task": fit.task, "fingerprint": fit.fingerprint, "family": "none"},
        fit.model,
        0.9,
        drop,
        Readings({**values, **readings}),
    )
