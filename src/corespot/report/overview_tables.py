"""Tables beside the result table: calibration, bins kept, segmentation, patches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

Metrics = Mapping[str, Mapping[str, Mapping[str, Any]]]


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


def bins_kept_table(metrics: Metrics) -> pd.DataFrame:
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


def segmentation_table(metrics: Metrics) -> pd.DataFrame:
    """How well the share of a core taken for the positive class tells cores apart, and overlap.

    One row a task and model with a segmentation, text cells; empty where there is none. What no
    model has, such as a Dice coefficient without a truth of spots, has no column.
    """
    rows = []
    for task, models in metrics.items():
        for model, scores in models.items():
            found = scores.get("segmentation") or {}
            if not found.get("positive"):
                continue
            dice = found.get("dice") or {}
            rows.append(
                {
                    "task": task,
                    "model": model,
                    "positive": found["positive"],
                    "AUC of the share (95 %)": _with_interval(found.get("fraction_auc")),
                    "truth of spots": found.get("truth_column") or "—",
                    "balanced accuracy of spots (95 %)": _with_interval(
                        found.get("spot_balanced_accuracy")
                    ),
                    "Dice (95 %)": _with_interval(
                        {"value": dice.get("mean"), "ci95": dice.get("ci95")}
                    ),
                    "Dice of calling all positive": _three(
                        (dice.get("all_positive") or {}).get("mean")
                    ),
                }
            )
    table = pd.DataFrame(rows)
    return table.loc[:, (table != "—").any()] if len(table) else table


def patch_table(metrics: Metrics) -> pd.DataFrame:
    """Balanced accuracy of patches and what their majority says of cores and slides.

    One row a task and model that looks at patches, text cells; empty where there is none.
    """
    rows = []
    for task, models in metrics.items():
        for model, scores in models.items():
            found = scores.get("patches") or {}
            if "patch" not in found:
                continue
            row: dict[str, object] = {"task": task, "model": model}
            for level in ("patch", "core", "slide"):
                value = (found.get(level) or {}).get("balanced_accuracy") or {}
                row[level] = _three(value.get("median"))
            row["spots of a patch"] = f"{found['median_spots']:g}"
            rows.append(row)
    return pd.DataFrame(rows)


def _with_interval(value: Mapping[str, Any] | None) -> str:
    if not value or value.get("value") is None:
        return "—"
    interval = value.get("ci95")
    text = _three(value["value"])
    return f"{text} ({_three(interval[0])}–{_three(interval[1])})" if interval else text


def _three(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "—"
