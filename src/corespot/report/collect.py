"""Gather what the stages left in ``data`` into the tables that a report shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd

from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.errors import StoreError
from corespot.explain.folds import class_means
from corespot.io.artifacts import read_arrays, read_json, read_table
from corespot.io.store import SpectraStore
from corespot.report.audit_shown import AuditView
from corespot.report.audit_summary import brief
from corespot.report.audit_view import read_audit
from corespot.report.run_tables import RunTables
from corespot.report.tables import is_nested, label_by_tma
from corespot.report.tuning_summary import tuning_summary


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

    Returns
    -------
    RunTables
        Metrics are those of ``metrics.json`` with ``nested_design``: whether no TMA holds two
        classes of the task; and ``audit``: verdict and artifact share of an audited model.

    Raises
    ------
    StoreError
        If an output is missing.
    """
    names = tuple(models)
    store = SpectraStore.open(data / "store")
    metrics: dict[str, dict[str, Any]] = {}
    folds, history, leakage = [], [], []
    labels, means = {}, {}
    audits: dict[str, dict[str, AuditView]] = {}
    for task, definition in tasks.items():
        selected = select_spots(store.spots, task, definition)
        labels[task] = selected.labelled()
        means[task] = _class_means(data, store, selected, names)
        nested = is_nested(label_by_tma(labels[task], "class"))
        metrics[task], audits[task] = {}, {}
        for model in names:
            folder = data / "train" / task / model
            metrics[task][model] = _complete(folder / "metrics.json") | {"nested_design": nested}
            audit = data / "audit" / task / model
            if audit.is_dir():
                audits[task][model] = read_audit(audit)
                metrics[task][model]["audit"] = brief(audits[task][model])
            folds.append(_named(read_table(folder / "fold_metrics.parquet"), task, model))
            if (folder / "history.parquet").is_file():
                history.append(_named(read_table(folder / "history.parquet"), task, model))
        gap = data / "leakage" / f"{task}.csv"
        if gap.is_file() and gap.stat().st_size > 1:
            leakage.append(read_table(gap))
    return RunTables(
        cohort=cohort,
        data=data,
        store=store,
        metrics=metrics,
        folds=pd.concat(folds, ignore_index=True),
        history=_stacked(history),
        leakage=_stacked(leakage),
        labels=labels,
        class_means=means,
        tuning=tuning_summary(data, tasks, names),
        design=_complete_design(data / "design" / "design.json", tasks),
        audits=audits,
    )


def _class_means(
    data: Path, store: SpectraStore, task: TaskSpots, models: Iterable[str]
) -> npt.NDArray[Any]:
    """Mean spectrum of each class; the sensitivity stage has been through all spectra already."""
    for model in models:
        path = data / "sensitivity" / task.name / model / "sensitivity.npz"
        if path.is_file():
            found = read_arrays(path).get("class_means")
            if found is not None and found.shape == (len(task.classes), store.axis.n_bins):
                return found
    return class_means(store, task)


def _complete(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict) or not {"spot", "core", "patient", "run_id"} <= set(content):
        raise StoreError(f"{path} is incomplete; run `dvc repro` again to train this model")
    return content


def _complete_design(path: Path, tasks: Iterable[str]) -> dict[str, Any]:
    content: dict[str, Any] = read_json(path)
    missing = [task for task in tasks if task not in content]
    if missing:
        raise StoreError(f"{path} lacks the task {missing[0]}; run `dvc repro` again")
    return content


def _named(table: pd.DataFrame, task: str, model: str) -> pd.DataFrame:
    return table.assign(task=task, model=model)


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
