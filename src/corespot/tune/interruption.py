"""How a process that runs trials is interrupted, and what must not be interrupted."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def terminated_as_interrupted() -> None:
    """Let SIGTERM, by which clusters end jobs, interrupt this process as Ctrl-C does.

    The trial that runs is then enqueued again, and the runs in MLflow are ended.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if current_thread() is main_thread():
        signal.signal(signal.SIGTERM, interrupt)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let what a trial leaves be written to its end; a second Ctrl-C comes through afterwards."""
    if current_thread() is not main_thread():
        yield
        return
    former = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
