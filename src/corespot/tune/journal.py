"""Where studies are kept: a journal file that survives any kill, or an Optuna database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock

from corespot.errors import TuneError


class KernelLock(BaseJournalFileLock):
    """A lock that the kernel takes back from a dead process, and that mends what it left.

    Optuna's own locks are files that stay behind when their owner is killed, and a record that
    was half written then would run into the next one: the journal could not be read any more.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._lock = FileLock(str(journal) + ".lock")

    def acquire(self) -> bool:
        """Wait for the lock, then cut off a record that a killed process left unfinished."""
        self._lock.acquire()
        try:
            self._cut_off_half_a_record()
        except BaseException:
            self._lock.release()
            raise
        return True

    def _cut_off_half_a_record(self) -> None:
        with self._journal.open("rb+") as stream:
            size = end = stream.seek(0, os.SEEK_END)
            while end and not _ends_line(stream, end):
                end -= 1
            if end < size:
                stream.truncate(end)

    def release(self) -> None:
        """Let the next one in."""
        self._lock.release()


def open_storage(url: str | None, folder: Path) -> BaseStorage:
    """Open the storage of the studies; it is initialised once, under a lock.

    Parameters
    ----------
    url : str or None
        Optuna storage URL; ``None``: ``optuna.journal`` in `folder`.
    folder : Path
        Folder of the studies, made if missing; also holds the locks.

    Raises
    ------
    TuneError
        If a database cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    if url is None:
        path = folder / "optuna.journal"
        with FileLock(str(path) + ".lock"):
            path.touch()
        return JournalStorage(JournalFileBackend(str(path), lock_obj=KernelLock(path)))
    # Two processes that make a new database at once corrupt it.
    with FileLock(str(folder / "database.lock")):
        try:
            return RDBStorage(url)
        except Exception as error:  # SQLAlchemy's drivers raise many kinds
            raise TuneError(
                f"the Optuna storage {without_password(url)} cannot be opened ({error}); check "
                "tune.storage in params.yaml, and that the driver is installed"
            ) from None


def _ends_line(stream: Any, end: int) -> bool:
    stream.seek(end - 1)
    return bool(stream.read(1) == b"\n")


def without_password(url: str) -> str:
    """A storage URL as it may be shown."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
