"""Tables of the page that compares runs, as they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from app.data.runs import LoggedRun
from corespot.errors import StoreError
from corespot.report.result_rows import LEVEL_TITLES
from corespot.report.run_overview import remarks_of
from corespot.review.comparison import METRIC_NAMES, PairedRuns
from corespot.review.paired_tables import ranges, signed


def remarks(run: LoggedRun) -> str:
    """What is unusual about a run."""
    tags = run.tags
    tuned = tags.get("tuning", "not tuned") not in ("not tuned", "")
    return remarks_of(
        run.status, tags.get("mitigation", ""), tags.get("optimistic") == "true", tuned
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
    return f"{signed(one['difference'].iloc[0])} ({ranges(one, 'low', 'high')[0]})"


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
