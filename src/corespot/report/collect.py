"""Gather what the stages left in ``data`` into the tables that a report shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from corespot.cohort.tasks import Task, select_spots
from corespot.errors import StoreError
from corespot.io.artifacts import read_json, read_table
from corespot.report.overview import RunTables


def collect_run(
    data: Path, cohort: str, *, tasks: Mapping[str, Task], models: Iterable[str]
) -> RunTables:
    """Read the outputs of all tasks and models.

    Parameters
    ----------
    data : Path
        Folder of the stage outputs.
    cohort : str
        Path of the cohort folder.
    tasks : mapping of str to Task
        Tasks that were run.
    models : iterable of str
        Models that were run.

    Raises
    ------
    StoreError
        If an output is missing.
    """
    names = tuple(models)
    spots = read_table(data / "store" / "spots.parquet")
    metrics: dict[str, dict[str, Any]] = {}
    folds, history, leakage = [], [], []
    labels = {}
    for task, definition in tasks.items():
        selected = select_spots(spots, task, definition)
        labels[task] = selected.spots.assign(**{"class": [selected.classes[y] for y in selected.y]})
        metrics[task] = {}
        for model in names:
            folder = data / "train" / task / model
            metrics[task][model] = _complete(folder / "metrics.json")
            folds.append(_named(read_table(folder / "fold_metrics.parquet"), task, model))
            if (folder / "history.parquet").is_file():
                history.append(_named(read_table(folder / "history.parquet"), task, model))
        gap = data / "leakage" / f"{task}.csv"
        if gap.is_file() and gap.stat().st_size > 1:
            leakage.append(read_table(gap))
    return RunTables(
        cohort=cohort,
        metrics=metrics,
        folds=pd.concat(folds, ignore_index=True),
        history=_stacked(history),
        leakage=_stacked(leakage),
        spots=spots,
        labels=labels,
    )


def _complete(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not {"spot", "core", "patient", "run_id"} <= set(content):
        raise StoreError(f"{path} is incomplete; run `dvc repro` again to train this model")
    return content


def _named(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    return table.assign(task=task, model=model)


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
