"""Reading a column of metadata: as numbers or dates where it holds them, and as levels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from corespot.cohort.tasks import text_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: How a column is looked at: by its levels, or by its numbers.
Kind = Literal["categorical", "numeric"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?")
#: Numbers are read as levels, too, where a level holds this many units on average.
_UNITS_A_LEVEL = 3


@dataclass(frozen=True, eq=False)
class ColumnValues:
    """A metadata column, read as numbers where it holds them, and as levels.

    Parameters
    ----------
    numbers : ndarray of float64, shape (n,), or None
        Numbers, or days since 1970 where all values are ISO dates; NaN where missing. ``None``
        if a value is neither.
    levels : tuple of str
        Different values, in order.
    codes : ndarray of int64, shape (n,)
        Level of each row, -1 where missing.
    """

    numbers: Floats | None
    levels: tuple[str, ...]
    codes: Ints

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Rows that have a value, shape (n,)."""
        return self.codes >= 0

    def kinds(self, n_units: int) -> tuple[Kind, ...]:
        """How the column can be looked at: numbers with few different values both ways.

        Two different numbers are two levels and nothing else.
        """
        if self.numbers is None or len(self.levels) <= 2:
            return ("categorical",)
        few = len(self.levels) * _UNITS_A_LEVEL <= n_units
        return ("numeric", "categorical") if few else ("numeric",)


def read_column(values: npt.ArrayLike) -> ColumnValues:
    """Read a column of text or numbers; empty text, None, NaN and infinity are missing.

    Parameters
    ----------
    values : array-like, shape (n,)
        Values; text that looks like plain numbers or ISO dates is taken for them if all of it
        does. ``True`` and ``False`` are levels.
    """
    import pandas as pd

    raw = pd.Series(np.asarray(values))
    if pd.api.types.is_float_dtype(raw):
        raw = raw.where(np.isfinite(raw), np.nan)
    text = raw.map(text_of).astype(str).str.strip().to_numpy(dtype=str)
    levels, codes = np.unique(text, return_inverse=True)
    codes = codes.astype(np.int64)
    if len(levels) and levels[0] == "":
        levels, codes = levels[1:], codes - 1
    numbers = None if pd.api.types.is_bool_dtype(raw) else _numbers(levels)
    if numbers is None:
        return ColumnValues(None, tuple(levels.tolist()), codes)
    # Numbers sort as numbers, and "1.0" is the level "1".
    distinct, order = np.unique(numbers, return_inverse=True)
    names = tuple(str(levels[np.flatnonzero(order == at)[0]]) for at in range(len(distinct)))
    codes = np.where(codes >= 0, order[codes], -1).astype(np.int64)
    return ColumnValues(np.where(codes >= 0, distinct[codes], np.nan), names, codes)


def _numbers(levels: npt.NDArray[np.str_]) -> Floats | None:
    """Levels as numbers or days since 1970; None if one is neither."""
    if len(levels) and all(_NUMBER.fullmatch(level) for level in levels):
        return np.asarray(levels, dtype=np.float64)
    if len(levels) and all(_DATE.fullmatch(level) for level in levels):
        try:
            moments = levels.astype("datetime64[ms]")
        except ValueError:  # 2024-02-31
            return None
        days: Floats = moments.astype(np.int64) / 86_400_000.0
        return days
    return None
