"""Batches of spectra that do not fit: read ahead in the background, handed over on the device."""

from __future__ import annotations

import mmap
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from corespot.models.mapped_pages import file_map
from corespot.models.spectra_rows import SpectraRows

Rows = npt.NDArray[np.int64]

#: Batches that are read or waiting while one is learnt from.
_AHEAD = 2
#: Threads that share the rows of a batch. A GPU outruns one of them; a CPU needs its cores.
_READERS_FOR_GPU = 4


def held_dtype(spectra: npt.NDArray[Any] | SpectraRows) -> torch.dtype:
    """Number type spectra are held in: half floats stay what they are, all else is float32."""
    stored = spectra.stored if isinstance(spectra, SpectraRows) else spectra
    return torch.float16 if stored.dtype == np.float16 else torch.float32


class RowReader:
    """Reads rows of spectra into blocks, in the order of the file.

    Parameters
    ----------
    spectra : ndarray or SpectraRows, shape (n_spots, n_bins)
        In memory or memory-mapped.
    device : torch.device
        Where the blocks go: for a GPU they are page-locked.

    Notes
    -----
    PyTorch copies row by row, casting on the way, without Python's global lock: page faults on
    the disk stall this thread alone. Pages of a read-only memory map are given back after every
    block (they stay in the page cache), so that resident memory does not grow with the cohort.
    """

    def __init__(self, spectra: npt.NDArray[Any] | SpectraRows, device: torch.device) -> None:
        self.dtype = held_dtype(spectra)
        self._chosen = spectra.rows if isinstance(spectra, SpectraRows) else None
        self._source = spectra.stored if isinstance(spectra, SpectraRows) else spectra
        self._n_bins = int(spectra.shape[1])
        self._pinned = device.type == "cuda"
        self._pool = ThreadPoolExecutor(_READERS_FOR_GPU) if self._pinned else None
        self._tensor = _as_tensor(self._source)
        self._map = file_map(self._source)

    def block(self, n_rows: int) -> Tensor:
        """Memory for `n_rows` spectra."""
        return torch.empty((n_rows, self._n_bins), dtype=self.dtype, pin_memory=self._pinned)

    def read(self, rows: Rows, block: Tensor | None = None) -> Tensor:
        """The spectra `rows` in the type they are held in, in the first rows of `block`."""
        filled = (self.block(len(rows)) if block is None else block)[: len(rows)]
        wanted = rows if self._chosen is None else self._chosen[rows]
        # Reading in file order keeps a memory map from seeking back and forth.
        order = np.argsort(wanted, kind="stable")
        if self._pool is None:
            self._copy(wanted, order, filled)
        else:
            parts = np.array_split(order, _READERS_FOR_GPU)
            list(self._pool.map(lambda part: self._copy(wanted, part, filled), parts))
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)
        return filled

    def _copy(self, wanted: Rows, order: Rows, filled: Tensor) -> None:
        if self._tensor is None:
            filled[torch.from_numpy(order)] = torch.from_numpy(
                np.array(self._source[wanted[order]], dtype=np.float32)
            ).to(self.dtype)
            return
        for place in order.tolist():
            filled[place].copy_(self._tensor[wanted[place]])


def stream(reader: RowReader, batches: Iterable[Rows], device: torch.device) -> Iterator[Tensor]:
    """Yield the spectra of each batch on `device`, in the type they are held in.

    Parameters
    ----------
    reader : RowReader
        Where they are.
    batches : iterable of ndarray of int64
        Rows of each batch.
    device : torch.device
        Where they are wanted. On a GPU they come through a ring of page-locked blocks.

    Notes
    -----
    A background thread reads the next two batches. Nothing but the time depends on it.
    """
    ring = _PinnedRing(reader) if device.type == "cuda" else None
    pool = ThreadPoolExecutor(1, "corespot-read")
    read = reader.read if ring is None else ring.read
    todo = iter(batches)
    waiting: deque[Future[Tensor]] = deque(pool.submit(read, r) for r in islice(todo, _AHEAD))
    try:
        while waiting:
            block = waiting.popleft().result()
            waiting.extend(pool.submit(read, r) for r in islice(todo, 1))
            yield block if ring is None else ring.hand_over(block, device)
    finally:
        pool.shutdown(cancel_futures=True)


class _PinnedRing:
    """Page-locked blocks in turn; none is filled again before its copy to the GPU has ended."""

    def __init__(self, reader: RowReader) -> None:
        self._reader = reader
        self._blocks: deque[Tensor] = deque()
        self._copied: dict[int, torch.cuda.Event] = {}

    def read(self, rows: Rows) -> Tensor:
        """Fill a block with `rows`, in the background thread."""
        # One block a batch that is read or waiting, and one that is being copied.
        if len(self._blocks) <= _AHEAD:
            block = self._reader.block(len(rows))
        else:
            block = self._blocks.popleft()
            event = self._copied.pop(block.data_ptr(), None)
            if event is not None:
                event.synchronize()
            if len(block) < len(rows):
                block = self._reader.block(len(rows))
        self._blocks.append(block)
        return self._reader.read(rows, block)

    def hand_over(self, block: Tensor, device: torch.device) -> Tensor:
        """Start the copy to the GPU; the caller goes on at once."""
        arrived = block.to(device, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(device))
        self._copied[block.data_ptr()] = event
        return arrived


def _as_tensor(source: npt.NDArray[Any]) -> Tensor | None:
    """The array as a tensor on the same memory; ``None`` if PyTorch has no such view of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of read-only memory: it is only read
        try:
            return torch.from_numpy(source)
        except (TypeError, ValueError):
            return None
