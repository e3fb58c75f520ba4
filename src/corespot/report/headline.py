"""The few figures by which experiments are compared."""

from __future__ import annotations

import pandas as pd

from corespot.report.result_rows import LEVELS
from corespot.report.run_tables import RunTables

_DECIMALS = 4


def headline_metrics(run: RunTables) -> dict[str, dict[str, dict[str, float]]]:
    """Balanced accuracy on every level, and what random spots promise too much.

    Parameters
    ----------
    run : RunTables
        What the stages left.

    Returns
    -------
    dict
        ``{task: {model: {"spot": …, "core": …, "patient": …}}}``, medians as in the result table,
        and ``leakage_gap`` for the model it was measured with: balanced accuracy on random spots
        less that on the strictest grouping, and ``artifact_share`` of audited models. What is
        undefined is left out.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for task, models in run.metrics.items():
        found[task] = {}
        for model, scores in models.items():
            medians = {level: scores[level]["balanced_accuracy"]["median"] for level in LEVELS}
            found[task][model] = {
                level: round(float(value), _DECIMALS)
                for level, value in medians.items()
                if value is not None
            }
    for task, audits in run.audits.items():
        for model, view in audits.items():
            share = view.readings.number("artifact_share")
            if share is not None:
                found[task][model]["artifact_share"] = round(share, _DECIMALS)
    if len(run.leakage):
        on_spots = run.leakage[run.leakage["grouping"] == "spot"]
        for row in on_spots.to_dict("records"):
            if row["task"] in found and not pd.isna(row["gap"]):
                scores = found[str(row["task"])].setdefault(str(row["model"]), {})
                scores["leakage_gap"] = round(float(row["gap"]), _DECIMALS)
    return found
