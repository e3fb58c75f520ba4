"""Where a run and its data come from, as a table; and in what runs differ."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from corespot.tracking.links import app_link
from corespot.tracking.reading import LoggedRun

#: Tags that name a version of the data, and what they are called.
DATA_TAGS = {
    "cohort": "cohort",
    "dvc.raw": "raw data (DVC)",
    "dvc.store": "spectra store (DVC)",
    "dvc.folds": "folds of all tasks (DVC)",
    "folds.fingerprint": "folds of this task",
    "axis.fingerprint": "m/z axis",
}
_CODE_TAGS = {"git_commit": "git commit", "corespot.version": "corespot"}
_DIRTY = {"true": "yes: this commit alone does not make it again", "false": "none"}


def lineage_rows(run: LoggedRun) -> list[tuple[str, str]]:
    """Run, code and data of a run, as names and texts; what was not logged says so."""
    unknown = "not logged"
    rows: list[tuple[str, str]] = [
        ("run", run.run_id),
        ("name", run.name),
        ("experiment", run.experiment or unknown),
        ("status", run.status.lower() + ("; deleted in MLflow" if run.deleted else "")),
        ("started", f"{run.started:%Y-%m-%d %H:%M} UTC" if run.started else unknown),
        ("ended", f"{run.ended:%Y-%m-%d %H:%M} UTC" if run.ended else "not yet"),
    ]
    rows += [(name, run.tags.get(tag) or unknown) for tag, name in _CODE_TAGS.items()]
    dirty = run.tags.get("git_dirty", "")
    rows.append(("uncommitted changes", _DIRTY.get(dirty, unknown)))
    rows += [(name, run.tags.get(tag) or unknown) for tag, name in DATA_TAGS.items()]
    rows.append(("SHA-256 of the audit", run.tags.get("audit.sha256") or unknown))
    if "mitigation.of" in run.tags:
        rows.append(("trained again from", run.tags["mitigation.of"]))
    rows.append(
        ("in the review app", run.tags.get("review.link") or app_link(run.run_id, "confounding"))
    )
    return rows


def data_differences(runs: Sequence[LoggedRun]) -> pd.DataFrame:
    """Versions of the data in which runs differ, a column a run; empty where they agree.

    Returns
    -------
    DataFrame
        ``data``, then the first 12 characters a run, ``not logged`` where there is none.
    """
    return _differences(
        runs, "data", {n: [_brief(r.tags.get(t)) for r in runs] for t, n in DATA_TAGS.items()}
    )


def parameter_differences(runs: Sequence[LoggedRun]) -> pd.DataFrame:
    """Logged parameters in which runs differ, a column a run, a dash where one has none."""
    names = sorted({name for run in runs for name in run.params})
    return _differences(
        runs, "parameter", {name: [run.params.get(name, "—") for run in runs] for name in names}
    )


def short_names(runs: Sequence[LoggedRun]) -> list[str]:
    """A name for each run that no other has: its name, and the beginning of its identifier."""
    return [f"{run.name} · {run.run_id[:8]}" for run in runs]


def _differences(
    runs: Sequence[LoggedRun], head: str, values: dict[str, list[str]]
) -> pd.DataFrame:
    rows = [
        dict(zip([head, *short_names(runs)], [name, *found], strict=True))
        for name, found in values.items()
        if len({_canonical(value) for value in found}) > 1
    ]
    return pd.DataFrame(rows, columns=[head, *short_names(runs)])


def _canonical(value: str) -> str:
    """Lists and mappings written in another order are the same."""
    try:
        return json.dumps(json.loads(value), sort_keys=True)
    except ValueError:
        return value


def _brief(value: str | None) -> str:
    if not value:
        return "not logged"
    return value if "/" in value else value[:12]
