"""The audit of a trained run: from its stored models to a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.thresholds import Thresholds
from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.indicators.counterfactual import CounterfactualDrop, counterfactual_drop
from corespot.audit.indicators.masking import balanced_accuracy
from corespot.audit.indicators.shared_windows import SharedWindows, shared_windows
from corespot.audit.indicators.tma_sensitivity import TmaSensitivity, tma_sensitivity
from corespot.audit.model.metadata import control_rows
from corespot.audit.model.model_audit import ModelAudit, audit_model
from corespot.audit.model.regrouped import RegroupedScores
from corespot.audit.model.result import AuditResult, judged
from corespot.audit.model.scored_rows import SecondCohort
from corespot.audit.verdict.readings import Reading
from corespot.cohort.groups import unit_ids
from corespot.cohort.splits import Fold, FoldTable
from corespot.cohort.tasks import TaskSpots
from corespot.errors import StoreError
from corespot.io.store import SpectraStore
from corespot.progress import track
from corespot.train.checkpoint import load_model

_NO_SECOND = NotApplicable(
    "no second cohort was named; audit.counterfactual in params.yaml names one for a task"
)


@dataclass(frozen=True, eq=False)
class AuditRequest:
    """What is audited, and with what.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        The task.
    folds : FoldTable
        The folds the models were trained on.
    model : str
        Registered name.
    models : Path
        Folder with one saved model a fold.
    run_id : str
        MLflow run of the model.
    predictions : DataFrame
        Out-of-fold predictions: ``row, repeat, fold, y`` and one probability a class.
    thresholds : Thresholds
        Lines of the model.
    regrouped : RegroupedScores or NotApplicable
        Scores with patients held out.
    columns : mapping of str to ndarray, shape (n_spots,)
        Metadata of the task's spots.
    control : str
        Column that marks control cores.
    second : SecondCohort or None
        Cohort with a broken design.
    n_bootstrap, seed : int
        Draws behind intervals, and their seed.
    """

    store: SpectraStore
    task: TaskSpots
    folds: FoldTable
    model: str
    models: Path
    run_id: str
    predictions: pd.DataFrame
    thresholds: Thresholds
    regrouped: RegroupedScores | NotApplicable
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    control: str = "control"
    second: SecondCohort | None = None
    n_bootstrap: int = 1000
    seed: int = 0


def audit_run(
    request: AuditRequest,
    *,
    load: Callable[[Fold], Any] | None = None,
    as_seen: Callable[[Fold, SpectraStore, npt.NDArray[np.int64]], SpectraStore] = (
        lambda fold, store, rows: store
    ),
) -> AuditResult:
    """Audit every fold's model and draw the verdict.

    Parameters
    ----------
    request : AuditRequest
        What is audited.
    load : callable, optional
        Gives the fitted model of a fold; the stored ones if left out.
    as_seen : callable
        Gives a store as a fold's model must be shown it; see `audit_model`.

    Raises
    ------
    StoreError
        If a model is of another m/z axis.
    FoldError
        If the folds are of other spots.
    """
    store, task = request.store, request.task
    controls = control_rows(store, task, request.control)
    audit = audit_model(
        store,
        task,
        request.folds,
        load or (lambda fold: _load(request, fold)),
        model=request.model,
        regrouped=request.regrouped,
        columns=request.columns,
        control_rows=controls,
        second=request.second,
        n_bootstrap=request.n_bootstrap,
        seed=request.seed,
        track=_tracked,
        as_seen=as_seen,
    )
    tma = tma_sensitivity(
        store.spectra,
        task.y,
        task.group_of("tma"),
        unit_ids(task.spots, "patient"),
        rows=task.rows,
        seed=request.seed,
    )
    windows = _windows(audit, tma, store)
    drop = _drop(request, audit)
    accuracies = fold_accuracies(request.predictions, task.classes)
    return judged(
        audit,
        request.thresholds,
        ClassLayout.of(task),
        axis=store.axis,
        tma=tma,
        shared_windows=windows,
        counterfactual=drop,
        accuracies=accuracies,
        further={
            # Of all held-out spots: the audit itself puts the model to a share of them.
            "balanced_accuracy": float(np.mean(accuracies)),
            **_of_windows(windows),
            **_of_drop(drop),
        },
    )


def fold_accuracies(predictions: pd.DataFrame, classes: Sequence[str]) -> tuple[float, ...]:
    """Balanced accuracy of the spots of every fold, by repeat and fold.

    Parameters
    ----------
    predictions : DataFrame
        Out-of-fold predictions: ``repeat, fold, y`` and one probability a class.
    classes : sequence of str
        Class names.
    """
    columns = [f"prob_{name}" for name in classes]
    return tuple(
        balanced_accuracy(
            part["y"].to_numpy(np.int64), part[columns].to_numpy(np.float64).argmax(axis=1)
        )
        for _, part in predictions.groupby(["repeat", "fold"], sort=True)
    )


def _load(request: AuditRequest, fold: Fold) -> Any:
    folder = request.models / f"repeat{fold.repeat}-fold{fold.index}"
    loaded = load_model(folder)
    if loaded.axis != request.store.axis:
        raise StoreError(
            f"{folder}: this model was trained on another m/z axis than the store has; run "
            "`dvc repro` so that training follows preprocessing"
        )
    return loaded.estimator


def _tracked(folds: Sequence[Fold]) -> Iterable[Fold]:
    return track(folds, label="audit", unit="models")


def _windows(
    audit: ModelAudit, tma: TmaSensitivity | NotApplicable, store: SpectraStore
) -> SharedWindows | NotApplicable:
    if isinstance(tma, NotApplicable):
        return tma
    profile = np.mean([fold.profile for fold in audit.folds], axis=0)
    return shared_windows(profile, tma, store.axis, audit.task.classes)


def _drop(request: AuditRequest, audit: ModelAudit) -> CounterfactualDrop | NotApplicable:
    """What the folds' models lose on the second cohort."""
    second, task = request.second, request.task
    if second is None:
        return _NO_SECOND
    units = pd.Series(unit_ids(task.spots, "patient"), index=task.rows)
    original = request.predictions.assign(patient=units.loc[request.predictions["row"]].to_numpy())
    spots = {
        "y": second.task.y,
        "patient": unit_ids(second.task.spots, "patient"),
        "tma": second.task.group_of("tma"),
    }
    judged_there = [
        pd.DataFrame({**spots, "fold": number, "predicted": scores.argmax(axis=1)})
        for number, scores in enumerate(audit.second)
    ]
    return counterfactual_drop(
        original,
        pd.concat(judged_there, ignore_index=True),
        task.classes,
        n_bootstrap=request.n_bootstrap,
        seed=request.seed,
    )


def _of_windows(windows: SharedWindows | NotApplicable) -> dict[str, Reading]:
    if isinstance(windows, NotApplicable):
        return {"shared_windows": windows}
    return {"shared_windows": windows.largest.beyond_chance}


def _of_drop(drop: CounterfactualDrop | NotApplicable) -> dict[str, Reading]:
    if isinstance(drop, NotApplicable):
        return {"counterfactual_drop": drop}
    found: dict[str, Reading] = {
        "counterfactual_accuracy": drop.counterfactual_balanced_accuracy,
        "counterfactual_drop": drop.drop,
    }
    if drop.interval is not None:
        found["counterfactual_drop_low"], found["counterfactual_drop_high"] = drop.interval
    return found
