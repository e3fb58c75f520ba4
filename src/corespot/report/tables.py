"""Tables of a report: results of tasks and models by level, labels by TMA, as text and Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from corespot.report.result_rows import LEVELS, readable_columns, result_rows
from corespot.report.terminal import columns_as_text


def result_table(
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]],
    *,
    metric: str = "balanced_accuracy",
    levels: tuple[str, ...] = LEVELS,
) -> pd.DataFrame:
    """One row a task and model: the median of a metric on each level, with its quartiles.

    Parameters
    ----------
    metrics : mapping
        ``{task: {model: {level: {metric: {"median": …, "iqr": [q1, q3]}}}}}``, the content of
        ``reports/metrics.json``. What is missing stays missing.
    metric : str
        Which metric.
    levels : tuple of str
        Which levels, in this order.

    Returns
    -------
    DataFrame
        Columns ``task``, ``model``, ``grouping`` (what the folds are made of, empty if unknown),
        ``n_spots`` (float64), ``nested`` (bool: no TMA holds two classes), ``tuning`` (``none``,
        ``nested`` or ``hold-in``), for each level ``<level>``, ``<level>_q1``, ``<level>_q3``
        (float64), and of the audit ``verdict`` (empty without one), ``artifact_share`` (float64).
    """
    columns = ["task", "model", "grouping", "n_spots", "nested", "tuning"]
    columns += [f"{level}{part}" for level in levels for part in ("", "_q1", "_q3")]
    columns += ["verdict", "artifact_share"]
    return pd.DataFrame(result_rows(metrics, metric=metric, levels=levels), columns=columns)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The result table as text cells: ``.845 (.838–.852)``, a dash where nothing was measured.

    A task in which no TMA holds two classes carries `NESTED_MARK`; the verdict of the audit has a
    column where any model was audited.
    """
    levels = [str(name)[:-3] for name in table.columns if str(name).endswith("_q1")]
    return pd.DataFrame(readable_columns(table.to_dict("records"), levels))


def as_text(table: pd.DataFrame) -> str:
    """Table of text cells as aligned columns for a terminal; a repeated task is left blank."""
    return columns_as_text({str(name): table[name] for name in table.columns})


def as_markdown(table: pd.DataFrame) -> str:
    """Table of text cells as a Markdown table; pipes in cells are escaped."""

    def line(values: list[str]) -> str:
        return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"

    rows = [line([str(v) for v in row]) for row in table.itertuples(index=False, name=None)]
    header = line([str(column) for column in table.columns])
    return "\n".join([header, "|" + " --- |" * len(table.columns), *rows])


def label_by_tma(spots: pd.DataFrame, label: str) -> pd.DataFrame:
    """Spots of each class on each TMA, the table in which a nested design shows.

    Parameters
    ----------
    spots : DataFrame
        Spot table with the columns ``tma`` and `label`; empty labels are left out.
    label : str
        Label column.

    Returns
    -------
    DataFrame
        Classes as rows, TMAs as columns, counts as values.
    """
    known = spots[spots[label].astype(str) != ""]
    table = pd.crosstab(known[label].astype(str), known["tma"].astype(str))
    table = table[sorted(table.columns, key=lambda name: natural(str(name)))]
    table.index.name, table.columns.name = label, "tma"
    return table


def is_nested(counts: pd.DataFrame) -> bool:
    """Whether no TMA holds two classes, by the counts of `label_by_tma`."""
    return bool(((counts > 0).sum(axis=0) < 2).all())


def natural(name: str) -> list[tuple[int, str]]:
    """Sorting key by which ``TMA2`` comes before ``TMA10``."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts if part]
