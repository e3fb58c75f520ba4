"""Look into an MLflow store without changing it."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from corespot.errors import TrackingError
from corespot.tracking.store import resolve_uri

#: Values of the tag ``level`` that stand for a whole model, not for a fold, study or trial.
MODEL_LEVELS = ("model", "mitigated model")
_PAGE = 1000


@dataclass(frozen=True)
class LoggedRun:
    """What MLflow knows of a run, without its files.

    Parameters
    ----------
    run_id, name : str
        Its identifier and its name.
    experiment_id, experiment : str
        Identifier and name of its experiment, which is that of the cohort.
    status : str
        ``FINISHED``, ``RUNNING``, ``FAILED``, ``KILLED`` or ``SCHEDULED``.
    deleted : bool
        Whether it lies in MLflow's bin.
    started, ended : datetime or None
        In UTC.
    artifact_uri : str
        Where its files are.
    tags, params : mapping of str to str
        As logged.
    metrics : mapping of str to float
        The latest value of each.
    """

    run_id: str
    name: str
    experiment_id: str
    experiment: str
    status: str
    deleted: bool
    started: datetime | None
    ended: datetime | None
    artifact_uri: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """Its task, empty if it names none."""
        return self.tags.get("task", "")

    @property
    def model(self) -> str:
        """Its model, empty if it names none."""
        return self.tags.get("model", "")


def reading_client(uri: str | None = None, root: Path | None = None) -> Any:
    """An MLflow client on a store that is there already.

    Parameters
    ----------
    uri : str, optional
        Tracking URI, see `resolve_uri`.
    root : Path, optional
        Folder of the project.

    Raises
    ------
    TrackingError
        If the project's own store does not exist yet, or the store cannot be opened.
    """
    resolved = resolve_uri(uri, root)
    if resolved.startswith("sqlite:///"):
        database = Path(resolved.removeprefix("sqlite:///"))
        if not database.is_file():
            raise TrackingError(f"{database} does not exist yet; `make run` makes it")
    import mlflow

    with mlflow_told("the MLflow store cannot be opened"):
        return mlflow.MlflowClient(resolved)


def find_runs(client: Any) -> list[LoggedRun]:
    """All runs of whole models that are not deleted, newest first.

    Raises
    ------
    TrackingError
        If the store cannot be read.
    """
    with mlflow_told("the MLflow store cannot be read"), _no_collection():
        names = {e.experiment_id: e.name for e in _all_experiments(client)}
        found: list[LoggedRun] = []
        for level in MODEL_LEVELS:
            token: str | None = None
            while names:
                page = client.search_runs(
                    list(names), f"tags.level = '{level}'", max_results=_PAGE, page_token=token
                )
                found += [_logged(run, names) for run in page]
                token = page.token
                if not token:
                    break
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda run: run.started or oldest, reverse=True)


def read_run(client: Any, run_id: str) -> LoggedRun:
    """One run, deleted or not.

    Raises
    ------
    TrackingError
        If there is none of this identifier.
    """
    with mlflow_told(f"there is no run {run_id!r} in this MLflow store"):
        run = client.get_run(run_id)
        experiment = client.get_experiment(run.info.experiment_id)
    return _logged(run, {experiment.experiment_id: experiment.name})


def child_runs(client: Any, run: LoggedRun) -> list[LoggedRun]:
    """Runs beneath a run, oldest first: its folds, or the studies and trials of a tuning."""
    if not run.run_id.isalnum():
        raise TrackingError(f"{run.run_id!r} is no identifier of a run")
    with mlflow_told(f"the runs beneath {run.run_id} cannot be read"):
        page = client.search_runs(
            [run.experiment_id],
            f"tags.`mlflow.parentRunId` = '{run.run_id}'",
            max_results=_PAGE,
            order_by=["attributes.start_time ASC"],
        )
    return [_logged(child, {run.experiment_id: run.experiment}) for child in page]


@contextmanager
def _no_collection() -> Iterator[None]:
    """Leave Python's search for cycles out while many small objects are made.

    SQLAlchemy makes one for every metric, parameter and tag, and the collector walks over all of
    them again and again: at 500 runs that was more than half of the time (1.35 s against 0.56 s).
    Objects are still freed when nothing refers to them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _all_experiments(client: Any) -> list[Any]:
    found, token = [], None
    while True:
        page = client.search_experiments(max_results=_PAGE, page_token=token)
        found += list(page)
        token = page.token
        if not token:
            return found


def _logged(run: Any, experiments: Mapping[str, str]) -> LoggedRun:
    info = run.info
    return LoggedRun(
        run_id=str(info.run_id),
        name=_one_line(str(info.run_name or "")) or str(info.run_id),
        experiment_id=str(info.experiment_id),
        experiment=experiments.get(str(info.experiment_id), ""),
        status=str(info.status),
        deleted=info.lifecycle_stage != "active",
        started=_moment(info.start_time),
        ended=_moment(info.end_time),
        artifact_uri=str(info.artifact_uri),
        tags=dict(run.data.tags),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
    )


def _one_line(text: str) -> str:
    """Text that cannot pass for a line of its own, nor move a terminal's cursor."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())


def _moment(milliseconds: int | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
    except (ValueError, OverflowError, OSError):
        return None  # no date of our calendar: that one run must not hide all others


class mlflow_told:
    """MLflow's many kinds of errors as one, without its traceback."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        if isinstance(error, MlflowException | SQLAlchemyError | OSError):
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise TrackingError(f"{self.what}: {first}") from None


def database_stamp(uri: str) -> tuple[int, ...]:
    """What changes when anything is written to a store in a local file; empty for other stores.

    Parameters
    ----------
    uri : str
        Address of the store.
    """
    path = uri.removeprefix("sqlite:///")
    if path == uri:
        return ()
    found: list[int] = []
    for name in (path, f"{path}-wal"):
        with suppress(OSError):
            there = Path(name).stat()
            found += [there.st_mtime_ns, there.st_size]
    return tuple(found)
