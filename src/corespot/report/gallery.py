"""Which spots to look at one by one: surely right, surely wrong, and least sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.report.map_grid import SpotGrid

#: A prediction counts as confident above this probability.
CONFIDENT = 0.98

#: Spots shown on either side of the one in question.
_REACH = 7


@dataclass(frozen=True)
class Gallery:
    """Spots picked for one reason.

    Parameters
    ----------
    title, why : str
        What they have in common, and how they were picked.
    spots : DataFrame
        Rows of the spot table, most telling first; at most one a core.
    """

    title: str
    why: str
    spots: pd.DataFrame


def pick_galleries(table: pd.DataFrame, *, n: int = 6) -> dict[str, Gallery]:
    """Spots that are confidently right, confidently wrong, and least confident.

    Parameters
    ----------
    table : DataFrame
        Result of `corespot.report.spot_table.spot_table`.
    n : int
        Most spots of each kind.

    Returns
    -------
    dict of str to Gallery
        ``right``, ``wrong``, ``unsure``; a gallery may be empty.

    Notes
    -----
    Right spots are above `CONFIDENT` where there are any; among these, as among all others, the
    surest come first. Right spots alternate between the classes, so that none is missing.

    References
    ----------
    Shamsher, "Spatial-spectral deep learning for tumor detection in colorectal cancer": galleries
    of confidently right (over 98 %), confidently wrong and least confident cases.
    """
    right = table[~table["wrong"]]
    wrong = table[table["wrong"]]
    sure = int((wrong["probability"] > CONFIDENT).sum())
    n_sure = int((right["probability"] > CONFIDENT).sum())
    least = _one_a_core(table.sort_values(["probability", "row"]))
    return {
        "right": Gallery(
            "Confidently right",
            f"{n_sure:,} of {len(right):,} right spots are above {CONFIDENT:g}; the surest of each "
            "class in turn",
            _in_turn(_surest(right), "class").head(n),
        ),
        "wrong": Gallery(
            "Confidently wrong",
            f"{sure:,} of {len(wrong):,} wrong spots are above {CONFIDENT:g}; the surest",
            _surest(wrong).head(n),
        ),
        "unsure": Gallery(
            "Least confident",
            "the lowest probability of the predicted class",
            least.head(n),
        ),
    }


@dataclass(frozen=True)
class Neighbourhood:
    """What surrounds a spot on its core, as a square map with the spot in the middle.

    Parameters
    ----------
    values : ndarray of float64, shape (side, side)
        NaN where there is no spot of this core.
    """

    values: npt.NDArray[np.float64]

    @property
    def centre(self) -> int:
        """Row and column of the spot itself."""
        return int(self.values.shape[0]) // 2


def neighbourhood(
    table: pd.DataFrame, spot: pd.Series, column: str, *, reach: int = _REACH
) -> Neighbourhood:
    """Values of `column` round a spot, on its own core and file.

    Parameters
    ----------
    table : DataFrame
        Spot table with ``file``, ``core``, ``x``, ``y`` and `column`.
    spot : Series
        One row of it.
    column : str
        What the map shows.
    reach : int
        Spots on either side.
    """
    same = (table["file"] == spot["file"]) & (table["core"] == spot["core"])
    near = (table["x"] - spot["x"]).abs().le(reach) & (table["y"] - spot["y"]).abs().le(reach)
    part = table[same & near]
    side = 2 * reach + 1
    index = np.full((side, side), -1, dtype=np.int64)
    row = part["y"].to_numpy(dtype=np.int64) - int(spot["y"]) + reach
    index[row, part["x"].to_numpy(dtype=np.int64) - int(spot["x"]) + reach] = np.arange(len(part))
    grid = SpotGrid("", -reach, -reach, index)
    return Neighbourhood(grid.spread(part[column].to_numpy(dtype=np.float64), np.nan))


def _surest(table: pd.DataFrame) -> pd.DataFrame:
    return _one_a_core(table.sort_values(["probability", "row"], ascending=[False, True]))


def _one_a_core(ordered: pd.DataFrame) -> pd.DataFrame:
    return ordered.drop_duplicates(["file", "core"])


def _in_turn(ordered: pd.DataFrame, column: str) -> pd.DataFrame:
    """The first of every group, then the second of every group, and so on."""
    rank = ordered.groupby(column, sort=False).cumcount().to_numpy()
    return ordered.iloc[np.argsort(rank, kind="stable")]
