"""Training from the memory-mapped store against training from resident spectra.

The peer holds all spectra as a tensor, ours reads every batch from a float16 store on the disk.
The same code learns from both, so that a ratio of 1 is the best there is; half of it is what is
asked for. "Cold" drops the file from the page cache before every epoch. One network has something
to compute; the other is a single dense layer, next to which reading shows most.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.side_by_side import Row, run, side_by_side
from torch import nn

from corespot.models.registry import build
from corespot.train.allocator import keep_freed_memory
from corespot.train.data import DeviceSpectra
from corespot.train.epoch import EpochRunner, Labelled
from corespot.train.loop import class_weights, make_optimizer
from corespot.train.settings import TrainSettings

N_BINS = 27_286
_BATCH = 256


def rows(quick: bool) -> list[Row]:
    """Epochs of IsotopeNet and of a dense layer, warm and cold."""
    keep_freed_memory()
    networks: tuple[tuple[str, Callable[[], nn.Module], int], ...] = (
        ("IsotopeNet", lambda: build("isotopenet", {}, N_BINS, 2), 512 if quick else 1_024),
        ("one dense layer", lambda: nn.Linear(N_BINS, 2), 2_048 if quick else 4_096),
    )
    found = []
    for name, make, n in networks:
        with tempfile.TemporaryDirectory() as folder:
            file = _store(Path(folder) / "spectra.npy", n)
            rounds = 1 if quick else 3
            found += [_row(name, make, file, n, cold=c, rounds=rounds) for c in (False, True)]
    return found


def _row(
    name: str, make: Callable[[], nn.Module], file: Path, n: int, *, cold: bool, rounds: int
) -> Row:
    mapped = np.load(file, mmap_mode="r")
    resident, streamed = (_epoch(make(), mapped, resident=held) for held in (True, False))

    def ours() -> None:
        if cold:
            _drop(file)
        streamed()

    return side_by_side(
        f"an epoch of {name}, {n:,} spectra, {'cold' if cold else 'warm'} store",
        ("resident spectra", resident),
        ours,
        rounds=rounds,
        note=f"{n / 1000:,.1f} k spectra, {file.stat().st_size / 1e6:,.0f} MB float16",
    )


def _epoch(network: nn.Module, mapped: Any, *, resident: bool) -> Callable[[], object]:
    n = len(mapped)
    spectra = DeviceSpectra(mapped, torch.device("cpu"), scale=0.3, resident=resident)
    everything = np.arange(n)
    data = Labelled(spectra, torch.arange(n) % 2, 2, everything, everything[:0])
    optimizer = make_optimizer(network, TrainSettings())
    runner = EpochRunner(network, data, optimizer, class_weights(data.y, 2), bf16=False)
    batches = np.array_split(np.random.default_rng(0).permutation(n), -(-n // _BATCH))
    return lambda: runner.run(batches, iter([None] * len(batches)))


def _store(file: Path, n: int) -> Path:
    rng = np.random.default_rng(0)
    shape = (n, N_BINS)
    mapped = np.lib.format.open_memmap(file, mode="w+", dtype=np.float16, shape=shape)
    for start in range(0, n, 512):
        stop = min(start + 512, n)
        mapped[start:stop] = rng.standard_exponential((stop - start, N_BINS), dtype=np.float32)
    mapped.flush()
    return file


def _drop(file: Path) -> None:
    """Drop the pages of a file from the page cache; none of them may be mapped or unwritten."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    run(rows, __doc__)
