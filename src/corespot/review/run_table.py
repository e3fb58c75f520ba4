"""All runs of a project as one table: what each reached, what its audit says, what was decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from corespot.report.verdict_badge import FLAGGED, VERDICT_STYLES
from corespot.review.decision import Decision, history_of
from corespot.tracking.reading import LoggedRun

#: What stands where a run has no audit that can be read.
NOT_AUDITED = "not audited"
#: Levels shown, and the parts of each: what MLflow calls them, what the table does.
_LEVELS = ("spot", "core", "patient")
_PARTS = {"": "", "_iqr_low": "_q1", "_iqr_high": "_q3", "_ci_low": "_low", "_ci_high": "_high"}
_DECIDED = {"approve": "approved", "reject": "rejected", "needs_work": "needs work"}
#: Verdicts from the gravest; runs without one come last.
_GRAVITY: dict[str, int] = {word: place for place, word in enumerate(VERDICT_STYLES)}
#: Orders of the table, and the columns behind each.
ORDERS: dict[str, tuple[list[str], list[bool]]] = {
    "newest first": (["started"], [False]),
    "task, then model": (["task", "model", "started"], [True, True, False]),
    "gravest verdict first": (["gravity", "artifact_share"], [True, False]),
    "highest accuracy first": (["spot"], [False]),
}


@dataclass(frozen=True)
class RunFilter:
    """Which runs are shown; what is empty lets all pass.

    Parameters
    ----------
    tasks, models, verdicts, cohorts, data : collection of str
        Values of these columns.
    text : str
        Part of the name, in any case; words may stand in any order.
    latest : bool
        Only the latest run of each task, model and mitigation.
    """

    tasks: Collection[str] = ()
    models: Collection[str] = ()
    verdicts: Collection[str] = ()
    cohorts: Collection[str] = ()
    data: Collection[str] = field(default=())
    text: str = ""
    latest: bool = False


def run_table(
    runs: Sequence[LoggedRun], standings: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """One row a run, in the order given.

    Parameters
    ----------
    runs : sequence of LoggedRun
        Runs of whole models.
    standings : mapping of str to sequence of str
        Aliases in the registry, by run.

    Returns
    -------
    DataFrame
        ``run_id``, ``name``, ``task``, ``model``, ``cohort``, ``data`` (first eight characters of
        DVC's hash of the spectra store), ``status``, ``started`` (UTC); ``verdict`` (a word of
        `VERDICT_STYLES`, or `NOT_AUDITED`), ``flagged``, ``gravity`` (0 for the gravest);
        ``spot``, ``core``, ``patient``: balanced accuracy, with ``_q1``, ``_q3`` (over folds or
        repeats) and ``_low``, ``_high`` (95 %, over patients); ``artifact_share``,
        ``leakage_gap``, ``train_test_gap``; ``mitigation``, ``optimistic``, ``tuned``;
        ``decision``, ``reviewer``, ``registry``. What was not logged is NaN or empty.
    """
    table = pd.DataFrame([_row(run) for run in runs], columns=_columns())
    table["registry"] = [", ".join((standings or {}).get(run.run_id, ())) for run in runs]
    table["started"] = pd.to_datetime(table["started"], utc=True)
    return table


def filtered(table: pd.DataFrame, wanted: RunFilter) -> pd.DataFrame:
    """The rows that pass a filter, in their order."""
    keep = np.ones(len(table), dtype=bool)
    for column, values in (
        ("task", wanted.tasks),
        ("model", wanted.models),
        ("verdict", wanted.verdicts),
        ("cohort", wanted.cohorts),
        ("data", wanted.data),
    ):
        if values:
            keep &= table[column].isin(list(values)).to_numpy()
    name = table["name"].str.casefold()
    for word in wanted.text.casefold().split():
        keep &= name.str.contains(word, regex=False).to_numpy(dtype=bool)
    found = table.loc[keep]
    return latest_of_each(found) if wanted.latest else found


def latest_of_each(table: pd.DataFrame) -> pd.DataFrame:
    """The latest run of each cohort, task, model and mitigation, in the order of the table.

    A run that has not finished does not stand for its model as long as another one has.
    """
    finished = table.assign(finished=table["status"] == "FINISHED")
    ranked = finished.sort_values(["finished", "started"], ascending=False, kind="stable")
    first = ranked.drop_duplicates(["cohort", "task", "model", "mitigation"]).index
    return table.loc[table.index.isin(first)]


def ordered(table: pd.DataFrame, order: str) -> pd.DataFrame:
    """The table in one of `ORDERS`; what is not known comes last."""
    columns, ascending = ORDERS[order]
    return table.sort_values(columns, ascending=ascending, kind="stable", na_position="last")


@dataclass(frozen=True)
class FlagCount:
    """How many of the project's models the audit flags.

    Parameters
    ----------
    n_models, n_audited : int
        Models (the latest run of each counts), and those with an audit.
    flagged : tuple of (str, str)
        Name and verdict of each flagged one, the gravest first.
    """

    n_models: int
    n_audited: int
    flagged: tuple[tuple[str, str], ...]


def flag_count(table: pd.DataFrame) -> FlagCount:
    """Count the flagged models: the latest run of each stands for it."""
    latest = latest_of_each(table)
    flagged = ordered(latest.loc[latest["flagged"].astype(bool)], "gravest verdict first")
    return FlagCount(
        n_models=len(latest),
        n_audited=int((latest["verdict"] != NOT_AUDITED).sum()),
        flagged=tuple(zip(flagged["name"], flagged["verdict"], strict=True)),
    )


def _row(run: LoggedRun) -> dict[str, object]:
    verdict = run.tags.get("audit.verdict", "")
    verdict = verdict if verdict in VERDICT_STYLES else NOT_AUDITED
    decision = history_of(run.tags).latest
    row: dict[str, object] = {
        "run_id": run.run_id,
        "name": run.name,
        "task": run.task,
        "model": run.model,
        "cohort": run.experiment,
        "data": run.tags.get("dvc.store", "")[:8],
        "status": run.status,
        "started": run.started,
        "verdict": verdict,
        "flagged": verdict in FLAGGED,
        "gravity": _GRAVITY.get(verdict, len(_GRAVITY)),
        "artifact_share": _number(run, "audit.artifact_share"),
        "leakage_gap": _number(run, "audit.grouping_gap"),
        "train_test_gap": _number(run, "train_test_gap"),
        "mitigation": run.tags.get("mitigation", ""),
        "optimistic": run.tags.get("optimistic", "") == "true",
        "tuned": run.tags.get("tuning", "not tuned") not in ("not tuned", ""),
        "decision": _decided(decision),
        "reviewer": decision.reviewer if decision else "",
    }
    for level in _LEVELS:
        for logged, ours in _PARTS.items():
            row[f"{level}{ours}"] = _number(run, f"{level}_balanced_accuracy{logged}")
    return row


def _columns() -> list[str]:
    empty = LoggedRun("", "", "", "", "", False, None, None, "")
    return list(_row(empty))


def _decided(decision: Decision | None) -> str:
    return _DECIDED[decision.word] if decision else ""


def _number(run: LoggedRun, name: str) -> float:
    value = run.metrics.get(name)
    return float(value) if isinstance(value, int | float) else float("nan")
