"""What a cross-validated model leaves behind: metrics, tables, the served model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import corespot
from corespot.cohort.tasks import TaskSpots
from corespot.evaluate.ablation import ablation_drops
from corespot.evaluate.patches import evaluate_patches
from corespot.evaluate.segmentation import evaluate_segmentation
from corespot.evaluate.summary import evaluate_predictions, fold_table
from corespot.io.artifacts import write_json, write_table
from corespot.tracking.fold_records import FoldRecord, TrainingRequest
from corespot.tracking.headline import bins_kept, headline
from corespot.tracking.pyfunc import log_ensemble
from corespot.tracking.runs import Run
from corespot.tracking.served import served_tags


def record_whole(
    request: TrainingRequest, run: Run, done: Sequence[FoldRecord], part: Path
) -> None:
    """Evaluate all folds together, write the stage's tables and log them.

    Parameters
    ----------
    request : TrainingRequest
        What was trained.
    run : Run
        Parent run.
    done : sequence of FoldRecord
        All folds of all repeats.
    part : Path
        Unfinished stage output.
    """
    tables = _tables(request, done)
    metrics, tables["cores"] = _metrics(request, done, tables)
    metrics["run_id"] = run.run_id
    metrics["tuning"] = {"kind": request.tuned.kind, "note": request.tuned.note}
    write_json(part / "metrics.json", metrics)
    for name, table in tables.items():
        if len(table):
            write_table(part / f"{name}.parquet", table)
    run.metrics(
        {
            **headline(metrics),
            "train_spot_balanced_accuracy": metrics["train_spot_balanced_accuracy"],
            "train_test_gap": metrics["train_spot_balanced_accuracy"]
            - metrics["spot"]["balanced_accuracy"]["median"],
            "n_parameters": metrics["n_parameters"],
            "seconds_per_epoch": metrics["seconds_per_epoch"],
            **_beside(metrics),
        }
    )
    for file in sorted(part.glob("*.parquet")):
        run.artifact(file, "tables")
    run.artifact(part / "metrics.json")
    run.tags(served_tags(run, log_ensemble(run, part / "models", corespot.__version__)))
    scopes = {str(one.facts["training_scope"]) for one in done if "training_scope" in one.facts}
    if scopes:
        run.tags({"training_scope": "; ".join(sorted(scopes))})


def _tables(request: TrainingRequest, done: Sequence[FoldRecord]) -> dict[str, pd.DataFrame]:
    predictions = pd.concat([one.predictions for one in done], ignore_index=True)
    return {
        "predictions": predictions,
        "fold_metrics": fold_table(predictions, request.store.spots, request.task.classes),
        "folds": request.folds.assignment,
        "spots": spots_of(request.task),
        "history": pd.concat([one.history for one in done], ignore_index=True),
        "patches": pd.concat([one.patches for one in done], ignore_index=True),
        "ablations": _stacked_ablations(done),
    }


def spots_of(task: TaskSpots) -> pd.DataFrame:
    """Where each spot of a task lies and what it is, so that a run can be read without its store.

    Returns
    -------
    DataFrame
        ``row``, ``file``, ``x``, ``y``, ``core``, ``tma``, ``patient``, ``class``, and ``truth``
        where the truth of single spots is known (empty where it is not).
    """
    table = task.labelled()
    wanted = ("row", "file", "x", "y", "core", "tma", "patient", "class", "truth")
    return table[[name for name in wanted if name in table]].reset_index(drop=True)


def _stacked_ablations(done: Sequence[FoldRecord]) -> pd.DataFrame:
    parts = [table.assign(ablation=kind) for one in done for kind, table in one.ablated.items()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _metrics(
    request: TrainingRequest, done: Sequence[FoldRecord], tables: dict[str, pd.DataFrame]
) -> tuple[dict[str, Any], pd.DataFrame]:
    task, spots, predictions = request.task, request.store.spots, tables["predictions"]
    drawn: dict[str, Any] = {"n_bootstrap": request.n_bootstrap, "seed": request.bootstrap_seed}
    metrics = evaluate_predictions(predictions, spots, task.classes, **drawn)
    epochs = len(tables["history"])
    seconds = float(np.sum([one.seconds for one in done]))
    metrics.update(
        grouping=request.folds.grouping,
        optimistic=request.folds.optimistic,
        train_spot_balanced_accuracy=float(np.mean([one.train_balanced_accuracy for one in done])),
        n_parameters=done[0].n_parameters,
        seconds_per_epoch=seconds / epochs if epochs else None,
        fit_seconds=seconds,
        n_spots=len(task),
        facts=[dict(one.facts) for one in done],
    )
    if done[0].by_k:
        metrics["k"] = bins_kept(
            {k: pd.concat([one.by_k[k] for one in done]) for k in done[0].by_k},
            spots,
            task.classes,
            chosen=[one.facts["chosen_k"] for one in done],
        )
    metrics["segmentation"], cores = evaluate_segmentation(
        predictions,
        spots,
        task.classes,
        label=request.label,
        truth=task.truth_by_row(len(spots)),
        truth_label=task.truth_label,
        **drawn,
    )
    if len(tables["patches"]):
        metrics["patches"] = evaluate_patches(tables["patches"], spots, task.classes, **drawn)
    if done[0].ablated:
        ablated = {
            kind: pd.concat([one.ablated[kind] for one in done], ignore_index=True)
            for kind in done[0].ablated
        }
        metrics["ablation"] = ablation_drops(predictions, ablated, spots, task.classes, **drawn)
    return metrics, cores


def _beside(metrics: dict[str, Any]) -> dict[str, float | None]:
    """Figures of the segmentation and the ablations, flat as MLflow wants them."""
    found: dict[str, float | None] = {}
    segmentation = metrics["segmentation"]
    for name in ("fraction_auc", "spot_balanced_accuracy"):
        entry = segmentation.get(name)
        if entry and entry.get("value") is not None:
            found[f"segmentation_{name}"] = entry["value"]
    if segmentation.get("dice"):
        found["segmentation_dice"] = segmentation["dice"]["mean"]
    for kind, entry in metrics.get("ablation", {}).items():
        found[f"ablation_{kind}_drop"] = entry["drop"]
    return found
