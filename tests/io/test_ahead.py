"""Reading ahead and writing behind change neither order nor errors."""

from __future__ import annotations

import threading

import pytest

from corespot.io.ahead import read_ahead, write_behind
from corespot.threads import n_threads


@pytest.mark.parametrize("ahead", [0, 1, 3, 20])
@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_items_come_in_order_with_their_results(n: int, ahead: int) -> None:
    assert list(read_ahead(lambda i: i * i, range(n), ahead=ahead)) == [
        (i, i * i) for i in range(n)
    ]


def test_reading_is_on_one_other_thread_and_only_so_far_ahead() -> None:
    read, names = [], set()

    def note(item: int) -> int:
        names.add(threading.current_thread().name)
        assert n_threads() == 1
        read.append(item)
        return item

    for item, _ in read_ahead(note, range(9), ahead=2):
        assert len(read) <= item + 3
    assert read == list(range(9))
    assert len(names) == 1 and threading.current_thread().name not in names


def test_an_error_of_reading_comes_in_its_turn() -> None:
    seen = []
    with pytest.raises(ZeroDivisionError):
        for item, _ in read_ahead(lambda i: 1 // (i - 3), range(9)):
            seen.append(item)
    assert seen == [0, 1, 2]


def test_whoever_stops_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    for _ in read_ahead(lambda i: i, range(100), ahead=5):
        break
    assert threading.active_count() == before


def test_writing_is_in_order_and_complete() -> None:
    written: list[tuple[int, str]] = []
    with write_behind(lambda i, text: written.append((i, text))) as write:
        for i in range(50):
            write(i, str(i))
    assert written == [(i, str(i)) for i in range(50)]


@pytest.mark.parametrize("last", [3, 4, 9])
def test_an_error_of_writing_is_raised(last: int) -> None:
    def act(i: int) -> None:
        if i == 3:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), write_behind(act) as write:
        for i in range(last + 1):
            write(i)


def test_an_error_of_the_work_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="work"), write_behind(print) as write:
        write("")
        raise ValueError("work")
