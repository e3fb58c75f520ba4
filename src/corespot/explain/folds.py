"""Sensitivity of a cross-validated model: each fold's model on its own training spots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corespot.cohort.splits import FoldTable
from corespot.cohort.tasks import TaskSpots
from corespot.errors import StoreError
from corespot.explain.profile import SensitivityProfile, average_profiles
from corespot.explain.sensitivity import sensitivity_profile
from corespot.io.store import SpectraStore
from corespot.progress import track
from corespot.train.checkpoint import load_model


@dataclass(frozen=True)
class ExplainedModel:
    """Sensitivity of one model on one task.

    Parameters
    ----------
    profile : SensitivityProfile
        Mean over folds and repeats.
    folds : dict of str to SensitivityProfile
        Profile of every fold's model, by its name.
    class_means : ndarray of float64, shape (n_classes, n_bins)
        Mean preprocessed spectrum of every class.
    """

    profile: SensitivityProfile
    folds: dict[str, SensitivityProfile]
    class_means: npt.NDArray[np.float64]


def explain_folds(
    store: SpectraStore, task: TaskSpots, folds: FoldTable, *, models: Path
) -> ExplainedModel:
    """Sensitivity profile of every fold's model, and their mean.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        Rows and labels.
    folds : FoldTable
        The folds the models were trained on.
    models : Path
        Folder with one saved model a fold.

    Raises
    ------
    StoreError
        If a fold's model is missing or was trained on another m/z axis.
    """
    folds.check_task(task)
    profiles: dict[str, SensitivityProfile] = {}
    for fold in track(list(folds), label="sensitivity", unit="models"):
        name = f"repeat{fold.repeat}-fold{fold.index}"
        loaded = load_model(models / name)
        if loaded.axis != store.axis:
            raise StoreError(
                f"{models / name}: this model was trained on another m/z axis than the store has; "
                "run `dvc repro` so that training follows preprocessing"
            )
        profiles[name] = sensitivity_profile(
            loaded.estimator,
            store.take(fold.train_rows),
            axis=store.axis,
            classes=task.classes,
        )
    return ExplainedModel(
        average_profiles(list(profiles.values())), profiles, class_means(store, task)
    )


def class_means(store: SpectraStore, task: TaskSpots) -> npt.NDArray[np.float64]:
    """Mean spectrum of every class of the task, shape (n_classes, n_bins); for display only."""
    means = np.zeros((len(task.classes), store.axis.n_bins))
    for index in range(len(task.classes)):
        rows = task.rows[task.y == index]
        for start in range(0, len(rows), 1024):
            means[index] += store.take(rows[start : start + 1024]).sum(axis=0, dtype=np.float64)
        means[index] /= len(rows)
    return means
