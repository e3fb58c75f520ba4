"""All that a run logged, read when it is asked for; what is missing is told in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import StoreError
from corespot.explain.markers import Marker, parse_markers
from corespot.explain.profile import SensitivityProfile
from corespot.io.artifacts import read_arrays, read_json, read_table, sha256_of
from corespot.report.audit_shown import AuditView
from corespot.report.audit_view import AUDIT_FILE, read_audit
from corespot.report.spot_table import spot_table
from corespot.tracking.reading import LoggedRun
from corespot.tracking.run_files import RunFiles

#: Folder of the audit in a run, and the record of a mitigation.
AUDIT, BEFORE_AFTER = "audit", "before_after.json"
_SENSITIVITY = "sensitivity/sensitivity.npz"


class RunRecord:
    """Reads the files of one run; every reader raises `StoreError` with what is missing and why.

    Parameters
    ----------
    run : LoggedRun
        The run.
    files : RunFiles
        Its files.
    """

    def __init__(self, run: LoggedRun, files: RunFiles) -> None:
        self.run = run
        self.files = files

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the probability columns.

        Raises
        ------
        StoreError
            If the run names none.
        """
        try:
            names = json.loads(self.run.params.get("classes", ""))
        except json.JSONDecodeError:
            names = None
        if isinstance(names, list) and names:
            return tuple(str(name) for name in names)
        if self.files.has(f"{AUDIT}/{AUDIT_FILE}"):
            return self.audit().classes
        raise StoreError(f"run {self.run.run_id} ({self.run.name}) names no classes")

    def metrics(self) -> dict[str, Any]:
        """Content of ``metrics.json``: every level, confusion matrices, calibration, facts."""
        found = read_json(self.files.file("metrics.json"))
        if not isinstance(found, dict):
            raise StoreError(f"metrics.json of run {self.run.run_id} holds no metrics")
        return found

    def table(self, name: str) -> pd.DataFrame:
        """A table that training logged.

        Parameters
        ----------
        name : str
            ``predictions``, ``fold_metrics``, ``folds``, ``history``, ``cores``, ``spots``,
            ``patches`` or ``ablations``; the last two only some models have.
        """
        return read_table(self.files.file(f"tables/{name}.parquet"))

    def optional_table(self, path: str) -> pd.DataFrame | None:
        """A table that only some runs have, ``None`` where it is not there."""
        return read_table(self.files.file(path)) if self.files.has(path) else None

    def spots(self) -> pd.DataFrame:
        """Every spot of the task with what the out-of-fold models say; see `spot_table`."""
        return spot_table(self.table("predictions"), self.table("spots"), self.classes)

    def sensitivity(self) -> SensitivityProfile:
        """Mean profile over the folds."""
        return SensitivityProfile.from_arrays(read_arrays(self.files.file(_SENSITIVITY)))

    def class_means(self) -> npt.NDArray[np.float64] | None:
        """Mean spectrum of every class, shape (n_classes, n_bins), where it was kept."""
        return read_arrays(self.files.file(_SENSITIVITY)).get("class_means")

    def fold_sensitivities(self) -> dict[str, npt.NDArray[np.float32]]:
        """Of each fold: ``fold`` (n,), ``probability`` and ``logit`` (n, n_classes, n_bins)."""
        return read_arrays(self.files.file("sensitivity/folds.npz"))

    def windows(self) -> pd.DataFrame:
        """Ranked m/z windows of every class."""
        return read_table(self.files.file("sensitivity/windows.csv"))

    def audit(self) -> AuditView:
        """The audit."""
        return read_audit(self.files.folder(AUDIT))

    def audit_digest(self) -> str:
        """SHA-256 of the audit's file: what a decision is bound to."""
        return sha256_of(self.files.file(f"{AUDIT}/{AUDIT_FILE}"))

    def mitigation(self) -> Mapping[str, Any] | None:
        """Record of a mitigation, before and after; ``None`` for a plain run."""
        if "mitigation" not in self.run.tags:
            return None
        found = read_json(self.files.file(BEFORE_AFTER))
        if not isinstance(found, dict):
            raise StoreError(f"{BEFORE_AFTER} of run {self.run.run_id} holds no record")
        return found


def read_markers(table: Path) -> tuple[Marker, ...]:
    """The project's marker table, empty where there is none."""
    return parse_markers(read_table(table)) if table.is_file() else ()
