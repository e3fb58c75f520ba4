"""What the stages of a run left behind, as the tables that pages are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.io.artifacts import read_table
from corespot.io.store import SpectraStore
from corespot.report.audit_shown import AuditView
from corespot.report.spot_table import spot_table


@dataclass(frozen=True)
class RunTables:
    """Tables of all tasks and models, and where the larger ones lie.

    Parameters
    ----------
    cohort : str
        Path of the cohort folder.
    data : Path
        Folder of the stage outputs; predictions and embeddings are read when they are needed.
    store : SpectraStore
        The preprocessed spectra.
    metrics : mapping
        ``{task: {model: metrics}}``.
    folds : DataFrame
        ``task, model, repeat, fold, level, metric, value``.
    history : DataFrame
        ``task, model, repeat, fold, epoch, …``; may be empty.
    leakage : DataFrame
        ``task, model, grouping, balanced_accuracy, …``; may be empty.
    labels : mapping of str to DataFrame
        Task to its spots, with the columns ``row``, ``class`` and, where the truth of single
        spots is known, ``truth``.
    class_means : mapping of str to ndarray, shape (n_classes, n_bins)
        Mean preprocessed spectrum of every class of each task.
    tuning : mapping
        ``{task: {model: …}}`` of what was tuned; may be empty.
    design : mapping
        ``{task: …}``: the audit of each task's design.
    audits : mapping
        ``{task: {model: AuditView}}`` of the models that were audited.
    """

    cohort: str
    data: Path
    store: SpectraStore
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]
    folds: pd.DataFrame
    history: pd.DataFrame
    leakage: pd.DataFrame
    labels: Mapping[str, pd.DataFrame]
    class_means: Mapping[str, npt.NDArray[np.floating]]
    tuning: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    design: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    audits: Mapping[str, Mapping[str, AuditView]] = field(default_factory=dict)

    def classes(self, task: str) -> list[str]:
        """Class names of a task, in order."""
        first = next(iter(self.metrics[task].values()))
        return [str(name) for name in first["spot"]["confusion"]["classes"]]

    def of(self, table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
        """The rows of one model on one task."""
        if table.empty:
            return table
        return table[(table["task"] == task) & (table["model"] == model)]

    def balanced_accuracy(self) -> pd.DataFrame:
        """Balanced accuracy of every fold: ``task, model, repeat, fold, level`` and the value."""
        rows = self.folds[self.folds["metric"] == "balanced_accuracy"]
        return rows.rename(columns={"value": "balanced_accuracy"})

    def spots(self, task: str, model: str) -> pd.DataFrame:
        """The spots of a task with what a model predicts out of fold; see `spot_table`."""
        predictions = read_table(self.data / "train" / task / model / "predictions.parquet")
        return spot_table(predictions, self.labels[task], self.classes(task))

    def optional(self, stage: str, task: str, model: str, name: str) -> pd.DataFrame | None:
        """A table that only some models have, ``None`` where it is not there."""
        path = self.data / stage / task / model / name
        return read_table(path) if path.is_file() else None
