"""The figures of a run that a reader looks at first, flat as MLflow wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from corespot.evaluate.summary import evaluate_predictions

#: Metrics of each level that become MLflow metrics of a run.
_LOGGED = ("balanced_accuracy", "auc", "f1", "sensitivity", "specificity")


def headline(levels: Mapping[str, Any]) -> dict[str, float | None]:
    """Medians of every level by flat names, with quartiles and interval of the main one.

    Parameters
    ----------
    levels : mapping
        What `evaluate_predictions` gave.

    Returns
    -------
    dict
        ``spot_balanced_accuracy``, ``spot_balanced_accuracy_ci_low``, ``core_auc`` and so on.
    """
    values: dict[str, float | None] = {}
    for level in ("spot", "core", "core_mean", "patient"):
        for metric in _LOGGED:
            entry = levels.get(level, {}).get(metric)
            if isinstance(entry, Mapping) and entry.get("median") is not None:
                values[f"{level}_{metric}"] = entry["median"]
        balanced = levels.get(level, {}).get("balanced_accuracy", {})
        for name, key, at in (("iqr_low", "iqr", 0), ("iqr_high", "iqr", 1)):
            if balanced.get(key):
                values[f"{level}_balanced_accuracy_{name}"] = balanced[key][at]
        for name, at in (("ci_low", 0), ("ci_high", 1)):
            if balanced.get("ci95"):
                values[f"{level}_balanced_accuracy_{name}"] = balanced["ci95"][at]
    return values


def bins_kept(
    by_k: Mapping[int, pd.DataFrame],
    spots: pd.DataFrame,
    classes: Sequence[str],
    *,
    chosen: Sequence[int | None],
) -> dict[str, Any]:
    """Worst and best number of selected bins, as the paper reports them, and the chosen ones.

    Parameters
    ----------
    by_k : mapping of int to DataFrame
        Out-of-fold predictions for every number of bins.
    spots : DataFrame
        Spot table of the store.
    classes : sequence of str
        Class names.
    chosen : sequence of int
        What inner folds chose in each fold; the honest figure uses these.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, table of results: worst and best K of 5 to 100.
    """
    table = {}
    for k in sorted(by_k):
        levels = evaluate_predictions(by_k[k], spots, classes, n_bootstrap=0)
        table[k] = {
            level: levels[level]["balanced_accuracy"]["median"] for level in ("spot", "core")
        }
    ranked = sorted(table, key=lambda k: float(table[k]["spot"]))
    return {
        "worst": {"k": ranked[0], **table[ranked[0]]},
        "best": {"k": ranked[-1], **table[ranked[-1]]},
        "chosen": list(chosen),
        "all": {str(k): values for k, values in table.items()},
    }
