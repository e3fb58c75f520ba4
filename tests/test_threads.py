"""Work is dealt out to threads, results in order, failures told."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from contextvars import ContextVar
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest

from corespot import threads
from corespot.threads import available_cores, in_threads, n_threads, one_thread, over_rows


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3", 3), (" 2 ", 2), ("4,1", 4), ("0", None), ("many", None), ("", None)],
)
def test_thread_count_follows_omp(
    value: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert n_threads() == (expected or available_cores())


@pytest.mark.parametrize("most", [1, 2, 5])
def test_results_come_in_order(most: int) -> None:
    assert in_threads(lambda item: item * item, range(50), most=most) == [i * i for i in range(50)]
    assert in_threads(lambda item: item, [], most=most) == []


def test_items_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=10)
    in_threads(lambda _: meeting.wait(), range(2), most=2)


def test_the_caller_takes_part() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def work(_: int) -> int:
        meeting.wait()
        return threading.get_ident()

    assert threading.get_ident() in in_threads(work, range(2), most=2)


def test_threads_stay_for_the_next_call() -> None:
    meeting = threading.Barrier(3, timeout=10)
    calls = [
        set(in_threads(lambda _: (meeting.wait(), threading.get_ident())[1], range(3), most=3))
        for _ in range(20)
    ]
    before = threading.active_count()
    in_threads(lambda _: meeting.wait(), range(3), most=3)
    assert threading.active_count() == before
    assert len(calls[0]) == 3


def test_several_callers_have_all_they_want_at_once() -> None:
    meeting = threading.Barrier(6, timeout=10)
    done: list[list[int]] = []

    def call() -> None:
        done.append(in_threads(lambda item: meeting.wait() * 0 + item, range(3), most=3))

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert done == [[0, 1, 2]] * 2


def test_a_system_without_further_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threads, "_helpers", threads._Helpers())
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert in_threads(lambda item: -item, range(9), most=4) == [-item for item in range(9)]


FORK = """
import os, sys, threading
from corespot.threads import in_threads

def meet(_):
    meeting.wait()
    return os.getpid()

meeting = threading.Barrier(3, timeout=20)
assert set(in_threads(meet, range(3), most=3)) == {os.getpid()}
child = os.fork()
meeting = threading.Barrier(3, timeout=20)
assert set(in_threads(meet, range(3), most=3)) == {os.getpid()}
if not child:
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
print("both")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_process_that_was_forked_off_has_threads_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120)
    assert done.stdout == "both\n", done.stderr


def test_the_first_failure_is_raised_and_ends_the_rest() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 1:
            raise ValueError("item 1")
        done.append(item)

    with pytest.raises(ValueError, match="item 1"):
        in_threads(work, range(2000), most=2)
    assert len(done) < 2000


def test_of_several_failures_the_first_item_counts_when_all_have_ended() -> None:
    meeting, ended = threading.Barrier(3, timeout=10), []

    def work(item: int) -> None:
        meeting.wait()
        time.sleep(0.05 * (3 - item))
        ended.append(item)
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        in_threads(work, range(100), most=3)
    assert sorted(ended) == [0, 1, 2]


def test_an_interrupted_caller_waits_for_what_is_being_written() -> None:
    meeting, written = threading.Barrier(2, timeout=10), []
    caller = threading.get_ident()

    def work(item: int) -> None:
        meeting.wait()
        if threading.get_ident() == caller:
            raise KeyboardInterrupt
        time.sleep(0.1)
        written.append(item)

    with pytest.raises(KeyboardInterrupt):
        in_threads(work, range(2), most=2)
    assert len(written) == 1


def test_a_failure_keeps_nothing_alive() -> None:
    block = np.zeros(9)
    gone = weakref.ref(block)

    def work(values: np.ndarray) -> None:
        raise ValueError

    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            in_threads(work, [block] * 4, most=2)
        del block
        assert gone() is None
    finally:
        gc.enable()


def test_threads_that_come_late_keep_nothing_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[object] = []

    class Late(SimpleQueue):
        def put(self, job: object) -> None:
            kept.append(job)

    helpers = threads._Helpers()
    helpers._jobs = Late()
    monkeypatch.setattr(threads, "_helpers", helpers)
    block = np.zeros(9)
    gone = weakref.ref(block)
    in_threads(lambda values: values.sum(), [block] * 4, most=2)
    del block
    assert kept and gone() is None
    kept[0]()


def test_items_do_not_see_what_others_set() -> None:
    seen: ContextVar[int] = ContextVar("seen", default=0)

    def work(item: int) -> int:
        found = seen.get()
        seen.set(item + 1)
        return found

    assert in_threads(work, range(40), most=2) == [0] * 40
    assert seen.get() == 0


@pytest.fixture
def four_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")


@pytest.mark.parametrize(("n_rows", "chunk"), [(0, 3), (1, 3), (10, 3), (100, 1), (7, 100)])
def test_every_row_is_worked_on_once(four_threads: None, n_rows: int, chunk: int) -> None:
    done = np.zeros(n_rows)

    def work(rows: slice) -> None:
        assert rows.stop - rows.start <= chunk
        done[rows] += 1

    over_rows(work, n_rows, chunk=chunk)
    assert np.all(done == 1)


def test_threads_start_none_of_their_own(four_threads: None) -> None:
    meeting = threading.Barrier(4, timeout=20)

    def work(item: int) -> int:
        meeting.wait()  # passes only if four are here at once
        return n_threads()

    assert in_threads(work, range(4)) == [1, 1, 1, 1]
    assert n_threads() == 4


def test_one_thread_keeps_to_the_caller(four_threads: None) -> None:
    with one_thread():
        names = set(in_threads(lambda _: threading.get_ident(), range(50)))
    assert names == {threading.get_ident()}


def test_threads_treat_warnings_as_the_caller_does(four_threads: None) -> None:
    with np.errstate(divide="raise"):
        seen = in_threads(lambda _: np.geterr()["divide"], range(40))
    assert set(seen) == {"raise"}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}, 1),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_quotas_of_containers(tmp_path: Path, files: dict[str, str], cores: int | None) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    assert threads._quota(tmp_path) == cores
