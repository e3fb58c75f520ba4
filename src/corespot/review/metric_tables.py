"""Metrics of a run as tables of text: every level, every class, intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from corespot.report.result_rows import LEVEL_TITLES
from corespot.tracking.reading import LoggedRun

#: Metrics of a level, and what they are called. Sensitivity and specificity have two classes.
METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "f1": "F1",
}
CALIBRATION = {"brier": "Brier score", "ece": "calibration error"}
#: How these tables are read.
READ_AS = (
    "Median over the test folds (over repeats, where there are several); in brackets the 95 % "
    "interval of the figure pooled over folds, from a bootstrap over patients. It says how much "
    "other patients of the same TMAs would move it, and nothing of other TMAs."
)


def metric_table(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """One row a level: every metric with its interval, spots, cores or patients it rests on.

    Parameters
    ----------
    metrics : mapping
        Content of ``metrics.json``.

    Returns
    -------
    DataFrame
        Text cells ``.897 [.824–.920]``; a dash where it is not defined.
    """
    rows = []
    for level, title in LEVEL_TITLES.items():
        found = metrics.get(level)
        if not isinstance(found, Mapping):
            continue
        n = found.get("n_units")
        row = {"level": title, "n": f"{int(n):,}" if n else "—"}
        row |= {name: with_interval(found.get(key)) for key, name in METRICS.items()}
        calibration = found.get("calibration") or {}
        row |= {name: with_interval(calibration.get(key)) for key, name in CALIBRATION.items()}
        rows.append(row)
    table = pd.DataFrame(rows)
    # A task of three classes has no sensitivity of its own.
    return table.loc[:, (table != "—").any()] if len(table) else table


def logged_metrics(run: LoggedRun) -> dict[str, Any]:
    """What MLflow lists of a run, in the shape of ``metrics.json``: for runs without that file."""
    found: dict[str, Any] = {}
    for level in LEVEL_TITLES:
        known: dict[str, dict[str, Any]] = {
            key: {"median": run.metrics[f"{level}_{key}"]}
            for key in METRICS
            if f"{level}_{key}" in run.metrics
        }
        limits = [run.metrics.get(f"{level}_balanced_accuracy_ci_{end}") for end in ("low", "high")]
        if known and None not in limits:
            known["balanced_accuracy"]["ci95"] = limits
        if known:
            found[level] = known
    return found


def class_table(metrics: Mapping[str, Any], level: str = "spot") -> pd.DataFrame:
    """One row a class against the rest: sensitivity, specificity, F1, how many."""
    found = (metrics.get(level) or {}).get("per_class") or {}
    return pd.DataFrame(
        [
            {
                "class": name,
                f"{level}s": f"{int(one.get('n') or 0):,}",
                **{key: three(one.get(key)) for key in ("sensitivity", "specificity", "f1")},
            }
            for name, one in found.items()
        ]
    )


def with_interval(value: object) -> str:
    """A metric of one level as ``.897 [.824–.920]``."""
    if not isinstance(value, Mapping) or value.get("median") is None:
        return "—"
    interval = value.get("ci95")
    text = three(value["median"])
    return f"{text} [{three(interval[0])}–{three(interval[1])}]" if interval else text


def three(value: object) -> str:
    """A share with three decimals as ``.897``, a dash where there is none."""
    if not isinstance(value, int | float) or value != value:
        return "—"
    return f"{value:.3f}".removeprefix("0")
