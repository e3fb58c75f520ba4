"""Cross-validation of one model on one task: every fold fitted on its training spots only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from corespot.cohort.splits import Fold, FoldTable, Grouping, strictest_groups
from corespot.cohort.tasks import TaskSpots
from corespot.io.store import SpectraStore
from corespot.seeding import derive_seed
from corespot.train.estimator import make_estimator

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
    """

    fold: Fold
    estimator: Any
    probabilities: npt.NDArray[np.float64]
    train_balanced_accuracy: float
    seconds: float
    by_k: dict[int, npt.NDArray[np.float64]]

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

    Raises
    ------
    FoldError
        If a group is on both sides of a fold, or the folds are of other rows.
    """
    folds.check_task(task)
    labels = np.asarray(task.classes)[task.y]
    for fold in folds:
        train = np.searchsorted(task.rows, fold.train_rows)
        estimator = make_estimator(
            model,
            settings,
            seed=derive_seed(seed, task.name, model, fold.repeat, fold.index) % 2**31,
            device=device,
        )
        x_train = store.take(fold.train_rows)
        started = time.perf_counter()
        estimator.fit(
            x_train,
            labels[train],
            groups=inner_groups(task, train, folds.grouping, estimator),
            on_epoch=_bound(on_epoch, fold),
            checkpoint=_checkpoint(checkpoints, fold),
        )
        seconds = time.perf_counter() - started
        x_test = store.take(fold.test_rows)
        yield FoldResult(
            fold=fold,
            estimator=estimator,
            probabilities=in_task_order(estimator, estimator.predict_proba(x_test), task.classes),
            train_balanced_accuracy=float(
                balanced_accuracy_score(labels[train], estimator.predict(x_train))
            ),
            seconds=seconds,
            by_k={
                int(k): in_task_order(estimator, probabilities, task.classes)
                for k, probabilities in _by_k(estimator, x_test).items()
            },
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


def in_task_order(
    estimator: Any, probabilities: npt.NDArray[np.float64], classes: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    """Columns of `probabilities` in the task's class order (estimators sort theirs)."""
    known = [str(name) for name in estimator.classes_]
    return np.asarray(probabilities, dtype=np.float64)[:, [known.index(name) for name in classes]]


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
    if getattr(estimator, "k", None) == "inner":
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
