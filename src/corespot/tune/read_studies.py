"""Look at studies without touching them: nothing is made, locked or written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.trial import FrozenTrial, TrialState

from corespot.errors import TuneError
from corespot.tune.attributes import FINISHED
from corespot.tune.journal import without_password
from corespot.tune.liveness import DEAD_AFTER, SEEN
from corespot.tune.trial_rows import (
    best_trial,
    published_trial,
    state_of,
    trial_rows,
    whole_value,
)

#: Name of the journal in the folder of the studies.
JOURNAL = "optuna.journal"


class JournalAsItWas(BaseJournalBackend):
    """A journal as it was when it was read; a record that is still being written is left out.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    TuneError
        If it is not there, or a record in it is damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            raise TuneError(f"there is no study yet ({path} does not exist)") from None
        except OSError as error:
            raise TuneError(f"{path} cannot be read ({error})") from None
        self._logs: list[dict[str, Any]] = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict):
                raise TuneError(
                    f"{path}: line {number} is damaged and cannot be read; take that line out, or "
                    "move the file away to begin new studies"
                )
            self._logs.append(record)

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Records from a number on."""
        return self._logs[log_number_from:]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Refuse to write."""
        raise TuneError("these studies are only looked at; `corespot tune` writes them")


@dataclass(frozen=True, eq=False)
class SeenStudy:
    """A study as it was when it was looked at.

    Parameters
    ----------
    study : optuna.Study
        The study; whatever would change it is refused.
    number : int
        Order in which studies were made.
    """

    study: optuna.Study
    number: int

    @property
    def name(self) -> str:
        """Task, model, outer fold and a digest of all that its trials depend on."""
        return str(self.study.study_name)

    @property
    def about(self) -> Mapping[str, Any]:
        """What it was made for: ``task``, ``model``, ``outer_fold``, ``inner_folds``, …"""
        return dict(self.study.user_attrs)

    @property
    def task(self) -> str:
        """Its task."""
        return str(self.about.get("task", "unknown"))

    @property
    def model(self) -> str:
        """The model that it tunes."""
        return str(self.about.get("model", "unknown"))

    @property
    def fold(self) -> tuple[int, int]:
        """Repeat and number of the outer fold."""
        found = self.about.get("outer_fold")
        return (int(found[0]), int(found[1])) if isinstance(found, list) else (0, 0)

    @property
    def place(self) -> str:
        """The outer fold in words."""
        if not self.about.get("nested", True):
            return "all (hold-in)"
        return f"repeat {self.fold[0]}, fold {self.fold[1]}"

    def trials(self) -> list[FrozenTrial]:
        """Its trials; not to be changed."""
        return list(self.study.get_trials(deepcopy=False))

    @property
    def stamp(self) -> str:
        """Tells whether anything that figures show has changed."""
        states = [(t.number, t.state.name, len(t.intermediate_values)) for t in self.trials()]
        return f"{self.name} {hash(tuple(states))}"

    def table(self) -> pd.DataFrame:
        """One row a trial; see `corespot.tune.trial_rows.trial_rows`."""
        return trial_rows(self.study, self.fold, _listed)

    def table_by_setting(self) -> pd.DataFrame:
        """The same for a reader: a column each setting, the best first, then those that go on."""
        table = self.table()
        settings = pd.DataFrame([json.loads(text) for text in table["params"]], index=table.index)
        shown = table[["number", "state", "value", "role"]].rename(columns={"number": "trial"})
        rest = pd.DataFrame(
            {
                "inner folds": [len(json.loads(text)) for text in table["inner_folds"]],
                "seconds": table["seconds"].round(1),
                "started": table["started"],
                "reason": table["reason"],
            }
        )
        whole = pd.concat([shown, settings.map(_written), rest], axis=1)
        return whole.sort_values("value", ascending=False, kind="stable", ignore_index=True)

    def progress(self, now: float) -> dict[str, object]:
        """How far it is.

        Parameters
        ----------
        now : float
            Time of day in seconds: a running trial that gave no sign of life for two minutes
            counts as ``silent``; its process may have been killed.

        Returns
        -------
        dict
            ``finished``, ``running``, ``silent``, ``waiting``, ``pruned``, ``failed``: numbers of
            trials; ``published``, ``best``: values or ``None``; ``gain``: their difference.
        """
        trials = self.trials()
        states = [state_of(trial) for trial in trials]
        runs = [trial for trial in trials if trial.state == TrialState.RUNNING]
        silent = sum(now - float(t.user_attrs.get(SEEN, 0.0)) > DEAD_AFTER for t in runs)
        best, base = best_trial(trials), whole_value(published_trial(trials))
        value = None if best is None else float(best.values[0])
        return {
            "finished": sum(trial.state in FINISHED for trial in trials),
            "running": len(runs) - silent,
            "silent": silent,
            "waiting": states.count("waiting"),
            "pruned": states.count("pruned") + states.count("pruned early"),
            "failed": states.count("failed"),
            "published": base,
            "best": value,
            "gain": None if value is None or base is None else value - base,
        }

    def last_active(self) -> float:
        """When its latest trial began, in seconds; 0 before the first."""
        begun = [t.datetime_start.timestamp() for t in self.trials() if t.datetime_start]
        return max(begun, default=0.0)


def see_studies(url: str | None, folder: Path) -> list[SeenStudy]:
    """All studies of a storage, the oldest first.

    Parameters
    ----------
    url : str or None
        Optuna storage URL; ``None``: the journal in `folder`.
    folder : Path
        Folder of the studies.

    Raises
    ------
    TuneError
        If there is no storage, or it cannot be read.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _storage_to_read(url, folder)
    try:
        kept = sorted(storage.get_all_studies(), key=lambda study: study._study_id)
        return [
            SeenStudy(optuna.load_study(study_name=one.study_name, storage=storage), number)
            for number, one in enumerate(kept)
        ]
    except Exception as error:  # drivers of databases raise many kinds
        raise TuneError(f"the studies cannot be read ({_first_line(error)})") from None


def current_and_former(studies: Iterable[SeenStudy]) -> tuple[list[SeenStudy], list[SeenStudy]]:
    """Of each task, model and outer fold the study worked on last, by fold; and all others."""
    latest: dict[tuple[str, str, str], SeenStudy] = {}
    every = sorted(studies, key=lambda one: (one.last_active(), one.number))
    for one in every:
        latest[one.task, one.model, one.place] = one
    current = sorted(latest.values(), key=lambda one: (one.task, one.model, one.fold))
    return current, [one for one in reversed(every) if one not in current]


def _storage_to_read(url: str | None, folder: Path) -> BaseStorage:
    if url is None:
        journal = JournalAsItWas(folder / JOURNAL)
        try:
            return JournalStorage(journal)
        except Exception as error:  # replaying records that do not fit raises many kinds
            raise TuneError(
                f"{folder / JOURNAL} is damaged ({_first_line(error)}); move it away to begin new "
                "studies"
            ) from None
    path = url.removeprefix("sqlite:///")
    if url.startswith("sqlite:///") and not Path(path).is_file():
        raise TuneError(f"there is no study yet ({path} does not exist)")
    try:
        return RDBStorage(url, skip_compatibility_check=True, skip_table_creation=True)
    except Exception as error:  # SQLAlchemy's drivers raise many kinds
        raise TuneError(
            f"the Optuna storage {without_password(url)} cannot be opened "
            f"({type(error).__name__}); check tune.storage in params.yaml"
        ) from None


def _listed(params: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a trial; lists are stored as their JSON text."""
    found = {}
    for name, value in params.items():
        is_list = isinstance(value, str) and value.startswith("[")
        found[name] = json.loads(value) if is_list else value
    return found


def _written(value: object) -> str:
    missing = value is None or (isinstance(value, float) and value != value)
    return "" if missing else f"{value:.4g}" if isinstance(value, float) else str(value)


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
