"""The index of an imzML file of 200,000 spectra, against pyimzml's parse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.ingest.files import continuous_places, processed_places, scratch, write_xml
from benchmarks.side_by_side import Row, run, side_by_side
from pyimzml.ImzMLParser import ImzMLParser

from corespot.io.imzml_xml import read_index

N_SPECTRA, N_QUICK = 200_000, 10_000


def rows(quick: bool) -> list[Row]:
    """Continuous and processed files; pyimzml with its default parser."""
    n = N_QUICK if quick else N_SPECTRA
    lengths = np.random.default_rng(0).integers(0, 5000, n)
    places = {
        "continuous": continuous_places(n, 27_286),
        "processed": processed_places(lengths),
    }
    found = []
    with scratch() as folder:
        for mode, there in places.items():
            path = folder / f"{mode}.imzML"
            write_xml(path, there, mode)
            found.append(_row(path, mode, n))
            path.unlink()
    return found


def _row(path: Path, mode: str, n: int) -> Row:
    offsets: list[list[int]] = []

    def theirs() -> None:
        with path.open("rb") as file:
            offsets[:] = [ImzMLParser(file, ibd_file=None).intensityOffsets]

    index = read_index(path)
    assert index.excerpt is not None, "the file was parsed, not scanned"
    size = path.stat().st_size / 1e6
    row = side_by_side(
        f"index of {n:,} spectra, {mode}, {size:.0f} MB of XML",
        ("pyimzml ImzMLParser", theirs),
        lambda: read_index(path),
        rounds=1,
    )
    assert np.array_equal(offsets[0], index.intensity.offset)
    return row


if __name__ == "__main__":
    run(rows, __doc__)
