"""Whether a store was written to, told from its file."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from corespot.tracking.reading import database_stamp


def test_the_stamp_of_a_local_store_changes_with_every_write(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    uri = f"sqlite:///{path}"
    assert database_stamp(uri) == () == database_stamp("http://127.0.0.1:5000")
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (name TEXT)")
        database.commit()
        seen = {database_stamp(uri)}
        for name in "abc":
            time.sleep(0.02)  # file systems count time in steps
            database.execute("INSERT INTO runs VALUES (?)", (name,))
            database.commit()
            seen.add(database_stamp(uri))
        assert len(seen) == 4 and database_stamp(uri) in seen
