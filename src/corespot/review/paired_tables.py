"""Differences of paired runs as they are read."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from corespot.report.result_rows import LEVEL_TITLES
from corespot.review.comparison import PairedRuns


def differences(pair: PairedRuns, label: str, metric: str) -> pd.DataFrame:
    """Differences of one metric: over patients and, where folds are shared, fold by fold."""
    over_patients = pair.differences[pair.differences["metric"] == metric]
    folds = pair.folds[pair.folds["metric"] == metric].drop(columns="metric")
    table = over_patients.drop(columns="metric").merge(folds, on="level", how="left")
    table.insert(0, "label", label)
    return table


def worded(table: pd.DataFrame) -> pd.DataFrame:
    """Differences as they are read."""
    return pd.DataFrame(
        {
            "run": table["label"],
            "level": table["level"].map(LEVEL_TITLES),
            "this run": table["run"].map(_three),
            "reference": table["reference"].map(_three),
            "difference": table["difference"].map(signed),
            "95 % interval": ranges(table, "low", "high"),
            "mean over folds": table["mean"].map(signed),
            "lowest and highest fold": ranges(table, "lowest", "highest"),
            "better in": [
                f"{int(better)} of {int(n)} folds" if pd.notna(n) else "—"
                for better, n in zip(table["n_better"], table["n_folds"], strict=True)
            ],
        }
    )


def sentences(pairs: Mapping[str, PairedRuns]) -> list[str]:
    """What was compared, runs of which the same is said together."""
    said: dict[str, list[str]] = {}
    for label, pair in pairs.items():
        said.setdefault(pair.sentence(), []).append(label)
    return [f"{', '.join(labels)}: {sentence}." for sentence, labels in said.items()]


def ranges(table: pd.DataFrame, low: str, high: str) -> list[str]:
    """Two columns as "from to", a dash where one is not known."""
    return [
        f"{signed(one)} to {signed(other)}" if pd.notna(one) and pd.notna(other) else "—"
        for one, other in zip(table[low], table[high], strict=True)
    ]


def _three(value: float) -> str:
    return f"{value:.3f}" if pd.notna(value) else "—"


def signed(value: float) -> str:
    """Three decimals with a sign, a dash where it is not known."""
    if pd.isna(value):
        return "—"
    text = f"{value:+.3f}".replace("-", "−")
    return text[1:] if text[1:] == "0.000" else text
