"""A run whose files a test may spoil."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


def own_files(project: Path, run_id: str, folder: Path) -> Path:
    """Copy the files of a run of `project` into `folder`, point the run at them, return where.

    `project` is one whose MLflow store may be written to.
    """
    with closing(sqlite3.connect(project / "mlruns" / "mlflow.db")) as store, store:
        (uri,) = store.execute(
            "SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)
        ).fetchone()
        target = folder / f"files-{run_id}"
        shutil.copytree(str(uri).removeprefix("file://"), target)
        store.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (str(target), run_id))
    return target


def set_tag(project: Path, run_id: str, tag: str, value: str | None) -> None:
    """Write, or with ``None`` take away, a tag of a run."""
    with closing(sqlite3.connect(project / "mlruns" / "mlflow.db")) as store, store:
        store.execute("DELETE FROM tags WHERE run_uuid = ? AND key = ?", (run_id, tag))
        if value is not None:
            store.execute(
                "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", (tag, value, run_id)
            )
