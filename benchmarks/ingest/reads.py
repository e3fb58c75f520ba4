"""Spectra read from an .ibd in blocks, against pyimzml's ``getspectrum`` and against the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.ingest.files import (
    UUID_OF_ALL,
    continuous_places,
    drop_from_cache,
    processed_places,
    scratch,
    write_xml,
)
from benchmarks.side_by_side import Row, run, side_by_side
from pyimzml.ImzMLParser import ImzMLParser

from corespot.io.imzml import ImzMLFile, open_imzml

N_BINS = 27_286
#: Spectra a block: seven megabytes of long ones, twelve of short ones.
BLOCKS = {"continuous": 64, "processed": 1024}


def rows(quick: bool) -> list[Row]:
    """Warm and cold, continuous and processed, in order and not."""
    n_long, n_short = (500, 10_000) if quick else (6_000, 100_000)
    rng = np.random.default_rng(0)
    files = {
        "continuous": continuous_places(n_long, N_BINS),
        "processed": processed_places(rng.integers(200, 1800, n_short)),
    }
    found = []
    with scratch() as folder:
        for mode, places in files.items():
            path = folder / f"{mode}.imzML"
            write_xml(path, places, mode)
            _write_ibd(path.with_suffix(".ibd"), places, mode)
            orders = {"in order": np.arange(len(places)), "shuffled": rng.permutation(len(places))}
            with ImzMLParser(str(path)) as parser, open_imzml(path) as ours:
                found += [_warm(mode, name, parser, ours, order) for name, order in orders.items()]
                found.append(_cold(mode, path, parser, ours))
            path.with_suffix(".ibd").unlink()
    return found


def _warm(mode: str, name: str, parser: ImzMLParser, ours: ImzMLFile, order: np.ndarray) -> Row:
    return side_by_side(
        f"{len(order):,} {mode} spectra, blocks of {BLOCKS[mode]}, {name}, warm",
        ("pyimzml getspectrum", lambda: _theirs(parser, order)),
        lambda: _blocks(ours, order),
    )


def _cold(mode: str, path: Path, parser: ImzMLParser, ours: ImzMLFile) -> Row:
    ibd, order = path.with_suffix(".ibd"), np.arange(len(ours))

    def cold(work: Callable[[], object]) -> Callable[[], object]:
        def act() -> None:
            drop_from_cache(ibd)
            work()

        return act

    return side_by_side(
        f"{len(order):,} {mode} spectra ({ibd.stat().st_size / 1e6:.0f} MB) in order, cold",
        ("plain reading of the whole file, 16 MiB at a time", cold(lambda: _plain(ibd))),
        cold(lambda: _blocks(ours, order)),
        note="1 is the speed of the disk",
    )


def _theirs(parser: ImzMLParser, order: np.ndarray) -> None:
    for i in order:
        parser.getspectrum(i)


def _blocks(ours: ImzMLFile, order: np.ndarray) -> None:
    read = ours.intensity_block if ours.mode == "continuous" else ours.spectra
    size = BLOCKS[ours.mode]
    for start in range(0, len(order), size):
        read(order[start : start + size])


def _plain(path: Path) -> None:
    buffer = bytearray(1 << 24)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def _write_ibd(path: Path, places: list[tuple[int, int, int]], mode: str) -> None:
    """Values of any kind where the places say."""
    heights = np.random.default_rng(1).random(N_BINS, dtype=np.float32)
    with path.open("wb") as file:
        file.write(UUID_OF_ALL.bytes)
        if mode == "continuous":
            file.write(np.linspace(600, 3200, N_BINS).tobytes())
        for length, *_ in places:
            if mode == "processed":
                file.write(np.linspace(600, 3200, length).tobytes())
            file.write(heights[:length].tobytes())


if __name__ == "__main__":
    run(rows, __doc__)
