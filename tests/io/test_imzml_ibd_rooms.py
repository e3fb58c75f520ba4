"""Memory of a block is used again when nobody can see it any more, and never before."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from corespot.io import imzml_ibd_rooms
from corespot.io.imzml_ibd_rooms import Rooms

FLOAT32, SHAPE = np.dtype("<f4"), (10, 100)


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> Rooms:
    monkeypatch.setattr(imzml_ibd_rooms, "_LEAST_BYTES", 100)
    monkeypatch.setattr(imzml_ibd_rooms, "_MOST_BYTES", 100_000)
    return Rooms()


def address(values: np.ndarray) -> int:
    return values.ctypes.data


@pytest.mark.parametrize("shape", [(0,), (7,), (500,), (3, 4), SHAPE, (40, 1000)])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<i1"])
def test_arrays_are_as_numpy_makes_them(rooms: Rooms, shape: tuple[int, ...], dtype: str) -> None:
    for _ in range(3):
        made, expected = rooms.empty(shape, np.dtype(dtype)), np.empty(shape, dtype)
        assert (made.shape, made.dtype) == (expected.shape, expected.dtype)
        assert made.flags.writeable and made.flags.aligned and made.flags.c_contiguous
        made[:] = 1


def test_memory_comes_back(rooms: Rooms) -> None:
    first = rooms.empty(SHAPE, FLOAT32)
    at = address(first)
    del first
    assert address(rooms.empty((9, 100), FLOAT32)) == at


@pytest.mark.parametrize(
    "hold",
    [
        lambda block: block,
        lambda block: block[3, 4:],
        lambda block: block.T.reshape(-1, 5, order="F").view("<i4"),
        lambda block: memoryview(block),
        lambda block: torch.from_numpy(block)[2:3],
        lambda block: block.ctypes,
    ],
)
def test_what_is_held_is_left_alone(rooms: Rooms, hold: object) -> None:
    block = rooms.empty(SHAPE, FLOAT32)
    at = address(block)
    held = hold(block)
    del block
    others = [rooms.empty(SHAPE, FLOAT32) for _ in range(4)]
    assert at not in [address(other) for other in others]
    del held
    assert address(rooms.empty(SHAPE, FLOAT32)) == at


def test_a_large_room_is_not_lent_for_little_nor_a_small_one_for_much(rooms: Rooms) -> None:
    at = address(rooms.empty(SHAPE, FLOAT32))
    little, much = rooms.empty((100,), FLOAT32), rooms.empty((5000,), FLOAT32)
    assert at not in (address(little), address(much))


def test_only_so_much_is_kept(rooms: Rooms) -> None:
    blocks = [rooms.empty(SHAPE, FLOAT32) for _ in range(9)]
    huge = rooms.empty((30_000,), FLOAT32)
    del blocks, huge
    assert [room.nbytes for room in rooms._free] == [4500, 4500]
    rooms.clear()
    assert not rooms._free


def test_threads_never_share_a_room(rooms: Rooms) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(300):
            block = rooms.empty(SHAPE, FLOAT32)
            block[:] = number
            if not np.all(block == number):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
