"""Work is dealt out to threads, results in order, failures told."""

from __future__ import annotations

import threading

import pytest

from corespot.threads import available_cores, in_threads, n_threads


@pytest.mark.parametrize(
    ("value", "expected"), [("3", 3), (" 2 ", 2), ("0", None), ("many", None), ("", None)]
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
