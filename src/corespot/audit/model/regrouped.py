"""The same model with patients held out: scores that TMAs can be compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.masking import balanced_accuracy
from corespot.audit.shares.changed_spectra import log_odds
from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import FoldSettings, FoldTable, make_folds
from corespot.cohort.tasks import TaskSpots
from corespot.errors import FoldError
from corespot.io.artifacts import read_json, read_table, whole_folder, write_json, write_table
from corespot.io.store import SpectraStore
from corespot.train.crossvalidate import cross_validate
from corespot.train.estimator import where_they_lie

ABOUT, SCORES = "regrouped.json", "scores.parquet"


@dataclass(frozen=True, eq=False)
class RegroupedScores:
    """Out-of-fold scores of a model whose folds hold out patients and share out TMAs.

    Parameters
    ----------
    grouping : str
        ``patient``; ``core`` where patients allow no folds.
    scores : ndarray of float64, shape (n, n_classes)
        Log-odds of each class against all others, in the order of the task's spots.
    balanced_accuracy : float
        Mean over folds, of spots.
    """

    grouping: str
    scores: npt.NDArray[np.float64]
    balanced_accuracy: float

    def table(self, task: TaskSpots) -> pd.DataFrame:
        """One row a spot: ``row`` and ``logit_<class>``."""
        columns = {f"logit_{name}": self.scores[:, k] for k, name in enumerate(task.classes)}
        return pd.DataFrame({"row": task.rows, **columns})

    @classmethod
    def of_table(
        cls, table: pd.DataFrame, task: TaskSpots, *, grouping: str, balanced_accuracy: float
    ) -> RegroupedScores:
        """From what `table` gave.

        Raises
        ------
        FoldError
            If it is of other spots.
        """
        if not np.array_equal(table["row"].to_numpy(), task.rows):
            raise FoldError(
                f"scores with patients held out are of other spots than task {task.name}; run "
                "`dvc repro` so that they follow the folds"
            )
        columns = [f"logit_{name}" for name in task.classes]
        return cls(grouping, table[columns].to_numpy(np.float64), balanced_accuracy)


def patient_folds(task: TaskSpots, *, k: int, seed: int) -> FoldTable | NotApplicable:
    """Folds that hold out patients, whatever their TMA; cores where patients are too few."""
    reasons = []
    for grouping in ("patient", "core"):
        settings = FoldSettings.parse(
            {"group": grouping, "k": k, "repeats": 1, "seed": seed}, "folds"
        )
        try:
            return make_folds(task, settings)
        except FoldError as error:
            reasons.append(str(error))
    return NotApplicable(reasons[0])


def regrouped_scores(
    store: SpectraStore,
    task: TaskSpots,
    *,
    model: str,
    settings: Mapping[str, Any],
    k: int = 4,
    seed: int = 0,
    device: str = "auto",
) -> RegroupedScores | NotApplicable:
    """Train a model anew with patients held out, and score every spot out of its fold.

    With whole TMAs held out every TMA has a model of its own, and comparing TMAs compares models.

    Parameters
    ----------
    store : SpectraStore
        Spectra.
    task : TaskSpots
        Rows and labels.
    model : str
        Registered name.
    settings : mapping
        Its settings, as in its own folds.
    k : int
        Number of folds.
    seed : int
        Seed of folds and fits.
    device : str
        Where networks are trained.
    """
    folds = patient_folds(task, k=k, seed=seed)
    if isinstance(folds, NotApplicable):
        return folds
    positions = SpotPositions.of(task.spots)
    scores = np.zeros((len(task), len(task.classes)))
    accuracies = []
    for result in cross_validate(
        store, task, folds, model=model, settings=settings, seed=seed, device=device
    ):
        at = np.searchsorted(task.rows, result.fold.test_rows)
        places = where_they_lie(model, positions.take(at))
        x: Any = (store.take if places else store.rows)(result.fold.test_rows)
        scores[at] = log_odds(result.estimator, x, task.classes, places=places)
        accuracies.append(balanced_accuracy(task.y[at], scores[at].argmax(axis=1)))
    return RegroupedScores(folds.grouping, scores, float(np.mean(accuracies)))


def regroup(
    store: SpectraStore,
    task: TaskSpots,
    out: Path,
    *,
    model: str,
    settings: Mapping[str, Any],
    k: int | None,
    seed: int,
    device: str = "auto",
) -> None:
    """Write the scores of a model with patients held out, or why there are none.

    Parameters
    ----------
    store, task, model, settings, seed, device
        See `regrouped_scores`.
    out : Path
        Folder of ``scores.parquet`` and ``regrouped.json``; complete or absent.
    k : int or None
        Number of folds; ``None`` trains nothing.
    """
    found = (
        NotApplicable(
            "the model was not trained with patients held out; set audit.patient_folds in "
            "params.yaml"
        )
        if k is None
        else regrouped_scores(
            store, task, model=model, settings=settings, k=k, seed=seed, device=device
        )
    )
    with whole_folder(out) as part:
        if isinstance(found, NotApplicable):
            write_json(part / ABOUT, found.as_dict())
            return
        about = {"grouping": found.grouping, "balanced_accuracy": found.balanced_accuracy}
        write_json(part / ABOUT, about)
        write_table(part / SCORES, found.table(task))


def read_regrouped(folder: Path, task: TaskSpots) -> RegroupedScores | NotApplicable:
    """Read what `regroup` wrote.

    Raises
    ------
    FoldError
        If it is of other spots.
    """
    about = read_json(folder / ABOUT)
    if "not_applicable" in about:
        return NotApplicable(about["not_applicable"])
    return RegroupedScores.of_table(
        read_table(folder / SCORES),
        task,
        grouping=about["grouping"],
        balanced_accuracy=about["balanced_accuracy"],
    )
