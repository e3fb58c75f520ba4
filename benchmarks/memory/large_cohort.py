"""A cohort of any number of spots at the papers' resolution, written block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.cohort.tasks import Task
from corespot.io.cohort_folder import write_cohort

N_BINS = 27_286
TASK = Task(label="kind", classes=("a", "b"))
_N_TMAS = 12
_SPOTS_A_CORE = 25
_BLOCK = 256
#: Bins that differ between the classes.
_MARKERS = slice(1000, 27_000, 2000)


def write_large_cohort(folder: Path, n_spots: int) -> None:
    """Write a cohort folder of 12 TMAs with about `n_spots` spots; both classes on each TMA.

    Spectra are rows of one random block in ever new order, each with a gain of its own: what takes
    memory does not depend on more than that they differ.
    """
    n_cores = max(4, n_spots // (_N_TMAS * _SPOTS_A_CORE))
    spots, cores = [], []
    for tma in range(_N_TMAS):
        for core in range(n_cores):
            name = f"T{tma}-C{core}"
            kind = TASK.classes[core % 2]
            # Two cores of a class a patient.
            patient = f"T{tma}-P{kind}{core // 4}"
            cores.append({"core": name, "tma": f"T{tma}", "patient": patient, "kind": kind})
            spots += [
                {"file": f"T{tma}.imzML", "x": core * 30 + spot + 1, "y": 1, "core": name}
                for spot in range(_SPOTS_A_CORE)
            ]
    write_cohort(
        folder,
        spots=pd.DataFrame(spots),
        cores=pd.DataFrame(cores),
        measurements=_measurements(pd.DataFrame(spots), pd.DataFrame(cores)),
    )


def _measurements(spots: pd.DataFrame, cores: pd.DataFrame) -> Iterator[Any]:
    axis = MzAxis.tof(800, 3500, N_BINS)
    rng = np.random.default_rng(0)
    base = rng.gamma(2.0, 1.0, (_BLOCK, N_BINS)).astype(np.float32)
    marked = (spots["core"].map(cores.set_index("core")["kind"]) == "a").to_numpy()
    for file, table in spots.groupby("file", sort=False):
        coordinates = table[["x", "y"]].to_numpy(dtype=np.int64)
        yield str(file), coordinates, _blocks(base, marked[table.index], rng), axis.mz


def _blocks(
    base: npt.NDArray[np.float32], marked: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Iterator[npt.NDArray[np.float32]]:
    for start in range(0, len(marked), _BLOCK):
        here = marked[start : start + _BLOCK]
        block = base[rng.permutation(_BLOCK)[: len(here)]]
        block *= rng.uniform(0.5, 2.0, (len(here), 1)).astype(np.float32)
        block[here, _MARKERS] *= 2.0
        yield block
