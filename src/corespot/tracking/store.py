"""The project's MLflow store: one sqlite file with its artifacts beside it."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from filelock import FileLock

from corespot.errors import TrackingError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")

#: Columns in which MLflow keeps absolute artifact paths.
_PATH_COLUMNS = (
    ("runs", "artifact_uri"),
    ("experiments", "artifact_location"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def project_root() -> Path:
    """Folder whose ``mlruns`` takes the runs.

    DVC runs a queued experiment in a copy of the project that is deleted afterwards; it names the
    real project in ``DVC_ROOT``, so runs started there are kept too.
    """
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def resolve_uri(uri: str | None, root: Path | None = None) -> str:
    """Tracking URI of the project: `uri` if given, else MLflow's variable, else its own store."""
    chosen = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if chosen:
        return chosen
    return f"sqlite:///{(root or project_root()) / 'mlruns' / 'mlflow.db'}"


def prepare_store(uri: str | None = None, root: Path | None = None) -> str:
    """Create the store once, under a lock, and return its URI.

    Several processes that open a new sqlite store at once corrupt it for good, so creation and
    migration happen here and nowhere else. Write-ahead logging lets readers look on while a
    stage writes.

    Raises
    ------
    TrackingError
        If the store exists but cannot be opened.
    """
    import mlflow

    resolved = resolve_uri(uri, root)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(resolved)
    if not resolved.startswith("sqlite:///"):
        return resolved
    database = Path(resolved.removeprefix("sqlite:///"))
    database.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(str(database) + ".lock"):
        try:
            mlflow.MlflowClient(resolved).search_experiments(max_results=1)
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
        except Exception as error:  # MLflow and SQLAlchemy raise many kinds
            raise TrackingError(
                f"{database}: this MLflow store cannot be opened ({error}); "
                "move it away to start a new one, or restore it from a backup"
            ) from None
    return resolved


def experiment_id(name: str, uri: str) -> str:
    """Experiment called `name`, made with an explicit artifact folder if it is new."""
    import mlflow

    client = mlflow.MlflowClient(uri)
    with store_lock(uri):
        known = client.get_experiment_by_name(name)
        if known is not None:
            if known.lifecycle_stage != "active":
                client.restore_experiment(known.experiment_id)
            return str(known.experiment_id)
        location = None
        if uri.startswith("sqlite:///"):
            folder = Path(uri.removeprefix("sqlite:///")).parent / "artifacts" / name
            location = folder.as_uri()
        # Without its kind the UI guesses, and shows a fresh experiment as one about chat models.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        return str(client.create_experiment(name, artifact_location=location, tags=tags))


def store_lock(uri: str) -> FileLock:
    """Lock by which processes on this machine take turns in changing the store."""
    return FileLock(str(_lock_path(uri)))


def relocate(database: Path, old: str, new: str) -> int:
    """Rewrite the prefix of all stored artifact paths after a project has moved.

    Parameters
    ----------
    database : Path
        The sqlite file.
    old, new : str
        Former and present absolute path of the project folder.

    Returns
    -------
    int
        Number of paths rewritten.
    """
    if not database.is_file():
        raise TrackingError(f"{database} does not exist; give the path of mlflow.db")
    count = 0
    old_path, new_path = old.rstrip("/"), new.rstrip("/")
    with closing(sqlite3.connect(database)) as connection:
        tables = {
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        }
        for table, column in _PATH_COLUMNS:
            if table not in tables:
                continue
            for scheme in ("file://", ""):
                cursor = connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE {column} = ? OR {column} LIKE ? ESCAPE '\\'",
                    (
                        scheme + new_path,
                        len(scheme + old_path) + 1,
                        scheme + old_path,
                        _escaped(scheme + old_path) + "/%",
                    ),
                )
                count += cursor.rowcount
        connection.commit()
    return count


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _lock_path(uri: str) -> Path:
    if uri.startswith("sqlite:///"):
        return Path(uri.removeprefix("sqlite:///") + ".lock")
    folder = project_root() / "mlruns"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "remote.lock"
