"""Who is alive: a worker holds a lock as long as its process does, and signs every half minute."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import optuna
from filelock import FileLock, Timeout

#: Seconds between signs of life, and after which a worker of another machine counts as dead.
SIGN_EVERY, DEAD_AFTER = 30.0, 120.0

#: User attributes of a trial: who runs it, and when it was last seen.
WORKER, SEEN = "worker", "seen"


class Worker:
    """A process that runs trials; the kernel gives its lock back when it dies, however it dies.

    Parameters
    ----------
    folder : Path
        Folder of the studies.
    """

    def __init__(self, folder: Path) -> None:
        self.name = f"{socket.gethostname()}:{uuid4().hex[:12]}"
        self._folder = folder / "workers"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / f"{self.name.partition(':')[2]}.lock"
        self._lock = FileLock(str(self._path))

    def __enter__(self) -> Worker:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._path.unlink(missing_ok=True)

    def sign(self, trial: optuna.Trial) -> None:
        """Write this worker's name, and the time, on a trial."""
        # In this order: a trial that names its worker has been seen.
        trial.set_user_attr(SEEN, time.time())
        trial.set_user_attr(WORKER, self.name)

    @contextmanager
    def signing(self, trial: optuna.Trial) -> Iterator[None]:
        """Sign a trial again and again while the block runs."""
        done = Event()

        def keep_signing() -> None:
            while not done.wait(SIGN_EVERY):
                # A storage that cannot be reached now may be at the next sign.
                with suppress(Exception):
                    trial.set_user_attr(SEEN, time.time())

        thread = Thread(target=keep_signing, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def knows_dead(self, attributes: Mapping[str, Any]) -> bool:
        """Whether the worker that wrote these attributes on a trial is no more."""
        name = attributes.get(WORKER)
        if name is None:
            return True  # killed between asking for the trial and signing it
        host, _, key = str(name).partition(":")
        if name == self.name:
            return False
        path = self._folder / f"{key}.lock"
        if host == socket.gethostname():
            return not path.exists() or _free(path)
        # Locks do not reach every other machine: there, only silence tells.
        return time.time() - float(attributes.get(SEEN, 0.0)) > DEAD_AFTER


def _free(path: Path) -> bool:
    """Whether nobody holds the lock; what a dead worker left is swept up."""
    lock = FileLock(str(path))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    path.unlink(missing_ok=True)
    return True
