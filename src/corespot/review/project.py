"""The project that an app or a command stands in: its data now, against what a run has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from corespot.errors import CorespotError, StoreError
from corespot.io.artifacts import read_json
from corespot.io.folds import read_folds
from corespot.io.store import SpectraStore
from corespot.params import Params, load_params
from corespot.tracking.provenance import dvc_hashes
from corespot.tracking.reading import LoggedRun
from corespot.tracking.store import resolve_uri

_STORE = "data/store"


@dataclass(frozen=True)
class Project:
    """A project folder.

    Parameters
    ----------
    root : Path
        Folder with ``params.yaml``.
    """

    root: Path

    @cached_property
    def params(self) -> Params | None:
        """Its settings; ``None`` where there are none or they cannot be read."""
        try:
            return load_params(self.root / "params.yaml")
        except CorespotError:
            return None

    @property
    def tracking_uri(self) -> str:
        """Where its runs are: what ``params.yaml`` names, else MLflow's variable, else its own."""
        tracking = self._plain.get("tracking") or {}
        named = tracking.get("uri") if isinstance(tracking, Mapping) else None
        return resolve_uri(str(named) if named else None, self.root)

    @cached_property
    def _plain(self) -> Mapping[str, Any]:
        """``params.yaml`` as it is written: the app opens even where it cannot be validated."""
        try:
            found = yaml.safe_load((self.root / "params.yaml").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            return {}
        return found if isinstance(found, Mapping) else {}

    @property
    def cohort(self) -> Path | None:
        """Folder of its cohort as ``params.yaml`` names it; ``None`` where it names none."""
        named = self._plain.get("cohort")
        return self.root / str(named) if named else None

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of its tasks, also where ``params.yaml`` cannot be validated."""
        named = self._plain.get("tasks")
        return tuple(str(name) for name in named) if isinstance(named, Mapping) else ()

    def data_hash(self) -> str:
        """DVC's hash of the spectra store as it is now, ``unknown`` where DVC has none.

        Raises
        ------
        StoreError
            If ``dvc.lock`` is none that DVC has written.
        """
        try:
            return dvc_hashes(self.root, {"store": _STORE})["store"]
        except (OSError, yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError):
            raise StoreError(
                f"{self.root / 'dvc.lock'} cannot be read; git checkout dvc.lock, or dvc repro"
            ) from None

    def fold_fingerprint(self, task: str) -> str:
        """Fingerprint of a task's folds as they are now.

        Raises
        ------
        StoreError
            If there are none, or they cannot be read.
        """
        if not task.replace("_", "").isalnum():
            raise StoreError(f"{task!r} is no name of a task")
        return read_folds(self.root / "data" / "folds" / task).fingerprint

    def store_of(self, run: LoggedRun) -> SpectraStore:
        """The spectra a run has read, if the project still holds the same.

        Raises
        ------
        StoreError
            If it holds others, or none.
        """
        read, now = run.tags.get("dvc.store", "unknown"), self.data_hash()
        if read != now or now == "unknown":
            raise StoreError(
                f"this run read the spectra store {read[:8]}, and the project holds {now[:8]}; "
                "check out the commit of the run, then `dvc checkout` or `dvc repro`"
            )
        store = SpectraStore.open(self.root / _STORE)
        if store.axis.fingerprint != run.tags.get("axis.fingerprint", store.axis.fingerprint):
            raise StoreError("the project's m/z axis is not that of this run; `dvc checkout`")
        return store

    def design(self, task: str) -> dict[str, Any]:
        """The audit of a task's design.

        Raises
        ------
        StoreError
            If it was not made.
        """
        found = read_json(self.root / "data" / "design" / "design.json")
        if task not in found:
            raise StoreError(f"the design of {task} was not audited; run `dvc repro design`")
        return dict(found[task])
