"""What a fold leaves behind: its model, its tables, its child run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from corespot.cohort.splits import Fold, FoldTable
from corespot.cohort.tasks import TaskSpots
from corespot.evaluate.summary import evaluate_predictions
from corespot.io.store import SpectraStore
from corespot.tracking.headline import headline
from corespot.tracking.runs import Run
from corespot.train.checkpoint import save_model
from corespot.train.crossvalidate import FoldResult, predictions_table, task_settings
from corespot.train.estimator import make_estimator
from corespot.train.tuned import Tuned


@dataclass(frozen=True)
class TrainingRequest:
    """What a training stage is asked to do.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        Spots and labels.
    folds : FoldTable
        Grouped folds over these spots.
    model : str
        Registered model name.
    settings : mapping
        Model and training settings, merged.
    seed : int
        Seed of the run.
    device : str
        ``auto``, ``cpu`` or a torch device.
    n_bootstrap : int
        Resamples for confidence intervals.
    bootstrap_seed : int
        Seed of the resampling.
    label : str
        Column that the labels were read from.
    watch : bool
        Note the balanced accuracy on the test spots after every epoch, to be looked at.
    tuned : Tuned
        Settings found for each fold.
    """

    store: SpectraStore
    task: TaskSpots
    folds: FoldTable
    model: str
    settings: Mapping[str, Any]
    seed: int
    device: str
    n_bootstrap: int = 1000
    bootstrap_seed: int = 0
    label: str = ""
    watch: bool = True
    tuned: Tuned = field(default_factory=Tuned)


@dataclass(frozen=True)
class FoldRecord:
    """What of a fold is needed for the whole.

    Parameters
    ----------
    predictions : DataFrame
        Out-of-fold predictions.
    by_k : dict of int to DataFrame
        The same for every number of selected bins.
    ablated : dict of str to DataFrame
        The same with one kind of structure destroyed, column ``shuffle`` tells shufflings apart.
    patches : DataFrame
        Predictions of patches; empty for models without.
    history : DataFrame
        One row an epoch.
    facts : mapping
        What the fit found worth telling.
    train_balanced_accuracy, seconds : float
        On the training spots; of fitting.
    n_parameters : int
        Trainable parameters.
    """

    predictions: pd.DataFrame
    by_k: dict[int, pd.DataFrame]
    ablated: dict[str, pd.DataFrame]
    patches: pd.DataFrame
    history: pd.DataFrame
    facts: Mapping[str, Any]
    train_balanced_accuracy: float
    seconds: float
    n_parameters: int


def record_fold(request: TrainingRequest, run: Run, result: FoldResult, part: Path) -> FoldRecord:
    """Save the model of a fold and log it in a child run.

    Parameters
    ----------
    request : TrainingRequest
        What is trained.
    run : Run
        Parent run.
    result : FoldResult
        What the fold produced.
    part : Path
        Unfinished stage output.
    """
    fold, task = result.fold, request.task
    name = f"repeat{fold.repeat}-fold{fold.index}"
    predictions = predictions_table(fold.test_rows, result.probabilities, fold=fold, task=task)
    facts = dict(result.estimator.facts_)
    save_model(
        part / "models" / name,
        result.estimator,
        axis=request.store.axis,
        classes=[str(name) for name in result.estimator.classes_],
        recipe=request.store.meta["recipe"],
    )
    levels = evaluate_predictions(predictions, request.store.spots, task.classes, n_bootstrap=0)
    test_balanced = levels["spot"]["balanced_accuracy"]["median"]
    with run.child(
        f"{task.name} {request.model} {name}",
        {"task": task.name, "model": request.model, "level": "fold"},
    ) as child:
        child.params(
            {
                **every_setting(request, fold),
                "repeat": fold.repeat,
                "fold": fold.index,
                "fit": facts,
            }
        )
        # The whole history: a fold that went on from a checkpoint has epochs of an earlier run.
        child.metric_rows(
            [
                (int(entry["epoch"]), {k: v for k, v in entry.items() if k != "epoch"})
                for entry in result.estimator.history_ or []
            ]
        )
        child.metrics(
            {
                **headline(levels),
                "train_spot_balanced_accuracy": result.train_balanced_accuracy,
                "train_test_gap": result.train_balanced_accuracy - test_balanced,
                "fit_seconds": result.seconds,
            }
        )
        child.artifacts(part / "models" / name, "model")
    return FoldRecord(
        predictions=predictions,
        by_k={
            k: predictions_table(fold.test_rows, values, fold=fold, task=task)
            for k, values in result.by_k.items()
        },
        ablated={
            kind: pd.concat(
                [
                    predictions_table(fold.test_rows, one, fold=fold, task=task).assign(shuffle=n)
                    for n, one in enumerate(shufflings)
                ],
                ignore_index=True,
            )
            for kind, shufflings in result.ablated.items()
        },
        patches=result.patches,
        history=result.history,
        facts=facts,
        train_balanced_accuracy=result.train_balanced_accuracy,
        seconds=result.seconds,
        n_parameters=int(result.estimator.n_parameters_),
    )


def every_setting(request: TrainingRequest, fold: Fold | None = None) -> dict[str, Any]:
    """Every setting of model and training, defaults too, under names that models share.

    Parameters
    ----------
    request : TrainingRequest
        What is trained.
    fold : Fold, optional
        The fold whose tuned settings are meant; those of ``params.yaml`` if left out.
    """
    tuned = {} if fold is None else request.tuned.of(fold)
    estimator = make_estimator(
        request.model,
        task_settings(request.model, {**request.settings, **tuned}, request.task),
        seed=request.seed,
        device=request.device,
    )
    left_out = ("random_state", "device")
    every = {k: v for k, v in estimator.get_params(deep=False).items() if k not in left_out}
    return {"train": every}
