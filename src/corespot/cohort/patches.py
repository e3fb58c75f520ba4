"""Square patches of spots, cut from cores: never across two cores, never losing one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of one size.

    Parameters
    ----------
    spots : ndarray of int64, shape (n_patches, size, size)
        Index of the spot at each place, -1 where there is none.
    core : ndarray of int64, shape (n_patches,)
        Which of the cores each patch was cut from.
    n_skipped : int
        Patches left out because too few of their places hold a spot.
    """

    spots: npt.NDArray[np.int64]
    core: npt.NDArray[np.int64]
    n_skipped: int

    def __len__(self) -> int:
        return len(self.spots)

    @property
    def n_spots(self) -> npt.NDArray[np.int64]:
        """Spots in each patch, shape (n_patches,)."""
        counts: Grid = np.count_nonzero(self.spots >= 0, axis=(1, 2)).astype(np.int64)
        return counts


def cut_patches(
    grids: Sequence[Grid],
    *,
    size: int,
    stride: int,
    min_coverage: float,
    cover_all: bool = False,
) -> Patches:
    """Cut square patches out of core grids.

    Patches start every `stride` spots and end flush with the bounding box. A core smaller than
    `size` lies in the middle of one patch. Patches of which less than `min_coverage` holds spots
    are skipped, except the fullest of every core, so that no core is lost.

    Parameters
    ----------
    grids : sequence of ndarray of int64, shape (height, width)
        Spot index at each place of a core, -1 where there is none.
    size : int
        Side of a patch in spots.
    stride : int
        Step from patch to patch in spots; `size` for no overlap.
    min_coverage : float
        Least share of places with a spot.
    cover_all : bool
        Keep skipped patches, fullest first, until every spot is in a patch, as prediction needs.
    """
    kept: list[Grid] = []
    owner: list[int] = []
    n_skipped = 0
    for number, grid in enumerate(grids):
        windows = [w for w in _windows(grid, size, stride) if (w >= 0).any()]
        counts = np.array([np.count_nonzero(w >= 0) for w in windows])
        keep = counts >= min_coverage * size * size
        keep[int(counts.argmax())] = True
        if cover_all:
            _complete(keep, windows, counts)
        kept += [w for w, wanted in zip(windows, keep, strict=True) if wanted]
        owner += [number] * int(keep.sum())
        n_skipped += int((~keep).sum())
    return Patches(np.stack(kept), np.array(owner, dtype=np.int64), n_skipped)


def _complete(keep: npt.NDArray[np.bool_], windows: list[Grid], counts: Grid) -> None:
    """Mark windows, fullest first, until each spot is in one; changes `keep`."""
    covered = {int(spot) for at in np.flatnonzero(keep) for spot in _spots(windows[at])}
    for at in np.argsort(-counts, kind="stable"):
        if not keep[at] and any(int(spot) not in covered for spot in _spots(windows[at])):
            keep[at] = True
            covered.update(int(spot) for spot in _spots(windows[at]))


def _spots(window: Grid) -> Grid:
    """Spots of a window, without its empty places."""
    held: Grid = window[window >= 0]
    return held


def _windows(grid: Grid, size: int, stride: int) -> Iterator[Grid]:
    for top in _starts(grid.shape[0], size, stride):
        for left in _starts(grid.shape[1], size, stride):
            yield _window(grid, top, left, size)


def _starts(extent: int, size: int, stride: int) -> list[int]:
    if extent <= size:
        return [-((size - extent) // 2)]
    starts = list(range(0, extent - size, stride))
    return [*starts, extent - size]


def _window(grid: Grid, top: int, left: int, size: int) -> Grid:
    window = np.full((size, size), -1, dtype=np.int64)
    rows = slice(max(top, 0), min(top + size, grid.shape[0]))
    columns = slice(max(left, 0), min(left + size, grid.shape[1]))
    window[
        rows.start - top : rows.stop - top,
        columns.start - left : columns.stop - left,
    ] = grid[rows, columns]
    return window
