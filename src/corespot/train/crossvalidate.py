"""Cross-validation of one model on one task: every fold fitted on its training spots only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import Fold, FoldTable, Grouping, strictest_groups
from corespot.cohort.tasks import TaskSpots
from corespot.io.store import SpectraStore
from corespot.models.registry import entry
from corespot.seeding import derive_seed
from corespot.train.estimator import make_estimator
from corespot.train.fit_inputs import Watched
from corespot.train.held_out import HeldOut, in_task_order
from corespot.train.model_settings import setting_names
from corespot.train.tuned import Tuned

EpochCallback = Callable[[Fold, Mapping[str, float]], None]


@dataclass(frozen=True)
class FoldResult:
    """What one fold of one repeat produced.

    Parameters
    ----------
    fold : Fold
        Training and test rows of the store.
    estimator : estimator
        The fitted classifier.
    probabilities : ndarray of float64, shape (n_test, n_classes)
        Class probabilities of the test spots.
    train_balanced_accuracy : float
        Balanced accuracy on the spots the fold was fitted on.
    seconds : float
        Wall time of fitting.
    by_k : dict of int to ndarray, shape (n_test, n_classes)
        Test probabilities for every number of selected bins; empty for other models.
    ablated : dict of str to ndarray, shape (n_shuffles, n_test, n_classes)
        Test probabilities with the spatial, and with the spectral structure destroyed; empty for
        models of single spectra.
    patches : DataFrame
        One row a test patch: ``repeat, fold, row`` (of one spot), ``n_spots``, ``y`` and one
        probability a class; empty for models without patches.
    """

    fold: Fold
    estimator: Any
    probabilities: npt.NDArray[np.float64]
    train_balanced_accuracy: float
    seconds: float
    by_k: dict[int, npt.NDArray[np.float64]]
    ablated: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    patches: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch, with repeat and fold; empty for models without epochs."""
        rows = list(getattr(self.estimator, "history_", None) or [])
        return pd.DataFrame(rows).assign(repeat=self.fold.repeat, fold=self.fold.index)


def cross_validate(
    store: SpectraStore,
    task: TaskSpots,
    folds: FoldTable,
    *,
    model: str,
    settings: Mapping[str, Any],
    seed: int,
    device: str = "auto",
    checkpoints: Path | None = None,
    on_epoch: EpochCallback | None = None,
    watch: bool = False,
    ablations: bool = False,
    tuned: Tuned | None = None,
) -> Iterator[FoldResult]:
    """Fit `model` on every fold and yield each result as soon as it is there.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        Rows and labels of the task.
    folds : FoldTable
        Grouped folds over exactly these rows; leakage is checked again here.
    model : str
        Registered name.
    settings : mapping
        Model and training settings.
    seed : int
        Seed of the run; every fold derives its own.
    device : str
        ``auto``, ``cpu`` or a torch device.
    checkpoints : Path, optional
        Folder from which an interrupted fold goes on.
    on_epoch : callable, optional
        Called with the fold and the epoch's record.
    watch : bool
        Note the balanced accuracy on the test spots after every epoch, to be looked at.
    ablations : bool
        Predict the test spots with spatial and with spectral structure destroyed, too.
    tuned : Tuned, optional
        Settings found for each fold, in place of those of `settings`.

    Raises
    ------
    FoldError
        If a group is on both sides of a fold, or the folds are of other rows.
    """
    folds.check_task(task)
    labels = np.asarray(task.classes)[task.y]
    places = SpotPositions.of(task.spots) if entry(model).is_spatial else None
    # A network of single spectra holds them on its device itself, or streams what does not fit;
    # other models of single spectra read the bins they want, or blocks.
    read: Callable[[npt.NDArray[np.int64]], Any] = store.rows if places is None else store.take
    for fold in folds:
        train, test = (
            np.searchsorted(task.rows, rows) for rows in (fold.train_rows, fold.test_rows)
        )
        estimator = make_estimator(
            model,
            task_settings(model, {**settings, **(tuned.of(fold) if tuned else {})}, task),
            seed=derive_seed(seed, task.name, model, fold.repeat, fold.index) % 2**31,
            device=device,
        )
        x_train, x_test = read(fold.train_rows), read(fold.test_rows)
        at_train, at_test = (
            {} if places is None else {"positions": places.take(part)} for part in (train, test)
        )
        watched = Watched(x_test, labels[test], at_test.get("positions"))
        started = time.perf_counter()
        estimator.fit(
            x_train,
            labels[train],
            groups=inner_groups(task, train, folds.grouping, estimator),
            on_epoch=_bound(on_epoch, fold),
            checkpoint=_checkpoint(checkpoints, fold),
            **at_train,
            **({"watched": watched} if watch and entry(model).is_network else {}),
        )
        seconds = time.perf_counter() - started
        held_out = HeldOut(x_test, task, test, at_test)
        yield FoldResult(
            fold=fold,
            estimator=estimator,
            probabilities=held_out.predicted(estimator),
            train_balanced_accuracy=float(
                balanced_accuracy_score(labels[train], estimator.predict(x_train, **at_train))
            ),
            seconds=seconds,
            by_k={
                int(k): in_task_order(estimator, probabilities, task.classes)
                for k, probabilities in _by_k(estimator, x_test).items()
            },
            ablated=held_out.ablated(estimator) if ablations else {},
            patches=held_out.patches(estimator, fold),
        )


def predictions_table(
    rows: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float64],
    *,
    fold: Fold,
    task: TaskSpots,
) -> pd.DataFrame:
    """Out-of-fold table of one fold: row, repeat, fold, y and one probability a class."""
    y = task.y[np.searchsorted(task.rows, rows)]
    table = pd.DataFrame({"row": rows, "repeat": fold.repeat, "fold": fold.index, "y": y})
    for index, name in enumerate(task.classes):
        table[f"prob_{name}"] = probabilities[:, index]
    return table


def task_settings(model: str, settings: Mapping[str, Any], task: TaskSpots) -> dict[str, Any]:
    """Settings of a model for a task: its positive class is the task's first, unless given."""
    known = "positive" in setting_names(model) and settings.get("positive") is None
    return {**settings, **({"positive": task.classes[0]} if known else {})}


def inner_groups(
    task: TaskSpots, train: npt.NDArray[np.int64], grouping: Grouping, estimator: Any
) -> npt.NDArray[np.str_] | None:
    """What an inner split of a training part must keep together, shape (n_train,).

    `None` for an estimator that makes no inner split.

    The outer grouping where the training part has enough of its groups, else the next finer one:
    with two TMAs, one is left to train on, and its patients are split.

    Parameters
    ----------
    task : TaskSpots
        Spots and labels of the task.
    train : ndarray of int64
        Positions in the task of the training spots.
    grouping : {"tma", "patient", "core", "spot"}
        Grouping of the outer folds.
    estimator : estimator
        Says how many inner folds it makes.
    """
    if "inner" in (getattr(estimator, "k", None), getattr(estimator, "threshold", None)):
        n_inner = int(estimator.inner_folds)
    elif getattr(estimator, "early_stopping", False):
        n_inner = int(estimator.validation_folds)
    else:
        return None
    spots = task.spots.iloc[train].reset_index(drop=True)
    return strictest_groups(spots, task.y[train], n_inner, start=grouping)[1]


def _by_k(estimator: Any, x_test: npt.NDArray[np.float32]) -> dict[int, npt.NDArray[np.float64]]:
    if not hasattr(estimator, "predict_proba_by_k"):
        return {}
    return dict(estimator.predict_proba_by_k(x_test))


def _bound(on_epoch: EpochCallback | None, fold: Fold) -> Callable[[Mapping[str, float]], None]:
    def call(record: Mapping[str, float]) -> None:
        if on_epoch is not None:
            on_epoch(fold, record)

    return call


def _checkpoint(folder: Path | None, fold: Fold) -> Path | None:
    return None if folder is None else folder / f"repeat{fold.repeat}-fold{fold.index}"
