"""Where spots lie on their core: the grid that patches and core images are cut from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import ModelError

#: Grid cells a core may span for each of its spots; beyond, the positions are not those of a core.
_MOST_CELLS_A_SPOT = 1000
_MOST_CELLS = 4_000_000
#: Beyond this a float does not hold every whole number.
_FURTHEST = 2.0**53


@dataclass(frozen=True, eq=False)
class SpotPositions:
    """Core and grid position of spots, one entry a spot.

    Parameters
    ----------
    core : ndarray of str, shape (n,)
        What a spot's neighbours share: core and file.
    x, y : ndarray of int64, shape (n,)
        Column and row on the measurement grid.

    Raises
    ------
    ModelError
        If two spots of a core are at the same place, or lengths differ.
    """

    core: npt.NDArray[np.str_]
    x: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if not len(self.core) == len(self.x) == len(self.y):
            raise ModelError(
                f"positions need a core, x and y for every spot, got {len(self.core)}, "
                f"{len(self.x)} and {len(self.y)}"
            )
        places = pd.MultiIndex.from_arrays([self.core, self.x, self.y])
        twice = np.flatnonzero(places.duplicated())
        if len(twice):
            at = int(twice[0])
            raise ModelError(
                f"core {self.core[at]} has two spots at x {self.x[at]}, y {self.y[at]}; every spot "
                "needs a place of its own"
            )

    def __len__(self) -> int:
        return len(self.core)

    @classmethod
    def of(cls, spots: pd.DataFrame) -> Self:
        """Positions of the rows of a spot table with ``core``, ``x``, ``y`` and maybe ``file``.

        A core that was measured in two files is two grids.

        Raises
        ------
        ModelError
            If a column is missing, a core is not named, or a position is no whole number.
        """
        missing = [name for name in ("core", "x", "y") if name not in spots]
        if missing:
            raise ModelError(
                f"positions need the columns core, x and y, but {' and '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing; found: "
                f"{', '.join(map(str, spots.columns)) or 'none'}"
            )
        unnamed = np.flatnonzero(spots["core"].isna())
        if len(unnamed):
            raise ModelError(f"spot {unnamed[0]} has no core; every spot must lie on a named core")
        core = spots["core"].astype(str)
        if "file" in spots:
            core = spots["file"].astype(object).fillna("").astype(str) + " " + core
        return cls(core.to_numpy(dtype=str), _whole(spots["x"]), _whole(spots["y"]))

    def take(self, index: npt.NDArray[np.int64]) -> SpotPositions:
        """Positions of some of the spots."""
        return SpotPositions(self.core[index], self.x[index], self.y[index])

    def shuffled(self, generator: np.random.Generator) -> SpotPositions:
        """The same places, dealt anew among the spots of each core."""
        x, y = self.x.copy(), self.y.copy()
        for spots in self.by_core():
            dealt = generator.permutation(spots)
            x[spots], y[spots] = self.x[dealt], self.y[dealt]
        return SpotPositions(self.core, x, y)

    def by_core(self) -> list[npt.NDArray[np.int64]]:
        """Indices of the spots of each core, cores in order of name."""
        order = np.argsort(self.core, kind="stable")
        _, first = np.unique(self.core[order], return_index=True)
        return [part.astype(np.int64) for part in np.split(order, first[1:])]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of cores and positions."""
        digest = hashlib.sha256("\0".join(self.core.tolist()).encode())
        digest.update(np.ascontiguousarray(self.x).tobytes())
        digest.update(np.ascontiguousarray(self.y).tobytes())
        return digest.hexdigest()


def _whole(column: pd.Series) -> npt.NDArray[np.int64]:
    """Coordinates as whole numbers; anything else would be cut off or become nonsense."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~(np.abs(values) < _FURTHEST) | (values != np.round(values)))
    if len(wrong):
        raise ModelError(
            f"spot {wrong[0]} has {column.name} {column.iloc[wrong[0]]}; expected a whole number, "
            "the column or row on the measurement grid: neighbouring spots differ by one"
        )
    return values.astype(np.int64)


def core_grids(positions: SpotPositions) -> list[npt.NDArray[np.int64]]:
    """The bounding box of every core as a grid of spot indices.

    Parameters
    ----------
    positions : SpotPositions
        Of n spots.

    Returns
    -------
    list of ndarray of int64, shape (height, width)
        Index of the spot at each place, -1 where there is none; cores in order of name.

    Raises
    ------
    ModelError
        If the spots of a core are so far apart that they cannot be of one core.
    """
    grids = []
    for spots in positions.by_core():
        x = positions.x[spots] - positions.x[spots].min()
        y = positions.y[spots] - positions.y[spots].min()
        height, width = int(y.max()) + 1, int(x.max()) + 1
        if height * width > min(_MOST_CELLS, _MOST_CELLS_A_SPOT * len(spots)):
            raise ModelError(
                f"the {len(spots)} spots of core {positions.core[spots[0]]} span {width} columns "
                f"and {height} rows; check x, y and core in spots.csv: neighbouring spots differ "
                "by one"
            )
        grid = np.full((height, width), -1, dtype=np.int64)
        grid[y, x] = spots
        grids.append(grid)
    return grids
