"""Figures of one trained model, to be kept with its run: a page and plotly JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from corespot.report.html import Section, save_figure_json, write_page
from corespot.report.overview import RunTables, reliability_table
from corespot.report.performance_figures import fold_boxes, leakage_gap
from corespot.report.prediction_figures import confusion, reliability
from corespot.report.training_figures import learning_curves


def write_run_page(folder: Path, run: RunTables, task: str, model: str) -> None:
    """Write ``performance.html`` and one JSON a figure for a model on a task.

    Parameters
    ----------
    folder : Path
        Receives the files.
    run : RunTables
        Tables of the whole run.
    task, model : str
        Which of it.
    """
    figures = run_figures(run, task, model)
    for name, figure in figures.items():
        save_figure_json(figure, folder / f"{name}.json")
    write_page(
        folder / "performance.html",
        f"Performance: {task}, {model}",
        [
            Section(name.replace("_", " ").capitalize(), [figure])
            for name, figure in figures.items()
        ],
        subtitle="out-of-fold predictions; research use only",
    )


def run_figures(run: RunTables, task: str, model: str) -> dict[str, go.Figure]:
    """Box plot over folds, confusion matrices, calibration, learning curves, leakage gap."""
    scores: dict[str, Any] = dict(run.metrics[task][model])
    folds = _of(run.folds, task, model)
    folds = folds[folds["metric"] == "balanced_accuracy"].rename(
        columns={"value": "balanced_accuracy"}
    )
    figures = {"folds": fold_boxes(folds)}
    for level in ("spot", "core", "patient"):
        counts = scores[level]["confusion"]
        figures[f"confusion_{level}"] = confusion(
            np.asarray(counts["counts"], dtype=float),
            counts["classes"],
            title=f"Confusion matrix: {level} level",
            unit=f"{level}s",
        )
    figures["calibration"] = reliability(reliability_table({model: scores}))
    history = _of(run.history, task, model)
    if len(history):
        figures["learning_curves"] = learning_curves(history)
    leakage = _of(run.leakage, task, model)
    if len(leakage):
        figures["leakage_gap"] = leakage_gap(leakage.dropna(subset=["balanced_accuracy"]))
    return figures


def _of(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    if table.empty:
        return table
    return table[(table["task"] == task) & (table["model"] == model)]
