"""The leakage gap: how much folds that split patients flatter one and the same model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

#: Groupings from the most lenient to the strictest.
_ORDER = ("spot", "core", "patient", "tma")


def leakage_gap(
    results_by_grouping: Mapping[str, Mapping[str, Any]],
    *,
    level: str = "spot",
    refused: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compare one model's balanced accuracy between groupings of the folds.

    Parameters
    ----------
    results_by_grouping : mapping
        Grouping (``spot``, ``core``, ``patient``, ``tma``) to what `evaluate_predictions` gave.
    level : str
        Level compared; ``spot`` is the only one that random-spot folds leave whole.
    refused : mapping, optional
        Grouping to the reason why its folds could not be made: listed, never dropped.

    Returns
    -------
    DataFrame
        One line a grouping, the most lenient first: ``grouping``, ``optimistic``, ``strictest``
        (True on the line that the others are compared with), ``balanced_accuracy`` (median),
        ``q1``, ``q3``, ``ci95_low``, ``ci95_high``, ``gap`` (balanced accuracy minus the
        strictest grouping's), ``reason`` (empty where folds were possible).

    Raises
    ------
    ValueError
        If no grouping has a result, or one is unknown.
    """
    refused = refused or {}
    unknown = (set(results_by_grouping) | set(refused)) - set(_ORDER)
    if unknown or not results_by_grouping:
        raise ValueError(
            f"expected results for some of {', '.join(_ORDER)}, got "
            f"{', '.join(sorted(results_by_grouping)) or 'none'}"
        )
    strictest = max(results_by_grouping, key=_ORDER.index)
    reference = results_by_grouping[strictest][level]["balanced_accuracy"]["median"]
    lines: list[dict[str, object]] = []
    for grouping in _ORDER:
        line: dict[str, object] = {
            "grouping": grouping,
            "optimistic": grouping == "spot",
            "strictest": grouping == strictest,
        }
        if grouping in results_by_grouping:
            entry = results_by_grouping[grouping][level]["balanced_accuracy"]
            median = entry["median"]
            q1, q3 = entry["iqr"] or (None, None)
            low, high = entry["ci95"] or (None, None)
            gap = None if median is None or reference is None else median - reference
            line |= {"balanced_accuracy": median, "q1": q1, "q3": q3}
            line |= {"ci95_low": low, "ci95_high": high, "gap": gap, "reason": ""}
        elif grouping in refused:
            line["reason"] = refused[grouping]
        else:
            continue
        lines.append(line)
    numbers = ["balanced_accuracy", "q1", "q3", "ci95_low", "ci95_high", "gap"]
    table = pd.DataFrame(lines, columns=["grouping", "optimistic", "strictest", *numbers, "reason"])
    return table.astype(dict.fromkeys(numbers, "float64"))
