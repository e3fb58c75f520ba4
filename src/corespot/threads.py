"""How many threads compiled kernels may use, and work dealt out to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_CGROUPS = Path("/sys/fs/cgroup")
_single: ContextVar[bool] = ContextVar("corespot_single_thread", default=False)


def available_cores() -> int:
    """Cores this process may use: those it is bound to, or the fewer its container grants."""
    if hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    else:
        bound = os.cpu_count() or 1
    return min(bound, _granted_cores())


def n_threads() -> int:
    """Threads that compiled kernels use: ``OMP_NUM_THREADS``, as torch and BLAS do, else all cores.

    Something else than a whole number from 1 is passed over. It is 1 inside the threads of
    `in_threads` and under `one_thread`: together they ask for no more threads than one of them.
    """
    if _single.get():
        return 1
    # A list ("4,2") gives a number for every level of nesting; the first is ours.
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else available_cores()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep what is called inside on this thread, because others are busy already."""
    token = _single.set(True)
    try:
        yield
    finally:
        _single.reset(token)


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
    # Started anew each time: threads kept for later would not survive a fork.
    with ThreadPoolExecutor(threads) as pool:
        with one_thread():
            # A copy each of the caller's context: numpy's handling of errors lives there.
            futures = [pool.submit(copy_context().run, work, item) for item in todo]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def over_rows(work: Callable[[slice], object], n_rows: int, *, chunk: int = 1) -> None:
    """Call `work` on slices that cover all rows, side by side on every core.

    Parameters
    ----------
    work : callable
        Given a slice of at most `chunk` rows; writes its result where the caller put room for it.
    n_rows : int
        Number of rows.
    chunk : int
        Rows a call. Results must not depend on it.
    """
    starts = range(0, n_rows, chunk)
    in_threads(work, [slice(start, min(start + chunk, n_rows)) for start in starts])


@lru_cache(maxsize=1)
def _granted_cores() -> int:
    """Whole cores that the cgroup's quota comes to, rounded up; many where there is no quota."""
    quotas = [quota for quota in map(_quota, _own_cgroups()) if quota is not None]
    return max(1, min(quotas)) if quotas else 2**16


def _own_cgroups() -> Iterator[Path]:
    """Folders that may hold a quota for this process, its own first."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "" or "cpu" in controllers.split(","):
            root = _CGROUPS / controllers if controllers else _CGROUPS
            # Inside a container the path may be the host's, and the quota lies at the root.
            own = root / path.lstrip("/")
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))


def _quota(folder: Path) -> int | None:
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii")
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None  # "max": no quota
