"""Tables of the page that compares runs, as they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from app.data.runs import LoggedRun
from corespot.errors import StoreError
from corespot.report.run_overview import remarks_of
from corespot.report.tables import LEVEL_TITLES
from corespot.review.comparison import METRIC_NAMES, PairedRuns


def remarks(run: LoggedRun) -> str:
    """What is unusual about a run."""
    tags = run.tags
    tuned = tags.get("tuning", "not tuned") not in ("not tuned", "")
    return remarks_of(
        run.status, tags.get("mitigation", ""), tags.get("optimistic") == "true", tuned
    )


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
            "difference": table["difference"].map(_signed),
            "95 % interval": _ranges(table, "low", "high"),
            "mean over folds": table["mean"].map(_signed),
            "lowest and highest fold": _ranges(table, "lowest", "highest"),
            "better in": [
                f"{int(better)} of {int(n)} folds" if pd.notna(n) else "—"
                for better, n in zip(table["n_better"], table["n_folds"], strict=True)
            ],
        }
    )


def headlines(
    runs: Sequence[LoggedRun], labels: Sequence[str], pairs: Mapping[str, PairedRuns], to: str
) -> pd.DataFrame:
    """Every level and metric: a column a run, and one for its difference where it was paired.

    Parameters
    ----------
    runs, labels : sequence of LoggedRun, of str
        The runs, and what they are called.
    pairs : mapping of str to PairedRuns
        Comparisons with the reference, by label.
    to : str
        Letter of the reference.
    """
    rows = [
        {"level": title, "metric": name}
        | {
            label: run.metrics.get(f"{level}_{metric}", np.nan)
            for run, label in zip(runs, labels, strict=True)
        }
        | {f"{label[0]} − {to}": _paired(pair, level, metric) for label, pair in pairs.items()}
        for level, title in LEVEL_TITLES.items()
        for metric, name in METRIC_NAMES.items()
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(labels, float))


def _paired(pair: PairedRuns, level: str, metric: str) -> str:
    table = pair.differences
    one = table[(table["level"] == level) & (table["metric"] == metric)]
    return f"{_signed(one['difference'].iloc[0])} ({_ranges(one, 'low', 'high')[0]})"


def sentences(pairs: Mapping[str, PairedRuns]) -> list[str]:
    """What was compared, runs of which the same is said together."""
    said: dict[str, list[str]] = {}
    for label, pair in pairs.items():
        said.setdefault(pair.sentence(), []).append(label)
    return [f"{', '.join(labels)}: {sentence}." for sentence, labels in said.items()]


def fold_accuracies(table: pd.DataFrame, run: LoggedRun, label: str) -> pd.DataFrame:
    """Balanced accuracy of spots in every fold, as `fold_boxes` wants it.

    Raises
    ------
    StoreError
        If a column is missing.
    """
    wanted = ["repeat", "fold", "level", "metric", "value"]
    missing = [name for name in wanted if name not in table]
    if missing:
        raise StoreError(f"the fold metrics of {run.name} lack the column {missing[0]!r}")
    here = table[(table["level"] == "spot") & (table["metric"] == "balanced_accuracy")]
    kept = here[["repeat", "fold", "value"]].rename(columns={"value": "balanced_accuracy"})
    return kept.assign(task=run.task, model=label)


def n_classes(run: LoggedRun) -> int:
    """Classes of a run's task, two if it does not say."""
    try:
        return max(len(json.loads(run.params.get("classes", ""))), 2)
    except (ValueError, TypeError):
        return 2


def relabelled(table: pd.DataFrame, labels: Sequence[str]) -> pd.DataFrame:
    """The same table with the labels of this page over the columns of the runs."""
    return table.set_axis([table.columns[0], *labels], axis=1)


def _ranges(table: pd.DataFrame, low: str, high: str) -> list[str]:
    return [
        f"{_signed(one)} to {_signed(other)}" if pd.notna(one) and pd.notna(other) else "—"
        for one, other in zip(table[low], table[high], strict=True)
    ]


def _three(value: float) -> str:
    return f"{value:.3f}" if pd.notna(value) else "—"


def _signed(value: float) -> str:
    if pd.isna(value):
        return "—"
    text = f"{value:+.3f}".replace("-", "−")
    return text[1:] if text[1:] == "0.000" else text
