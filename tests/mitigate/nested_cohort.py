"""A small nested cohort in memory: peaks on a baseline, artifacts that follow the class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings, FoldTable, make_folds
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.models.spectra_rows import SpectraRows

AXIS = MzAxis.tof(1000.0, 1240.0, 1600)
RESOLUTION = 4500.0
#: The same with five bins a peak in place of one and a half.
FINE = MzAxis.tof(1000.0, 1240.0, 5000)
CENTRES = 1.00728 + 1.000495 * np.arange(1003, 1236, 6)
#: Width of a peak in Da, one standard deviation.
SD = CENTRES / RESOLUTION / 2.354820045


def rendered(
    areas: npt.NDArray[np.float64], *, ppm: float = 0.0, width: float = 1.0, axis: MzAxis = AXIS
) -> npt.NDArray[np.float64]:
    """Gaussian peaks of these areas (n, n_peaks), (n, n_bins)."""
    at, sd = CENTRES * (1 + 1e-6 * ppm), SD * width
    shape = np.exp(-0.5 * ((axis.mz - at[:, None]) / sd[:, None]) ** 2) / sd[:, None]
    return np.asarray(np.atleast_2d(areas) @ shape)


@dataclass(frozen=True, eq=False)
class Cohort:
    """Spectra in memory, as a store gives them."""

    spectra: npt.NDArray[np.float32]
    axis: MzAxis
    spots: pd.DataFrame

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        return self.spectra[rows]

    def rows(self, rows: npt.NDArray[np.int64]) -> SpectraRows:
        return SpectraRows(self.spectra, rows)


def nested_cohort(seed: int = 0, *, n_tmas: int = 4, ppm: float = 15.0) -> Cohort:
    """Classes a and b on TMAs of their own; b is shifted, tilted and of another baseline."""
    rng = np.random.default_rng(seed)
    rows, spectra = [], []
    z = np.linspace(-1, 1, AXIS.n_bins)
    for tma in range(n_tmas):
        late = tma % 2
        for patient in range(3):
            usual = np.exp(0.4 * rng.normal(size=len(CENTRES)))
            usual[:3] *= 2.0 if late else 1.0
            for spot in range(4):
                areas = usual * np.exp(0.1 * rng.normal(size=len(CENTRES)))
                clean = rendered(areas, ppm=ppm * late)[0] * np.exp(0.1 * late * z)
                clean += 0.1 * (1 + 0.3 * late * np.cos(2 * np.pi * AXIS.mz / 1.000495))
                clean += 0.01 * rng.normal(size=AXIS.n_bins)
                spectra.append(clean / clean.sum() * AXIS.n_bins)
                rows.append(
                    {
                        "tma": f"T{tma}",
                        "patient": f"P{tma}{patient}",
                        "core": f"C{tma}{patient}",
                        "kind": "ab"[late],
                        "x": spot,
                        "y": 1,
                        "file": "x.imzML",
                    }
                )
    return Cohort(np.asarray(spectra, dtype=np.float32), AXIS, pd.DataFrame(rows))


def task_and_folds(cohort: Cohort, group: str = "tma") -> tuple[TaskSpots, FoldTable]:
    """Class a against b, in two folds."""
    task = select_spots(cohort.spots, "kinds", Task(label="kind", classes=("a", "b")))
    settings = FoldSettings.model_validate({"group": group, "k": 2, "seed": 1})
    return task, make_folds(task, settings)
