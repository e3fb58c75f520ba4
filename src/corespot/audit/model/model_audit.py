"""The audit of one model on one task: all that was measured, over its folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import Association
from corespot.audit.indicators.control_cores import (
    ControlCoreDependence,
    class_gaps,
    class_shares_of_tmas,
    control_core_dependence,
)
from corespot.audit.indicators.negative_controls import NegativeControls
from corespot.audit.indicators.within_class import WithinClassLeakage, within_class_leakage
from corespot.audit.model.fold_audit import FoldAudit, audit_fold
from corespot.audit.model.label_tie import label_tie
from corespot.audit.model.model_readings import readings_of
from corespot.audit.model.regrouped import RegroupedScores
from corespot.audit.model.scored_rows import SecondCohort, scores_of_rows
from corespot.audit.shares.class_shares import ArtifactShare, combine_folds
from corespot.audit.verdict.readings import Readings
from corespot.cohort.groups import unit_ids
from corespot.cohort.splits import Fold, FoldTable
from corespot.cohort.tasks import TaskSpots
from corespot.io.store import SpectraStore

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Leakage = WithinClassLeakage | NotApplicable

#: The column whose leakage enters the verdict.
TMA = "tma"
_NOT_REGROUPED = NotApplicable(
    "the model was not trained with patients held out; set audit.patient_folds in params.yaml"
)
_NO_CONTROLS = NotApplicable(
    "no control cores: put cores of one tissue on every TMA and mark them in cores.csv "
    "(column control)"
)


@dataclass(frozen=True, eq=False)
class ModelAudit:
    """What was measured of one model on one task.

    Parameters
    ----------
    task : TaskSpots
        The task.
    model : str
        Registered name.
    folds : tuple of FoldAudit
        Every fold by itself.
    tie : Association or NotApplicable
        Of label and TMA.
    share : ArtifactShare
        Median over folds.
    regrouped : RegroupedScores or NotApplicable
        Scores with patients held out.
    leakage : mapping of str to WithinClassLeakage or NotApplicable
        Of every metadata column.
    control_cores : ControlCoreDependence or NotApplicable
        What control cores say.
    readings : Readings
        All indicators as numbers.
    second : tuple of ndarray of float64, shape (n_second, n_classes)
        Log-odds of every fold's model on the spots of a second cohort; empty without one.
    """

    task: TaskSpots
    model: str
    folds: tuple[FoldAudit, ...]
    tie: Association | NotApplicable
    share: ArtifactShare
    regrouped: RegroupedScores | NotApplicable
    leakage: Mapping[str, Leakage]
    control_cores: ControlCoreDependence | NotApplicable
    readings: Readings
    second: tuple[FloatArray, ...] = ()


def audit_model(
    store: SpectraStore,
    task: TaskSpots,
    folds: FoldTable,
    load: Callable[[Fold], Any],
    *,
    model: str,
    regrouped: RegroupedScores | NotApplicable = _NOT_REGROUPED,
    columns: Mapping[str, npt.NDArray[Any]] | None = None,
    control_rows: Rows | NotApplicable = _NO_CONTROLS,
    second: SecondCohort | None = None,
    negative: Callable[[Fold], NegativeControls | None] = lambda fold: None,
    n_bootstrap: int = 1000,
    seed: int = 0,
    track: Callable[[Sequence[Fold]], Iterable[Fold]] = list,
    as_seen: Callable[[Fold, SpectraStore, Rows], SpectraStore] = lambda fold, store, rows: store,
) -> ModelAudit:
    """Audit a cross-validated model.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        Rows and labels, control cores not among them.
    folds : FoldTable
        The folds the models were trained on.
    load : callable
        Gives the fitted estimator of a fold; one is held at a time.
    model : str
        Registered name.
    regrouped : RegroupedScores or NotApplicable
        Scores of the same model with patients held out; without them leakage does not apply.
    columns : mapping of str to ndarray, shape (n_spots,)
        Metadata of the task's spots whose leakage is looked at besides the TMA's.
    control_rows : ndarray of int64 or NotApplicable
        Rows of the store that are of control cores.
    second : SecondCohort, optional
        Spots that every fold's model scores as well.
    negative : callable
        Gives a fold's negative controls if they are known from another model's audit.
    n_bootstrap : int
        Draws of patients behind intervals.
    seed : int
        Seed of everything random.
    track : callable
        Wraps the folds in a progress bar.
    as_seen : callable
        Gives a store as a fold's model must be shown it, where it may read these rows: for models
        that were trained on corrected TMAs.

    Raises
    ------
    FoldError
        If the folds are of other spots.
    ModelError
        If a model does not fit the spectra or the classes.
    """
    folds.check_task(task)
    audited: list[FoldAudit] = []
    on_controls: list[FloatArray] = []
    on_second: list[FloatArray] = []
    if not isinstance(control_rows, NotApplicable) and not len(control_rows):
        control_rows = _NO_CONTROLS
    for fold in track(list(folds)):
        estimator = load(fold)
        audited.append(
            audit_fold(
                as_seen(fold, store, task.rows),
                task,
                fold,
                estimator,
                model=model,
                seed=seed,
                n_bootstrap=n_bootstrap,
                controls=negative(fold),
            )
        )
        if not isinstance(control_rows, NotApplicable):
            shown = as_seen(fold, store, control_rows)
            on_controls.append(scores_of_rows(estimator, shown, control_rows, model, task.classes))
        if second is not None:
            rows = second.task.rows
            shown = as_seen(fold, second.store, rows)
            on_second.append(scores_of_rows(estimator, shown, rows, model, task.classes))
    units = unit_ids(task.spots, "patient")
    leakage = _leakage(task, units, regrouped, columns or {}, seed)
    seen = _control_cores(store, task, audited, control_rows, on_controls, seed)
    tie = label_tie(task, seed)
    share = combine_folds([one.share for one in audited])
    return ModelAudit(
        task,
        model,
        tuple(audited),
        tie,
        share,
        regrouped,
        leakage,
        seen,
        readings_of(task, audited, tie, share, regrouped, leakage[TMA], seen),
        tuple(on_second),
    )


def _leakage(
    task: TaskSpots,
    units: npt.NDArray[np.str_],
    regrouped: RegroupedScores | NotApplicable,
    columns: Mapping[str, npt.NDArray[Any]],
    seed: int,
) -> dict[str, Leakage]:
    looked_at = {TMA: task.group_of(TMA), **columns}
    if isinstance(regrouped, NotApplicable):
        return dict.fromkeys(looked_at, regrouped)
    return {
        name: within_class_leakage(
            regrouped.scores, units, task.y, values, classes=task.classes, column=name, seed=seed
        )
        for name, values in looked_at.items()
    }


def _control_cores(
    store: SpectraStore,
    task: TaskSpots,
    audited: Sequence[FoldAudit],
    controls: Rows | NotApplicable,
    scores: Sequence[FloatArray],
    seed: int,
) -> ControlCoreDependence | NotApplicable:
    """The mean of the folds' models on control cores, against the gap they make of the classes."""
    if isinstance(controls, NotApplicable):
        return controls
    rows = np.concatenate([one.rows for one in audited])
    at = np.searchsorted(task.rows, rows)
    gaps = class_gaps(
        np.concatenate([one.scores for one in audited]),
        unit_ids(task.spots, "patient")[at],
        task.y[at],
    )
    spots = store.spots.iloc[controls]
    return control_core_dependence(
        np.mean(scores, axis=0),
        spots["core"].astype(str).to_numpy(dtype=str),
        spots["tma"].astype(str).to_numpy(dtype=str),
        classes=task.classes,
        class_shares=class_shares_of_tmas(task),
        gaps=gaps,
        tissues=spots["patient"].astype(str).to_numpy(dtype=str),
        seed=seed,
    )
