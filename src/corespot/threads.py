"""How many threads compiled kernels may use, and work dealt out to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from threading import Condition, Lock, Thread
from typing import Generic, TypeVar, cast

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
    """Do `work` on every item, here and on other threads, results in the order of the items.

    Parameters
    ----------
    work : callable
        Lets go of the interpreter lock, as kernels compiled with ``nogil`` do.
    items : iterable
        What is worked on; one with a single item is done without other threads.
    most : int, optional
        Threads at most, the calling one among them; `n_threads` by default.

    Raises
    ------
    Exception
        Whatever the first item that fails raises; items not begun yet are dropped.
    """
    todo = list(items)
    threads = min(n_threads() if most is None else most, len(todo))
    if threads <= 1:
        return [work(item) for item in todo]
    with one_thread():
        # A copy of the caller's context for each item: numpy's handling of errors lives there.
        dealt = _Dealt(work, todo, copy_context())
    with _helpers.called(dealt.take_part, threads - 1):
        try:
            dealt.take_part()
        finally:
            dealt.end()
    return dealt.outcome()


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


class _Dealt(Generic[Item, Result]):
    """Items that whoever takes part works off, one after the other."""

    def __init__(self, work: Callable[[Item], Result], items: list[Item], context: Context) -> None:
        self._work, self._items, self._context = work, items, context
        self._results: list[Result | None] = [None] * len(items)
        self._failures: dict[int, BaseException] = {}
        self._begun = self._busy = 0
        self._is_over = False
        self._left = Condition(Lock())

    def take_part(self) -> None:
        """Work until no item is left, on whichever thread this is called."""
        with self._left:
            self._busy += 1
        try:
            while (k := self._next()) is not None:
                try:
                    self._results[k] = self._context.copy().run(self._work, self._items[k])
                except BaseException as error:
                    self._failures[k] = error
                    self._is_over = True
        finally:
            with self._left:
                self._busy -= 1
                self._left.notify_all()

    def end(self) -> None:
        """Begin no further item, and wait for those that others are at.

        Whoever has not come by now finds nothing to do: a busy machine holds nobody up, nor does
        a thread that comes late keep anything of the caller's alive.
        """
        with self._left:
            self._is_over = True
            self._left.wait_for(lambda: not self._busy)
        del self._work, self._items

    def outcome(self) -> list[Result]:
        """What `work` gave for each item, or raise what it raised for the first that failed."""
        results, self._results = self._results, []
        if not self._failures:
            return cast("list[Result]", results)
        failure = self._failures[min(self._failures)]
        self._failures.clear()
        try:
            raise failure
        finally:
            del failure  # its traceback knows this frame: together they would outlive the call

    def _next(self) -> int | None:
        with self._left:
            if self._is_over or self._begun == len(self._items):
                return None
            self._begun += 1
            return self._begun - 1


class _Helpers:
    """Threads that wait for work from one call to the next: starting one takes longer than some.

    There are as many as were ever wanted at once. None of them survives a fork: a process that
    was forked off forgets them and starts its own.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin without any."""
        self._lock = Lock()
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._n_threads = self._n_wanted = 0

    @contextmanager
    def called(self, job: Callable[[], None], n: int) -> Iterator[None]:
        """Let `job` be done by `n` of them as soon as each can, perhaps only afterwards."""
        with self._lock:
            self._n_wanted += n
            try:
                while self._n_threads < self._n_wanted:
                    Thread(target=self._help, args=(self._jobs,), daemon=True).start()
                    self._n_threads += 1
            except RuntimeError:
                pass  # the system gives no more threads: those that are there do it
        try:
            for _ in range(min(n, self._n_threads)):
                self._jobs.put(job)
            yield
        finally:
            with self._lock:
                self._n_wanted -= n

    @staticmethod
    def _help(jobs: SimpleQueue[Callable[[], None]]) -> None:
        while True:
            jobs.get()()


_helpers = _Helpers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.forget)


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
