"""Versions of the project's data now, and which runs have read the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import yaml

from corespot.errors import CorespotError, StoreError
from corespot.review.project import Project
from corespot.tracking.provenance import dvc_hashes, git_state
from corespot.tracking.reading import LoggedRun

#: Name of each kind of data, and the tag under which runs keep its version.
KINDS = {"raw": "raw data", "store": "spectra store", "folds": "folds of all tasks"}


@dataclass(frozen=True)
class DataVersions:
    """What the project holds now, against what runs have read.

    Parameters
    ----------
    hashes : mapping of str to str
        DVC's hash of ``raw``, ``store`` and ``folds``; ``unknown`` where DVC has none.
    folds : mapping of str to str
        Fingerprint of each task's folds; why there is none, in words.
    git : mapping of str to str
        ``git_commit`` and ``git_dirty``.
    same : mapping of str to int
        Runs that have read the same ``raw``, ``store`` and ``folds``.
    n_runs : int
        Runs in all.
    """

    hashes: Mapping[str, str]
    folds: Mapping[str, str]
    git: Mapping[str, str]
    same: Mapping[str, int]
    n_runs: int

    def table(self) -> pd.DataFrame:
        """One row a kind of data: its version, and how many runs have read the same."""
        rows = [
            {
                "data": KINDS[kind],
                "version now (DVC)": version,
                "runs that read this version": f"{self.same[kind]} of {self.n_runs}"
                if version != "unknown"
                else "cannot be told",
            }
            for kind, version in self.hashes.items()
        ]
        return pd.DataFrame(rows)


def data_versions(project: Project, runs: Sequence[LoggedRun]) -> DataVersions:
    """Compare the project's data with what runs have read.

    Raises
    ------
    StoreError
        If ``dvc.lock`` cannot be read.
    """
    cohort = project.cohort
    inside = cohort is not None and cohort.is_relative_to(project.root)
    raw = cohort.relative_to(project.root).as_posix() if cohort and inside else "data/raw"
    paths = {"raw": raw, "store": "data/store", "folds": "data/folds"}
    try:
        hashes = dvc_hashes(project.root, paths)
    except yaml.YAMLError:
        raise StoreError(
            f"{project.root / 'dvc.lock'} cannot be read; git checkout dvc.lock, or dvc repro"
        ) from None
    folds = {}
    for task in project.tasks:
        try:
            folds[task] = project.fold_fingerprint(task)
        except CorespotError as error:
            folds[task] = str(error)
    same = {
        kind: sum(run.tags.get(f"dvc.{kind}") == version for run in runs)
        for kind, version in hashes.items()
    }
    return DataVersions(hashes, folds, git_state(project.root), same, len(runs))
