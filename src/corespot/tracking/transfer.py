"""Apply the trained models of a task to another cohort: the test that a broken design makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.positions import SpotPositions
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.errors import ParamsError
from corespot.evaluate.summary import evaluate_predictions
from corespot.io.cohort_folder import load_cohort
from corespot.io.imzml import open_imzml
from corespot.progress import track
from corespot.tracking.pyfunc import FoldEnsemble, load_ensemble

#: Spectra that are preprocessed and predicted at a time.
_BLOCK = 512


def transfer_models(
    models: Path, folder: Path, *, name: str, task: Task, n_bootstrap: int = 1000
) -> dict[str, Any]:
    """Evaluate every fold's model on all spots of another cohort.

    The other cohort's raw spectra go through the models' own recipe onto the models' own axis.
    Nothing is fitted.

    Parameters
    ----------
    models : Path
        Folder with one saved model a fold.
    folder : Path
        Cohort folder with the task's label column.
    name : str
        Name of the task.
    task : Task
        Its definition.
    n_bootstrap : int
        Resamples of the patients behind the intervals.

    Returns
    -------
    dict
        As `evaluate_predictions`, each model counted as a repeat.

    Raises
    ------
    ParamsError
        If the cohort lacks a class of the task or the classes differ from the models'.
    CohortError
        If the cohort cannot be read.
    """
    ensemble = load_ensemble(models)
    if set(ensemble.classes) != set(task.classes):
        raise ParamsError(
            f"task {name} has the classes {', '.join(task.classes)}, but its models were trained "
            f"for {', '.join(ensemble.classes)}; run `dvc repro`"
        )
    cohort = load_cohort(folder)
    spots = select_spots(cohort.spots, name, task)
    probabilities = _predict(ensemble, folder, spots)
    # The models sort their classes, the task has them in an order of its own.
    column = {label: ensemble.classes.index(label) for label in task.classes}
    tables = [
        pd.DataFrame(
            {
                "row": spots.rows,
                "repeat": repeat,
                "fold": 0,
                "y": spots.y,
                **{f"prob_{label}": values[:, at] for label, at in column.items()},
            }
        )
        for repeat, values in enumerate(probabilities)
    ]
    return evaluate_predictions(
        pd.concat(tables, ignore_index=True), cohort.spots, task.classes, n_bootstrap=n_bootstrap
    )


def _predict(
    ensemble: FoldEnsemble, folder: Path, spots: TaskSpots
) -> list[npt.NDArray[np.float64]]:
    """Probabilities of every model, each of shape (n_spots, n_classes), in the models' order."""
    found = [np.zeros((len(spots), len(spots.classes))) for _ in ensemble.models]
    files = spots.spots["file"].astype(str).to_numpy()
    indices = spots.spots["spectrum"].to_numpy(dtype=np.int64)
    positions = SpotPositions.of(spots.spots) if ensemble.is_spatial else None
    for name in track(list(dict.fromkeys(files)), label="transfer", unit="files"):
        mine = np.flatnonzero(files == name)
        with open_imzml(folder / name) as file:
            for part in _blocks(mine, positions):
                raw = [file.spectrum(int(indices[at])) for at in part]
                block = np.stack([ensemble.preprocess(mz, values) for mz, values in raw])
                places = None if positions is None else positions.take(part)
                for values, one in zip(found, ensemble.each(block, places), strict=True):
                    values[part] = one
    return found


def _blocks(
    spots: npt.NDArray[np.int64], positions: SpotPositions | None
) -> Iterator[npt.NDArray[np.int64]]:
    """Spots in blocks; whole cores, where a model looks at neighbours."""
    if positions is None:
        for start in range(0, len(spots), _BLOCK):
            yield spots[start : start + _BLOCK]
        return
    for members in positions.take(spots).by_core():
        yield spots[members]
