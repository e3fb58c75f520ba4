"""The report of a whole run: one page a subject, and an index that links them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.report.html import Preformatted, Section, write_page
from corespot.report.performance_figures import fold_boxes, leakage_gap
from corespot.report.prediction_figures import confusion, reliability
from corespot.report.preprocessing_figures import before_after, clearest_window
from corespot.report.quality_figures import label_heatmap, mean_spectra, quality_by_tma
from corespot.report.tables import as_text, label_by_tma, readable, result_table
from corespot.report.training_figures import learning_curves


@dataclass(frozen=True)
class Example:
    """A spectrum that shows what preprocessing did.

    Parameters
    ----------
    spot : str
        File, position and core.
    raw : (ndarray, ndarray)
        m/z and intensity as measured.
    processed : (MzAxis, ndarray)
        The same spectrum in the store.
    """

    spot: str
    raw: tuple[npt.NDArray[np.float64], npt.NDArray[Any]]
    processed: tuple[MzAxis, npt.NDArray[np.float32]]


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
    quality : mapping of str to DataFrame
        ``spots``, ``tmas`` and ``mean_spectra`` of the preprocess stage.
    example : Example, optional
        One spectrum before and after preprocessing.
    """

    cohort: str
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]
    folds: pd.DataFrame
    history: pd.DataFrame
    leakage: pd.DataFrame
    spots: pd.DataFrame
    labels: Mapping[str, pd.DataFrame]
    quality: Mapping[str, pd.DataFrame]
    example: Example | None = None


def write_overview(folder: Path, run: RunTables) -> None:
    """Write ``index.html`` (results) and ``quality.html`` into `folder`.

    Parameters
    ----------
    folder : Path
        Receives the pages.
    run : RunTables
        What is shown.
    """
    write_page(
        folder / "index.html",
        f"Results: {Path(run.cohort).name}",
        list(_result_sections(run)),
        subtitle="research use only; not for diagnosis",
    )
    write_page(
        folder / "quality.html",
        f"Quality of the spectra: {Path(run.cohort).name}",
        list(_quality_sections(run)),
        subtitle="descriptive; nothing of this is fed back into training",
    )


def results_markdown(run: RunTables) -> str:
    """The result table and the leakage gap as Markdown."""
    from corespot.report.tables import as_markdown

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
    return "\n\n".join(parts) + "\n"


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
    for task, models in run.metrics.items():
        labels = run.labels[task]
        parts: list[Any] = [label_heatmap(label_by_tma(labels, "class"))]
        for model, scores in models.items():
            counts = scores["spot"]["confusion"]
            parts.append(
                confusion(
                    np.asarray(counts["counts"], dtype=float),
                    counts["classes"],
                    title=f"Confusion matrix: {model}",
                )
            )
        parts.append(reliability(_reliability_table(models)))
        for model in models:
            epochs = run.history
            if len(epochs):
                epochs = epochs[(epochs["task"] == task) & (epochs["model"] == model)]
            if len(epochs):
                parts.append(learning_curves(epochs, title=f"Learning curves: {model}"))
        yield Section(f"Task {task}", parts)


def _quality_sections(run: RunTables) -> Iterator[Section]:
    spots = run.quality["spots"]
    tmas = run.quality["tmas"]
    means = run.quality["mean_spectra"]
    yield Section("Spots by TMA", [quality_by_tma(spots, tmas), tmas])
    if run.example is not None:
        figure = before_after(
            run.example.raw,
            run.example.processed,
            zoom=clearest_window(*run.example.raw),
            spot=run.example.spot,
        )
        yield Section("Before and after", [figure])
    axis = MzAxis(means[means["tma"] == means["tma"].iloc[0]]["mz"].to_numpy(dtype=np.float64))
    for column, title in (
        ("raw_mean", "Mean raw spectrum of each TMA"),
        ("preprocessed_mean", "Mean preprocessed spectrum of each TMA"),
    ):
        by_tma = {
            str(tma): part[column].to_numpy(dtype=np.float64)
            for tma, part in means.groupby("tma", sort=True)
        }
        yield Section(title, [mean_spectra(by_tma, axis, title=title)])


def _reliability_table(models: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
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
