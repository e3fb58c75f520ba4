"""Memory for blocks of an .ibd, used again once nobody holds what was read into it."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

#: What is smaller, the allocator keeps by itself; what is larger, nobody should keep.
_LEAST_BYTES, _MOST_BYTES = 1 << 20, 1 << 25
# m/z values and intensities of the block before.
_KEPT = 2


class Rooms:
    """Rooms of one reader; what nobody holds any more is lent again.

    To clear fresh memory takes the system as long as to copy a block into it.
    """

    def __init__(self) -> None:
        self._free: deque[npt.NDArray[np.uint8]] = deque(maxlen=_KEPT)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """An array as ``np.empty`` makes it, which returns its memory here when it is gone."""
        n_bytes = math.prod(shape) * dtype.itemsize
        if not _LEAST_BYTES <= n_bytes <= _MOST_BYTES:
            return np.empty(shape, dtype)
        lent = np.asarray(_Loan(self._room(n_bytes), self._free))
        return lent[:n_bytes].view(dtype).reshape(shape)

    def clear(self) -> None:
        """Let go of what is not lent."""
        self._free.clear()

    def _room(self, n_bytes: int) -> npt.NDArray[np.uint8]:
        for _ in range(_KEPT):
            try:
                room = self._free.popleft()  # one that no other thread gets
            except IndexError:
                break
            # Not one that a small block would keep from a large one.
            if n_bytes <= room.size <= 2 * n_bytes:
                return room
            self._free.append(room)
        return np.empty(n_bytes + n_bytes // 8, dtype=np.uint8)


class _Loan:
    """What the arrays that lie in a room have as their base."""

    def __init__(self, room: npt.NDArray[np.uint8], free: deque[npt.NDArray[np.uint8]]) -> None:
        self._room, self._free = room, free
        self.__array_interface__ = room.__array_interface__

    def __del__(self) -> None:
        self._free.append(self._room)
