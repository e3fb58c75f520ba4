"""Runs in MLflow: a parent for a task and model, a child for every repeat and fold."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from corespot.tracking.store import experiment_id, prepare_store

#: MLflow refuses longer values.
_LONGEST_PARAM = 6000


class Run:
    """One MLflow run; batches what it logs."""

    def __init__(self, client: Any, experiment: str, run_id: str) -> None:
        self.client = client
        self.experiment = experiment
        self.run_id = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters, nested mappings flattened with dots."""
        from mlflow.entities import Param

        flat = [
            Param(name, text[:_LONGEST_PARAM]) for name, text in sorted(_flatten(values).items())
        ]
        for start in range(0, len(flat), 100):
            self.client.log_batch(self.run_id, params=flat[start : start + 100])

    def metrics(self, values: Mapping[str, float | None], step: int = 0) -> None:
        """Log finite metrics of one step."""
        self.metric_rows([(step, values)])

    def metric_rows(self, rows: Sequence[tuple[int, Mapping[str, float | None]]]) -> None:
        """Log metrics of many steps in few calls."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        batch = [
            Metric(name, float(value), now, step)
            for step, values in rows
            for name, value in values.items()
            if value is not None and float("-inf") < float(value) < float("inf")
        ]
        for start in range(0, len(batch), 1000):
            self.client.log_batch(self.run_id, metrics=batch[start : start + 1000])

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        self.client.log_batch(
            self.run_id, tags=[RunTag(name, str(value)) for name, value in values.items()]
        )

    def dataset(self, name: str, digest: str, source: str, profile: Mapping[str, Any]) -> None:
        """Log a dataset the run read."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(
            name=name,
            digest=digest[:36],
            source_type="local",
            source=json.dumps({"uri": source}),
            profile=json.dumps(dict(profile)),
        )
        self.client.log_inputs(
            self.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
        )

    def artifacts(self, folder: Path, at: str | None = None) -> None:
        """Log all files of a folder."""
        self.client.log_artifacts(self.run_id, str(folder), at)

    def artifact(self, file: Path, at: str | None = None) -> None:
        """Log one file."""
        self.client.log_artifact(self.run_id, str(file), at)

    @contextmanager
    def child(self, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
        """Open a child run, ended as finished or failed."""
        created = self.client.create_run(
            self.experiment,
            run_name=name,
            tags={"mlflow.parentRunId": self.run_id, **tags},
        )
        child = Run(self.client, self.experiment, created.info.run_id)
        with child._ended():
            yield child

    def end_unfinished(self, status: str) -> None:
        """Give this run and its children `status` where they still count as running."""
        children = self.client.search_runs(
            [self.experiment], f"tags.`mlflow.parentRunId` = '{self.run_id}'"
        )
        for run in [*children, self.client.get_run(self.run_id)]:
            if run.info.status == "RUNNING":
                self.client.set_terminated(run.info.run_id, status)

    @contextmanager
    def _ended(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self.client.set_terminated(self.run_id, "KILLED")
            raise
        except BaseException:
            self.client.set_terminated(self.run_id, "FAILED")
            raise
        self.client.set_terminated(self.run_id, "FINISHED")


@contextmanager
def start_run(
    name: str, *, experiment: str, tags: Mapping[str, str], uri: str | None = None
) -> Iterator[Run]:
    """Open a run; its store is prepared if it is new.

    Parameters
    ----------
    name : str
        Name of the run.
    experiment : str
        Name of the experiment, made if missing.
    tags : mapping
        Tags set from the start.
    uri : str, optional
        Tracking URI, see `resolve_uri`.
    """
    import mlflow

    resolved = prepare_store(uri)
    client = mlflow.MlflowClient(resolved)
    experiment_key = experiment_id(experiment, resolved)
    created = client.create_run(experiment_key, run_name=name, tags=dict(tags))
    run = Run(client, experiment_key, created.info.run_id)
    with run._ended():
        yield run


def reopen_run(run_id: str, uri: str | None = None) -> Run | None:
    """Open an existing run to add to it; ``None`` if the store does not know it.

    A stage that DVC restores from its run cache carries the identifier of a run that may live in
    another store; later stages then go on without it.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    resolved = prepare_store(uri)
    client = mlflow.MlflowClient(resolved)
    try:
        known = client.get_run(run_id)
    except MlflowException:
        return None
    if known.info.lifecycle_stage != "active":
        return None
    return Run(client, known.info.experiment_id, run_id)


def add_to_run(run_id: str, folder: Path, at: str, uri: str | None = None) -> bool:
    """Add the files of `folder` to an existing run; ``False`` if the store does not know it."""
    run = reopen_run(run_id, uri)
    if run is None:
        print(f"run {run_id} is not in this MLflow store; {folder} is kept, but not logged")
        return False
    run.artifacts(folder, at)
    return True


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat.update(_flatten(value, key + "."))
        else:
            flat[key] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat
