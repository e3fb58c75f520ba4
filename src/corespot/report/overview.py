"""The report of a whole run: every task and model on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from corespot.report.html import Preformatted, Section, write_page
from corespot.report.performance_figures import fold_boxes, leakage_gap
from corespot.report.prediction_figures import confusion, reliability
from corespot.report.quality_figures import label_heatmap
from corespot.report.tables import as_markdown, as_text, label_by_tma, readable, result_table
from corespot.report.training_figures import learning_curves


@dataclass(frozen=True)
class RunTables:
    """What the stages left behind, as tables.

    Parameters
    ----------
    cohort : str
        Path of the cohort folder.
    metrics : mapping
        ``{task: {model: metrics}}``.
    folds : DataFrame
        ``task, model, repeat, fold, level, metric, value``.
    history : DataFrame
        ``task, model, repeat, fold, epoch, …``; may be empty.
    leakage : DataFrame
        ``task, model, grouping, balanced_accuracy, …``; may be empty.
    spots : DataFrame
        Spot table.
    labels : mapping of str to DataFrame
        Task to its spots with the column ``class``.
    """

    cohort: str
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]
    folds: pd.DataFrame
    history: pd.DataFrame
    leakage: pd.DataFrame
    spots: pd.DataFrame
    labels: Mapping[str, pd.DataFrame]


def write_overview(folder: Path, run: RunTables) -> None:
    """Write ``index.html`` into `folder`: results of all tasks and models.

    Parameters
    ----------
    folder : Path
        Receives the page.
    run : RunTables
        What is shown.
    """
    write_page(
        folder / "index.html",
        f"Results: {Path(run.cohort).name}",
        list(_result_sections(run)),
        subtitle="research use only; not for diagnosis",
    )


def results_markdown(run: RunTables) -> str:
    """The result table and the leakage gap as Markdown."""
    parts = [
        f"# Results: {Path(run.cohort).name}",
        as_markdown(readable(result_table(run.metrics))),
    ]
    if len(run.leakage):
        shown = run.leakage[["task", "model", "grouping", "balanced_accuracy", "gap", "reason"]]
        cells = shown.copy()
        for column in ("balanced_accuracy", "gap"):
            cells[column] = ["–" if pd.isna(value) else f"{value:.3f}" for value in shown[column]]
        cells["grouping"] = [
            f"{name} (optimistic)" if name == "spot" else name for name in cells["grouping"]
        ]
        parts += ["## Leakage gap", as_markdown(cells.fillna("").astype(str))]
    kept = bins_kept_table(run.metrics)
    if len(kept):
        parts += ["## Bins kept by ROC/LDA", as_markdown(kept.astype(str))]
    return "\n\n".join(parts) + "\n"


def bins_kept_table(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Worst, best and chosen number of selected bins of every model that selects bins."""
    rows = []
    for task, models in metrics.items():
        for model, scores in models.items():
            if "k" not in scores:
                continue
            row: dict[str, object] = {"task": task, "model": model}
            for name in ("worst", "best"):
                one = scores["k"][name]
                row[f"{name} K"] = one["k"]
                row[f"{name}: spot"] = f"{one['spot']:.3f}"
                row[f"{name}: core"] = f"{one['core']:.3f}"
            row["chosen K, a fold each"] = ", ".join(str(k) for k in scores["k"]["chosen"])
            row["chosen: spot"] = f"{scores['spot']['balanced_accuracy']['median']:.3f}"
            rows.append(row)
    return pd.DataFrame(rows)


def _result_sections(run: RunTables) -> Iterator[Section]:
    table = as_text(readable(result_table(run.metrics)))
    boxes = run.folds[run.folds["metric"] == "balanced_accuracy"].rename(
        columns={"value": "balanced_accuracy"}
    )
    yield Section(
        "Balanced accuracy",
        [
            "Median with quartiles, over repeats if there are several, else over folds.",
            Preformatted(table),
            *(fold_boxes(boxes, level=level) for level in ("spot", "core", "patient")),
        ],
    )
    if len(run.leakage):
        measured = run.leakage.dropna(subset=["balanced_accuracy"])
        refused = run.leakage[run.leakage["balanced_accuracy"].isna()]
        reasons = [f"{row.task}, {row.grouping}: {row.reason}" for row in refused.itertuples()]
        yield Section("Leakage gap", [leakage_gap(measured), *reasons])
    kept = bins_kept_table(run.metrics)
    if len(kept):
        yield Section(
            "Bins kept by ROC/LDA",
            [
                "Worst and best K are chosen on the test folds, as the paper reports them; the "
                "result table uses the K that inner folds chose, which never saw the test part.",
                kept,
            ],
        )
    for task, models in run.metrics.items():
        labels = run.labels[task]
        counts_by_tma = label_by_tma(labels, "class")
        parts: list[Any] = [label_heatmap(counts_by_tma)]
        if ((counts_by_tma > 0).sum(axis=0) < 2).all():
            parts.insert(
                0,
                "No TMA holds two classes of this task. Whatever the figures below say, they "
                "cannot tell a difference between the classes from one between the measurements; "
                "try the models on a cohort with another design (corespot transfer).",
            )
        for model, scores in models.items():
            counts = scores["spot"]["confusion"]
            parts.append(
                confusion(
                    np.asarray(counts["counts"], dtype=float),
                    counts["classes"],
                    title=f"Confusion matrix: {model}",
                )
            )
        parts.append(reliability(reliability_table(models)))
        for model in models:
            epochs = run.history
            if len(epochs):
                epochs = epochs[(epochs["task"] == task) & (epochs["model"] == model)]
            if len(epochs):
                parts.append(learning_curves(epochs, title=f"Learning curves: {model}"))
        yield Section(f"Task {task}", parts)


def reliability_table(models: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Confidence against accuracy of spots, one row a model and bin, for `reliability`."""
    rows = [
        {
            "model": model,
            "predicted": line["confidence"],
            "observed": line["accuracy"],
            "count": line["n"],
        }
        for model, scores in models.items()
        for line in scores["spot"]["calibration"]["reliability"]
    ]
    return pd.DataFrame(rows, columns=["model", "predicted", "observed", "count"])
