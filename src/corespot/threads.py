"""How many threads compiled kernels may use, and work dealt out to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_threads() -> int:
    """Threads that compiled kernels use: ``OMP_NUM_THREADS``, as torch and BLAS do, else all cores.

    Something else than a whole number from 1 is passed over.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "").strip()
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else available_cores()


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], *, most: int | None = None
) -> list[Result]:
    """Do `work` on every item, results in the order of the items.

    Parameters
    ----------
    work : callable
        Lets go of the interpreter lock, as kernels compiled with ``nogil`` do.
    items : iterable
        What is worked on; one with a single item is done without threads.
    most : int, optional
        Threads at most; `n_threads` by default.

    Raises
    ------
    Exception
        Whatever the first item that fails raises; items not begun yet are dropped.
    """
    todo = list(items)
    threads = min(n_threads() if most is None else most, len(todo))
    if threads <= 1:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, item) for item in todo]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
