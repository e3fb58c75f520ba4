"""Cross-validation of a model with ways out of confounding."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from corespot.cohort.splits import Fold, FoldTable
from corespot.cohort.tasks import TaskSpots
from corespot.errors import ModelError
from corespot.mitigate.prepare import PreparedFold, SpectraSource, prepare_fold
from corespot.mitigate.way import Spectra, Way
from corespot.models.registry import entry
from corespot.train.crossvalidate import EpochCallback, FoldResult, inner_groups
from corespot.train.fit_inputs import Watched
from corespot.train.held_out import HeldOut
from corespot.train.tuned import Tuned


@dataclass(frozen=True)
class MitigatedFoldResult(FoldResult):
    """What one fold produced, and the spectra as its estimator must be shown them.

    Parameters
    ----------
    prepared : PreparedFold
        ``prepared.spectra`` is what to audit and explain the estimator on.
    """

    prepared: PreparedFold | None = field(default=None, repr=False)

    def spectra_of(self, other: SpectraSource, task: TaskSpots) -> Any:
        """Spectra of the spots of a task in another cohort, as the estimator must see them."""
        if self.prepared is None:
            raise ModelError("this fold result does not say how its spectra were prepared")
        return self.prepared.view_of(other, task.rows).rows(task.rows)


def cross_validate_mitigated(
    store: SpectraSource,
    task: TaskSpots,
    folds: FoldTable,
    *,
    model: str,
    settings: Mapping[str, Any],
    ways: Sequence[Way],
    seed: int,
    device: str = "auto",
    checkpoints: Path | None = None,
    on_epoch: EpochCallback | None = None,
    watch: bool = False,
    tuned: Tuned | None = None,
) -> Iterator[MitigatedFoldResult]:
    """Fit `model` with `ways` on every fold and yield each result as soon as it is there.

    Parameters are those of `corespot.train.crossvalidate.cross_validate`, and `ways`, which
    `corespot.mitigate.requested.make_ways` makes. Seeds of folds are the same as there: without
    ways, the results are the same.

    Raises
    ------
    FoldError
        If a group is on both sides of a fold, or the folds are of other rows.
    ParamsError
        If a way is not for this model.
    """
    folds.check_task(task)
    labels = np.asarray(task.classes)[task.y]
    for fold in folds:
        train, test = (
            np.searchsorted(task.rows, rows) for rows in (fold.train_rows, fold.test_rows)
        )
        prepared = prepare_fold(
            store,
            task,
            fold,
            model=model,
            settings={**settings, **(tuned.of(fold) if tuned else {})},
            ways=ways,
            seed=seed,
            device=device,
        )
        estimator = prepared.estimator
        # They answer to all that is asked of arrays here.
        x_train, x_test = (
            cast("Spectra", prepared.spectra.rows(r)) for r in (fold.train_rows, fold.test_rows)
        )
        started = time.perf_counter()
        estimator.fit(
            x_train,
            labels[train],
            groups=inner_groups(task, train, folds.grouping, estimator.estimator),
            on_epoch=_bound(on_epoch, fold),
            checkpoint=_checkpoint(checkpoints, fold),
            watched=Watched(x_test, labels[test]) if watch and entry(model).is_network else None,
        )
        seconds = time.perf_counter() - started
        yield MitigatedFoldResult(
            fold=fold,
            estimator=estimator,
            probabilities=HeldOut(x_test, task, test, {}).predicted(estimator),
            train_balanced_accuracy=float(
                balanced_accuracy_score(labels[train], estimator.predict(x_train))
            ),
            seconds=seconds,
            by_k={},
            prepared=prepared,
        )


def _bound(on_epoch: EpochCallback | None, fold: Fold) -> Callable[[Mapping[str, float]], None]:
    def call(record: Mapping[str, float]) -> None:
        if on_epoch is not None:
            on_epoch(fold, record)

    return call


def _checkpoint(folder: Path | None, fold: Fold) -> Path | None:
    return None if folder is None else folder / f"repeat{fold.repeat}-fold{fold.index}"
