"""The figures of one trained model, by what a reader asks of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from corespot.models.registry import entry
from corespot.report.ablation_figures import ablation, ablation_table
from corespot.report.audit_shown import AuditView
from corespot.report.embedding_figures import embedding_maps
from corespot.report.fold_figures import fold_boxes
from corespot.report.gallery import pick_galleries
from corespot.report.gallery_figures import spots_of_gallery
from corespot.report.leakage_figures import leakage_gap
from corespot.report.overview_tables import reliability_table
from corespot.report.prediction_figures import confusion, reliability
from corespot.report.result_rows import LEVELS
from corespot.report.run_tables import RunTables
from corespot.report.segmentation_figures import segmentation
from corespot.report.spot_table import COLUMNS
from corespot.report.theme import plain
from corespot.report.tissue_figures import tissue_maps
from corespot.report.training_figures import learning_curves
from corespot.report.value_maps import spot_value_maps

Figures = dict[str, go.Figure]


@dataclass(frozen=True)
class ModelRun:
    """One model on one task, of a whole run.

    Parameters
    ----------
    run : RunTables
        Tables of the whole run.
    task, model : str
        Which of it.
    """

    run: RunTables
    task: str
    model: str

    @property
    def scores(self) -> Mapping[str, Any]:
        """Its metrics."""
        return self.run.metrics[self.task][self.model]

    @property
    def audit(self) -> AuditView | None:
        """Its audit, if there is one."""
        return self.run.audits.get(self.task, {}).get(self.model)

    @cached_property
    def classes(self) -> list[str]:
        """Class names, in order."""
        return self.run.classes(self.task)

    @cached_property
    def spots(self) -> pd.DataFrame:
        """Its spots with what is predicted of them."""
        return self.run.spots(self.task, self.model)

    def beside_spots(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table with the column ``row`` joined to place and class of these spots."""
        labels = self.run.labels[self.task][list(COLUMNS[:8])]
        return table.drop(columns="class", errors="ignore").merge(labels, on="row", how="inner")


def performance(one: ModelRun) -> Figures:
    """Box plot over folds, confusion matrices, calibration, learning curves, leakage gap."""
    run, n_classes = one.run, {one.task: len(one.classes)}
    folds = run.of(run.balanced_accuracy(), one.task, one.model)
    figures = {"folds": fold_boxes(folds, n_classes=n_classes)}
    for level in LEVELS:
        counts = one.scores[level]["confusion"]
        figures[f"confusion_{level}"] = confusion(
            np.asarray(counts["counts"], dtype=float),
            counts["classes"],
            title=f"Confusion matrix: {level} level",
            unit=f"{level}s",
        )
    figures["calibration"] = reliability(reliability_table({one.model: one.scores}))
    history = run.of(run.history, one.task, one.model)
    if len(history):
        figures["learning_curves"] = learning_curves(history)
    leakage = run.of(run.leakage, one.task, one.model)
    if len(leakage):
        measured = leakage.dropna(subset=["balanced_accuracy"])
        figures["leakage_gap"] = leakage_gap(measured, n_classes=n_classes)
    return figures


def maps(one: ModelRun) -> Figures:
    """Predicted class on the tissue, and which spots decide."""
    figures = {"class_maps": tissue_maps(one.spots, one.classes)}
    table = one.run.optional("sensitivity", one.task, one.model, "spot_map.parquet")
    if table is None or table.empty:
        return figures
    # Of two classes the sensitivities are the same but for their sign.
    for at, name in enumerate(one.classes[:1] if len(one.classes) == 2 else one.classes):
        spots = one.beside_spots(table[table["class"].astype(str) == name])
        figures[f"spot_sensitivity_{at}"] = spot_value_maps(
            spots,
            "sensitivity",
            title=f"Spots that decide: {plain(name)}",
            subtitle="how much the mean output moves with the spectrum of a spot",
            unit="sensitivity, summed over m/z",
        )
    return figures


def galleries(one: ModelRun) -> Figures:
    """Single spots: confidently right, confidently wrong, least confident."""
    means = dict(zip(one.classes, one.run.class_means[one.task], strict=True))
    store = one.run.store
    return {
        f"gallery_{name}": spots_of_gallery(
            gallery,
            one.spots,
            means,
            store.axis,
            store.take(gallery.spots["row"].to_numpy(dtype=np.int64)),
            with_maps=entry(one.model).is_spatial,
        )
        for name, gallery in pick_galleries(one.spots).items()
    }


def embedding(one: ModelRun) -> Figures:
    """t-SNE of the penultimate layer, where the sensitivity stage left one."""
    table = one.run.optional("sensitivity", one.task, one.model, "embedding.parquet")
    if table is None or table.empty:
        return {}
    return {"embedding": embedding_maps(one.beside_spots(table), one.classes)}


def segmented(one: ModelRun) -> Figures:
    """Tumour fraction of every core, mean over repeats, where the task has two classes."""
    scores = one.scores.get("segmentation") or {}
    cores = one.run.optional("train", one.task, one.model, "cores.parquet")
    if cores is None or cores.empty or not scores.get("positive"):
        return {}
    # A core measured in several TMAs is several; one repeat differs from the next by its folds.
    mean = cores.groupby(["core", "tma", "class"], as_index=False)[["fraction", "dice"]].mean()
    auc = scores.get("fraction_auc")
    return {"segmentation": segmentation(mean, one.classes, str(scores["positive"]), auc=auc)}


def ablated(one: ModelRun) -> Figures:
    """What the model loses when positions or spectra are shuffled, where that was tried."""
    table = ablation_table({one.task: {one.model: one.scores}})
    return {} if table.empty else {"ablation": ablation(table)}
