"""Work is dealt out to threads, results in order, failures told."""

from __future__ import annotations

import threading
from pathlib import Path

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


def test_the_first_failure_is_raised_and_ends_the_rest() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 1:
            raise ValueError("item 1")
        done.append(item)

    with pytest.raises(ValueError, match="item 1"):
        in_threads(work, range(2000), most=2)
    assert len(done) < 2000


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
