"""Studies in MLflow: a run a study, a child run a trial, beneath it a run an inner fold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock

from corespot.tracking.runs import Run
from corespot.tracking.store import experiment_id, prepare_store

_OVER = ("complete", "pruned early", "pruned", "failed")
#: MLflow's status of a trial; one that was pruned has come to its end.
_STATUS = {"failed": "FAILED", "pruned": "KILLED"}


class StudyRun:
    """The run of one study; what is written twice is written once.

    Trials are logged after they ended, in few calls each, so that none waits for MLflow.

    Parameters
    ----------
    name : str
        Name of the study, and of its run.
    experiment : str
        Name of the experiment.
    tags : mapping
        Tags of the run.
    uri : str or None
        Tracking URI, see `resolve_uri`.
    keep_folds : bool
        Record inner folds as runs of their own.
    lock : Path
        Lock file by which several processes that work on the study write each trial once.
    """

    def __init__(
        self,
        name: str,
        *,
        experiment: str,
        tags: Mapping[str, str],
        lock: Path,
        uri: str | None = None,
        keep_folds: bool = False,
    ) -> None:
        import mlflow

        resolved = prepare_store(uri)
        client = mlflow.MlflowClient(resolved)
        key = experiment_id(experiment, resolved)
        self._keep_folds = keep_folds
        self.name = name
        self._lock = FileLock(str(lock))
        with self._lock:
            known = client.search_runs([key], f"tags.study = '{name}' AND tags.level = 'study'")
            if known:
                self.run = Run(client, key, known[0].info.run_id)
                client.update_run(self.run.run_id, status="RUNNING")
            else:
                every = {**tags, "study": name, "level": "study"}
                created = client.create_run(key, run_name=name, tags=every)
                self.run = Run(client, key, created.info.run_id)
        self._logged: set[int] = set()

    def update(self, trials: pd.DataFrame) -> None:
        """Log the trials that ended since the last time.

        Parameters
        ----------
        trials : DataFrame
            All trials of the study, with the columns ``number, state, value, role, params,
            inner_folds, reason, started, ended``.
        """
        over = trials[trials["state"].isin(_OVER) & ~trials["number"].isin(self._logged)]
        if over.empty:
            return
        with self._lock:
            self._logged = self._known_trials()
            for trial in over.to_dict("records"):
                if int(trial["number"]) not in self._logged:
                    self._log_trial({str(name): value for name, value in trial.items()})
                    self._logged.add(int(trial["number"]))

    def finish(self, outcome: Mapping[str, Any], folder: Path, page: Path) -> None:
        """Log what the study found, its figures and tables, and end its run.

        Parameters
        ----------
        outcome : mapping
            The study's part of ``tuned.json``.
        folder : Path
            Figures and tables of the study.
        page : Path
            The page of all studies of the model.
        """
        numbers = {
            name: outcome[name]
            for name in ("best_value", "published_value", "configured_value", "gain", "trials")
        }
        self.run.metrics({**numbers, "pruned_early": outcome["pruned_early"]})
        # Tags, not parameters: more trials may find another setting, and parameters are for good.
        self.run.tags({f"best.{k}": json.dumps(v) for k, v in outcome["settings"].items()})
        self.run.artifacts(folder, "study")
        self.run.artifact(page, "study")
        self.run.client.set_terminated(self.run.run_id, "FINISHED")

    def fail(self, status: str = "KILLED") -> None:
        """End the run of a study that was interrupted."""
        self.run.client.set_terminated(self.run.run_id, status)

    def _known_trials(self) -> set[int]:
        run, found, token = self.run, set[int](), None
        while True:
            page = run.client.search_runs(
                [run.experiment],
                f"tags.`mlflow.parentRunId` = '{run.run_id}'",
                max_results=1000,
                page_token=token,
            )
            for child in page:
                if child.info.status == "RUNNING":
                    # Left half written by a process that was killed; it is logged again.
                    run.client.delete_run(child.info.run_id)
                else:
                    found.add(int(child.data.tags["trial"]))
            token = page.token
            if not token:
                return found

    def _log_trial(self, trial: Mapping[str, Any]) -> None:
        number, state = int(trial["number"]), str(trial["state"])
        tags = {"trial": str(number), "state": state, "level": "trial", "study": self.name}
        tags |= {name: str(trial[name]) for name in ("role", "reason") if trial[name]}
        label = f"trial {number}" + (f" ({trial['role']})" if trial["role"] else "")
        child = self._child(self.run, label, tags, trial)
        child.params(json.loads(trial["params"]))
        folds = {int(n): float(v) for n, v in json.loads(trial["inner_folds"]).items()}
        value = None if pd.isna(trial["value"]) else float(trial["value"])
        child.metric_rows(
            [(n, {"inner_fold": v}) for n, v in folds.items()] + [(0, {"value": value})]
        )
        if self._keep_folds:
            for fold, found in folds.items():
                of_fold = {"inner_fold": str(fold), "level": "inner fold"}
                grandchild = self._child(child, f"inner fold {fold}", of_fold, trial)
                grandchild.metrics({"value": found})
                self._end(grandchild, "FINISHED", trial)
        self._end(child, _STATUS.get(state, "FINISHED"), trial)

    def _child(
        self, parent: Run, name: str, tags: Mapping[str, str], trial: Mapping[str, Any]
    ) -> Run:
        created = parent.client.create_run(
            parent.experiment,
            run_name=name,
            start_time=_milliseconds(trial["started"]),
            tags={"mlflow.parentRunId": parent.run_id, **tags},
        )
        return Run(parent.client, parent.experiment, created.info.run_id)

    def _end(self, run: Run, status: str, trial: Mapping[str, Any]) -> None:
        run.client.set_terminated(run.run_id, status, end_time=_milliseconds(trial["ended"]))


def _milliseconds(when: Any) -> int | None:
    # Optuna's times are local ones without a zone, as Python's own datetime takes them.
    return None if pd.isna(when) else int(pd.Timestamp(when).to_pydatetime().timestamp() * 1000)
