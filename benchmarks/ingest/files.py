"""Files for the benchmarks of ingest: as large as asked for, written in one go, deleted again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from uuid import UUID

import numpy as np

from corespot.io import imzml_template

UUID_OF_ALL = UUID("01234567-89ab-4def-8123-456789abcdef")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards; ``CORESPOT_BENCH_DIR`` says where."""
    folder = Path(tempfile.mkdtemp(prefix="corespot-", dir=os.environ.get("CORESPOT_BENCH_DIR")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def write_xml(
    path: Path,
    places: list[tuple[int, int, int]],
    mode: Literal["continuous", "processed"] = "continuous",
) -> None:
    """The .imzML alone: length, m/z offset and intensity offset of every spectrum."""
    with path.open("w") as file:
        file.write(
            imzml_template.header(
                mode=mode,
                profile=True,
                uuid=UUID_OF_ALL,
                sha1="0" * 40,
                extent=(500, len(places) // 500 + 1),
                pixel_size_um=150.0,
                n_spectra=len(places),
            )
        )
        for i, place in enumerate(places):
            file.write(imzml_template.spectrum(i, (i % 500 + 1, i // 500 + 1, 1), place))
        file.write(imzml_template.FOOTER)


def drop_from_cache(path: Path) -> None:
    """Make the next reading come from the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def continuous_places(n: int, length: int) -> list[tuple[int, int, int]]:
    """Places of `n` spectra behind one m/z array, in order."""
    start = 16 + 8 * length
    return [(length, 16, start + 4 * length * i) for i in range(n)]


def processed_places(lengths: np.ndarray) -> list[tuple[int, int, int]]:
    """Places of spectra with an m/z array each, m/z before intensities."""
    starts = 16 + 12 * np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return [(int(k), int(at), int(at + 8 * k)) for k, at in zip(lengths, starts, strict=True)]
