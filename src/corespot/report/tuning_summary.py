"""What tuning found, for every task, model and fold: ``reports/tuning.json`` and its table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from corespot.io.artifacts import read_json
from corespot.report.html import Link
from corespot.report.tuning_page import published_value, three_decimals, where, with_sign

#: What of a study is told in the summary.
_KEPT = (
    "repeat",
    "fold",
    "study",
    "run_id",
    "inner_folds",
    "inner_grouping",
    "trials",
    "pruned",
    "pruned_early",
    "failed",
    "inner_fits",
    "seconds",
    "best_value",
    "published_value",
    "published_adapted",
    "configured_value",
    "gain",
    "settings",
)


def tuning_summary(
    data: Path, tasks: Iterable[str], models: Iterable[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Read what the tuning stages left.

    Parameters
    ----------
    data : Path
        Folder of the stage outputs.
    tasks, models : iterable of str
        Those that were run.

    Returns
    -------
    dict
        ``{task: {model: {"nested", "note", "metric", "folds": [{trials, pruned, best_value,
        published_value, gain, …}]}}}``; models that were not tuned are left out.

    Raises
    ------
    StoreError
        If an output is missing.
    """
    names, found = tuple(models), {}
    for task in tasks:
        tuned = {}
        for model in names:
            content = read_json(data / "tune" / task / model / "tuned.json")
            if content["folds"]:
                folds = [{key: fold[key] for key in _KEPT} for fold in content["folds"]]
                about = {key: content[key] for key in ("nested", "note", "metric")}
                tuned[model] = {**about, "folds": folds}
        if tuned:
            found[task] = tuned
    return found


def tuning_table(
    summary: Mapping[str, Mapping[str, Mapping[str, Any]]], data_href: str | None = None
) -> pd.DataFrame:
    """One row a study: trials, pruned ones, the published setting's value, the best, the gain.

    Parameters
    ----------
    summary : mapping
        What `tuning_summary` gave.
    data_href : str, optional
        The way from the page to the folder of the stage outputs, for links.
    """
    rows = [
        {
            "task": task,
            "model": Link(model, f"{data_href}/tune/{task}/{model}/tuning.html")
            if data_href
            else model,
            "outer fold": where(fold, nested=bool(tuned["nested"])),
            "trials": fold["trials"],
            "pruned": fold["pruned"] + fold["pruned_early"],
            "published": published_value(fold),
            "best": three_decimals(fold["best_value"]),
            "gain": with_sign(fold["gain"]),
        }
        for task, models in summary.items()
        for model, tuned in models.items()
        for fold in tuned["folds"]
    ]
    return pd.DataFrame(rows)
