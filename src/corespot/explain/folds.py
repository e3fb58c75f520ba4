"""Sensitivity of a cross-validated model: each fold's model on its own training spots."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import Fold, FoldTable
from corespot.cohort.tasks import TaskSpots
from corespot.errors import StoreError
from corespot.explain.embedding import embed_spots
from corespot.explain.profile import Quantity, SensitivityProfile, average_profiles
from corespot.explain.sensitivity import class_order, sensitivity_profile
from corespot.explain.spot_map import average_spot_maps
from corespot.io.store import SpectraStore
from corespot.progress import track

if TYPE_CHECKING:
    from corespot.train.checkpoint import LoadedModel


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
    embedding : DataFrame
        Spots in the plane, by how alike the first fold's model finds them; see `embed_spots`.
    spot_map : DataFrame
        Sensitivity to every spot; empty for models of single spectra. See `average_spot_maps`.
    """

    profile: SensitivityProfile
    folds: dict[str, SensitivityProfile]
    class_means: npt.NDArray[np.float64]
    embedding: pd.DataFrame = field(default_factory=pd.DataFrame)
    spot_map: pd.DataFrame = field(default_factory=pd.DataFrame)


def explain_folds(
    store: SpectraStore,
    task: TaskSpots,
    folds: FoldTable,
    *,
    models: Path,
    of: Quantity = "logit",
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
    of : {"probability", "logit"}
        Output whose sensitivity to single spots is mapped.

    Raises
    ------
    StoreError
        If a fold's model is missing or was trained on another m/z axis.
    """
    from corespot.train.checkpoint import load_model

    folds.check_task(task)
    profiles: dict[str, SensitivityProfile] = {}
    spot_maps: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]] = []
    embedding = pd.DataFrame()
    for fold in track(list(folds), label="sensitivity", unit="models"):
        name = f"repeat{fold.repeat}-fold{fold.index}"
        loaded = load_model(models / name)
        if loaded.axis != store.axis:
            raise StoreError(
                f"{models / name}: this model was trained on another m/z axis than the store has; "
                "run `dvc repro` so that training follows preprocessing"
            )
        places = _places(str(loaded.about["model"]), task, fold.train_rows)
        spectra = store.take(fold.train_rows) if places else _unread(store, fold.train_rows)
        profiles[name] = profile = sensitivity_profile(
            loaded.estimator,
            spectra,
            axis=store.axis,
            classes=task.classes,
            positions=places.get("positions"),
        )
        if places:
            found = loaded.estimator.spot_sensitivity(spectra, profile.sigma, of=of, **places)
            order = class_order(loaded.estimator, task.classes)
            spot_maps.append((fold.train_rows, found[order]))
        if embedding.empty:
            embedding = _embedded(store, task, fold, loaded)
    return ExplainedModel(
        profile=average_profiles(list(profiles.values())),
        folds=profiles,
        class_means=class_means(store, task),
        embedding=embedding,
        spot_map=average_spot_maps(spot_maps, task.classes) if spot_maps else pd.DataFrame(),
    )


def _unread(store: SpectraStore, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Spectra that are read block by block where each is looked at by itself."""
    # They answer to all that is asked of an array.
    return cast("npt.NDArray[np.float32]", store.rows(rows))


def _places(model: str, task: TaskSpots, rows: npt.NDArray[np.int64]) -> dict[str, SpotPositions]:
    """Where spots of the task lie, if the model is to be told."""
    from corespot.train.estimator import where_they_lie

    index = np.searchsorted(task.rows, rows)
    return where_they_lie(model, SpotPositions.of(task.spots.iloc[index]))


def _embedded(
    store: SpectraStore, task: TaskSpots, fold: Fold, loaded: LoadedModel
) -> pd.DataFrame:
    """All spots of the task as the model of one fold finds them alike."""
    return embed_spots(
        loaded.estimator,
        store.take,
        rows=task.rows,
        cores=task.group_of("core"),
        held_out=np.isin(task.rows, fold.test_rows),
        positions=_places(str(loaded.about["model"]), task, task.rows).get("positions"),
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
