"""Cross-validate a model on a task, write the stage's output, and record both in MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import corespot
from corespot.cohort.splits import FoldTable
from corespot.cohort.tasks import TaskSpots
from corespot.evaluate.summary import evaluate_predictions, fold_table
from corespot.io.artifacts import whole_file, whole_folder, write_json, write_table
from corespot.io.store import SpectraStore
from corespot.tracking.headline import bins_kept, headline
from corespot.tracking.provenance import dvc_hashes, git_state
from corespot.tracking.pyfunc import log_ensemble
from corespot.tracking.runs import Run, reopen_run, start_run
from corespot.train.checkpoint import save_model
from corespot.train.crossvalidate import FoldResult, cross_validate, predictions_table
from corespot.train.estimator import make_estimator


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


@contextmanager
def open_training_run(request: TrainingRequest, *, cohort: str, uri: str | None) -> Iterator[Run]:
    """Open the parent run of a task and model, tagged with all it depends on.

    Parameters
    ----------
    request : TrainingRequest
        What is trained.
    cohort : str
        Path of the cohort folder as ``params.yaml`` gives it; its last part names the experiment.
    uri : str or None
        Tracking URI, see `resolve_uri`.
    """
    here = Path.cwd()
    hashes = dvc_hashes(here, {"raw": cohort, "store": "data/store", "folds": "data/folds"})
    tags = {
        "task": request.task.name,
        "model": request.model,
        "level": "model",
        "cohort": cohort,
        "grouping": request.folds.grouping,
        "optimistic": str(request.folds.optimistic).lower(),
        "folds.fingerprint": request.folds.fingerprint,
        "axis.fingerprint": request.store.axis.fingerprint,
        "corespot.version": corespot.__version__,
        **{f"dvc.{name}": value for name, value in hashes.items()},
        **git_state(here),
    }
    name = f"{request.task.name} {request.model}"
    with start_run(name, experiment=Path(cohort).name, tags=tags, uri=uri) as run:
        profile = {"n_spots": len(request.task), "n_bins": request.store.axis.n_bins}
        run.dataset(f"{Path(cohort).name} store", hashes["store"], "data/store", profile)
        fold_profile = {"grouping": request.folds.grouping}
        run.dataset(
            f"{request.task.name} folds", request.folds.fingerprint, "data/folds", fold_profile
        )
        yield run


def train_and_record(request: TrainingRequest, run: Run, out: Path, checkpoints: Path) -> None:
    """Run all folds, each in a child run, then write and log the whole.

    Parameters
    ----------
    request : TrainingRequest
        What to train.
    run : Run
        Open parent run.
    out : Path
        Stage output: predictions, metrics, fold models, ``run_id.txt``; complete or absent.
    checkpoints : Path
        Folder from which an interrupted run goes on; removed when the stage is done.
    """
    _end_interrupted(run, checkpoints / "run_id.txt")
    run.params(_described(request))
    with whole_folder(out) as part:
        results = cross_validate(
            request.store,
            request.task,
            request.folds,
            model=request.model,
            settings=request.settings,
            seed=request.seed,
            device=request.device,
            checkpoints=checkpoints,
        )
        done = [_record_fold(request, run, result, part) for result in results]
        _record_whole(request, run, done, part)
        (part / "run_id.txt").write_text(run.run_id + "\n", encoding="utf-8")
    shutil.rmtree(checkpoints, ignore_errors=True)
    if checkpoints.parent.is_dir() and not any(checkpoints.parent.iterdir()):
        checkpoints.parent.rmdir()


def _end_interrupted(run: Run, marker: Path) -> None:
    """Mark the run of an interrupted try as killed, and leave word for the next one."""
    if marker.is_file():
        former = reopen_run(marker.read_text(encoding="utf-8").strip(), run.client.tracking_uri)
        if former is not None:
            former.end_unfinished("KILLED")
    with whole_file(marker) as part:
        part.write_text(run.run_id + "\n", encoding="utf-8")


@dataclass(frozen=True)
class _Recorded:
    predictions: pd.DataFrame
    by_k: dict[int, pd.DataFrame]
    chosen_k: int | None
    history: pd.DataFrame
    train_balanced_accuracy: float
    seconds: float
    n_parameters: int


def _record_fold(
    request: TrainingRequest,
    run: Run,
    result: FoldResult,
    part: Path,
) -> _Recorded:
    fold, task = result.fold, request.task
    name = f"repeat{fold.repeat}-fold{fold.index}"
    predictions = predictions_table(fold.test_rows, result.probabilities, fold=fold, task=task)
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
        child.params({**_settings(request), "repeat": fold.repeat, "fold": fold.index})
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
    return _Recorded(
        predictions=predictions,
        by_k={
            k: predictions_table(fold.test_rows, values, fold=fold, task=task)
            for k, values in result.by_k.items()
        },
        chosen_k=getattr(result.estimator, "chosen_k_", None),
        history=result.history,
        train_balanced_accuracy=result.train_balanced_accuracy,
        seconds=result.seconds,
        n_parameters=int(result.estimator.n_parameters_),
    )


def _record_whole(request: TrainingRequest, run: Run, done: list[_Recorded], part: Path) -> None:
    task, spots = request.task, request.store.spots
    predictions = pd.concat([one.predictions for one in done], ignore_index=True)
    metrics = evaluate_predictions(
        predictions,
        spots,
        task.classes,
        n_bootstrap=request.n_bootstrap,
        seed=request.bootstrap_seed,
    )
    train_balanced = float(np.mean([one.train_balanced_accuracy for one in done]))
    epochs = max((len(one.history) for one in done), default=0)
    metrics.update(
        grouping=request.folds.grouping,
        optimistic=request.folds.optimistic,
        train_spot_balanced_accuracy=train_balanced,
        n_parameters=done[0].n_parameters,
        seconds_per_epoch=(
            float(
                np.sum([one.seconds for one in done]) / np.sum([len(one.history) for one in done])
            )
            if epochs
            else None
        ),
        fit_seconds=float(np.sum([one.seconds for one in done])),
        n_spots=len(task),
        run_id=run.run_id,
    )
    if done[0].by_k:
        metrics["k"] = bins_kept(
            {k: pd.concat([one.by_k[k] for one in done]) for k in done[0].by_k},
            spots,
            task.classes,
            chosen=[one.chosen_k for one in done],
        )
    write_json(part / "metrics.json", metrics)
    write_table(part / "predictions.parquet", predictions)
    write_table(part / "fold_metrics.parquet", fold_table(predictions, spots, task.classes))
    write_table(part / "folds.parquet", request.folds.assignment)
    if epochs:
        history = pd.concat([one.history for one in done], ignore_index=True)
        write_table(part / "history.parquet", history)
    run.metrics(
        {
            **headline(metrics),
            "train_spot_balanced_accuracy": train_balanced,
            "train_test_gap": train_balanced - metrics["spot"]["balanced_accuracy"]["median"],
            "n_parameters": metrics["n_parameters"],
            "seconds_per_epoch": metrics["seconds_per_epoch"],
        }
    )
    for file in sorted(part.glob("*.parquet")):
        run.artifact(file, "tables")
    run.artifact(part / "metrics.json")
    run.tags({"model_uri": log_ensemble(run, part / "models", corespot.__version__)})


def _described(request: TrainingRequest) -> dict[str, Any]:
    table = request.folds
    return {
        "task": request.task.name,
        "model": request.model,
        "classes": list(request.task.classes),
        "seed": request.seed,
        "n_spots": len(request.task),
        "n_bins": request.store.axis.n_bins,
        "folds": {"group": table.grouping, "fingerprint": table.fingerprint[:16]},
        "recipe": request.store.meta["recipe"],
        **_settings(request),
    }


def _settings(request: TrainingRequest) -> dict[str, Any]:
    """Every setting of model and training, defaults too, under names that models share."""
    estimator = make_estimator(
        request.model, request.settings, seed=request.seed, device=request.device
    )
    left_out = ("random_state", "device")
    every = {k: v for k, v in estimator.get_params(deep=False).items() if k not in left_out}
    return {"train": every}
