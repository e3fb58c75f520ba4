"""Reading ahead of the work and writing behind it, each on a thread of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

from corespot.threads import one_thread

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], *, ahead: int = 1
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what `read` makes of it, while the next ones are being read.

    Parameters
    ----------
    read : callable
        Called on one other thread, item after item.
    items : iterable
        What is read, in order.
    ahead : int
        Items that are read before they are asked for; as many results wait in memory.

    Raises
    ------
    Exception
        Whatever `read` raises, when its item's turn comes.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[tuple[Item, Future[Result]]] = deque()
        try:
            for item in items:
                waiting.append((item, _submit(pool, read, item)))
                if len(waiting) > ahead:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


@contextmanager
def write_behind(write: Callable[..., object]) -> Iterator[Callable[..., None]]:
    """Give a function that calls `write` on one other thread and does not wait for it.

    One call at a time: the next waits for the one before, and leaving the context for the last.
    What is handed over must not be changed afterwards.

    Raises
    ------
    Exception
        Whatever `write` raises, at the next call or on leaving.
    """
    with ThreadPoolExecutor(1) as pool:
        running: list[Future[object]] = []

        def later(*arguments: Any) -> None:
            if running:
                running.pop().result()
            running.append(_submit(pool, write, *arguments))

        yield later
        if running:
            running.pop().result()


def _submit(
    pool: ThreadPoolExecutor, work: Callable[..., Result], *arguments: Any
) -> Future[Result]:
    # The other cores belong to the work that is read for.
    with one_thread():
        context = copy_context()
    return pool.submit(context.run, work, *arguments)
