"""The exact Mann–Whitney statistic of every bin, from a memory-mapped store, against scipy.

    python -m benchmarks.statistics.auc [--quick]

Scipy is given what it is fastest with: float64 in memory, many bins a call, no exact p. Both give
the same numbers, which is checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.side_by_side import Row, run, side_by_side
from scipy.stats import mannwhitneyu

from corespot.models.bin_auc import twice_u

#: Spots of the paper's task LP, bins of its axis.
N_SPOTS, N_BINS = 27_475, 27_286
#: Bins that scipy ranks.
_PEER_BINS = 96


@contextmanager
def stored(
    n_spots: int, n_bins: int, dtype: str, *, zeros: float = 0.0
) -> Iterator[npt.NDArray[Any]]:
    """Log-normal intensities in a temporary file, mapped; a share of them zero."""
    rng = np.random.default_rng(0)
    tile = rng.lognormal(0.0, 0.8, size=(n_spots, 512)).astype(np.float32)
    tile[rng.random(tile.shape, dtype=np.float32) < zeros] = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spectra.npy"
        spectra = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), (n_spots, n_bins))
        for start in range(0, n_spots, 1024):
            rows = slice(start, min(start + 1024, n_spots))
            # Every 512 bins the same spots in another order and size, so that no bin is another's.
            for turn, first in enumerate(range(0, n_bins, 512)):
                moved = np.roll(np.arange(n_spots), 97 * turn)[rows]
                width = min(512, n_bins - first)
                spectra[rows, first : first + width] = tile[moved, :width] * (1 + turn / 50)
        spectra.flush()
        del spectra
        yield np.load(path, mmap_mode="r")


def rows(quick: bool) -> list[Row]:
    """Float32 and float16; where there is time, with zeros, too."""
    n_bins = 1_536 if quick else N_BINS
    rng = np.random.default_rng(1)
    cases = [("float32", 2, 0.0), ("float16", 2, 0.0)]
    if not quick:
        cases += [("float32", 2, 0.3)]
    measured = []
    for dtype, n_classes, zeros in cases:
        y = rng.integers(0, n_classes, N_SPOTS)
        with stored(N_SPOTS, n_bins, dtype, zeros=zeros) as spectra:
            some = np.ascontiguousarray(spectra[:, :_PEER_BINS], dtype=np.float64)
            sides = [(some[y == k], some[y != k]) for k in range(n_classes)]
            # Of two classes, one statistic gives both.
            asked = sides[1:] if n_classes == 2 else sides

            def peer(asked: list[Any] = asked) -> list[Any]:
                return [mannwhitneyu(*pair, method="asymptotic").statistic for pair in asked]

            def ours(spectra: Any = spectra, y: Any = y, n: int = n_classes) -> Any:
                return twice_u(spectra, y, n)

            found = twice_u(some.astype(dtype), y, n_classes)[-len(asked) :]
            np.testing.assert_array_equal(found, 2 * np.stack(peer()))
            holes = f", {zeros:.0%} zeros" if zeros else ""
            measured.append(
                side_by_side(
                    f"AUC of {n_bins:,} bins, {N_SPOTS:,} spots, {n_classes} classes, "
                    f"{dtype}{holes}",
                    ("scipy mannwhitneyu, float64", peer),
                    ours,
                    rounds=1,
                    peer_share=_PEER_BINS / n_bins,
                )
            )
    return measured


if __name__ == "__main__":
    run(rows, __doc__)
