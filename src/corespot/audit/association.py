"""Association of a class label with a metadata column, over units that are exchangeable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.permutation import Permutations, PermutationTest, code_rows
from corespot.cohort.tasks import text_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Kind = Literal["categorical", "numeric"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?")
#: Numbers are read as levels, too, where a level holds this many units on average.
_UNITS_A_LEVEL = 3
#: Below this share of a sum of squares, values are all the same but for rounding.
_NOTHING = 1e-12


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


@dataclass(frozen=True)
class Association:
    """Association of the label with a column.

    Parameters
    ----------
    kind : {"categorical", "numeric"}
        How the column was read.
    value : float
        Bias-corrected Cramér's V, or the root of epsilon squared: 0 where no more than chance,
        1 where each says the other.
    test : PermutationTest
        What permuting units gave.
    n_units : int
        Units with a value.
    n_levels : int
        Different values.
    n_missing : int
        Units without one.
    """

    kind: Kind
    value: float
    test: PermutationTest
    n_units: int
    n_levels: int
    n_missing: int


def read_column(values: npt.ArrayLike) -> ColumnValues:
    """Read a column of text or numbers; empty text, None and NaN are missing.

    Parameters
    ----------
    values : array-like, shape (n,)
        Values; text that looks like plain numbers or ISO dates is taken for them if all of it
        does. ``True`` and ``False`` are levels.
    """
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


def cramers_v(labels: Floats, levels: Floats) -> float:
    """Bias-corrected Cramér's V of two sets of shares.

    Parameters
    ----------
    labels : ndarray of float64, shape (n_units, n_classes)
        Share of each unit's spots in each class; rows sum to one.
    levels : ndarray of float64, shape (n_units, n_levels)
        Share of each unit's spots in each level; rows sum to one.

    References
    ----------
    Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", J. Korean Stat. Soc. 42, 323
    (2013), doi:10.1016/j.jkss.2012.10.002, eqs. 4–6.

    Notes
    -----
    A unit that holds several classes or levels counts with a share in each, one in all. What
    chance alone gives, which Bergsma subtracts, is the exact mean of phi squared over all
    permutations of units; with one class and one level a unit it is (r - 1)(c - 1) / (n - 1), as
    in the paper. Where there are more levels than classes, V stays below 1 even if every level
    holds one class only: .94 for 92 patients on 12 TMAs.
    """
    a, b = _standardized(labels), _standardized(levels)
    n, r, c = len(a), a.shape[1], b.shape[1]
    if n < 2 or r < 2 or c < 2:
        return 0.0
    phi2 = float(((a.T @ b) ** 2).sum()) - _chance(a, b)
    ends = min(k - 1 - (k - 1) ** 2 / (n - 1) for k in (r, c))
    return _root(phi2, ends)


def correlation_ratio(labels: Floats, values: Floats) -> float:
    """Bias-corrected correlation ratio of shares of classes and numbers: the root of ε².

    Parameters
    ----------
    labels : ndarray of float64, shape (n_units, n_classes)
        Share of each unit's spots in each class; rows sum to one.
    values : ndarray of float64, shape (n_units,)
        A number for each unit.

    References
    ----------
    Kelley, "An unbiased correlation ratio measure", PNAS 21, 554 (1935),
    doi:10.1073/pnas.21.9.554: ε² = 1 - (1 - η²)(n - 1) / (n - k).
    """
    a, v = _standardized(labels), _unit_length(values)
    if len(a) < 2 or a.shape[1] < 2 or not v.any():
        return 0.0
    chance = _chance(a, v)
    return _root(float(((a.T @ v) ** 2).sum()) - chance, 1.0 - chance)


def associate(
    y: Ints,
    n_classes: int,
    units: npt.NDArray[np.str_],
    column: ColumnValues,
    kind: Kind,
    *,
    seed: int = 0,
) -> Association | NotApplicable:
    """Association of class and column between units, with a permutation p that permutes units.

    Numbers are reduced to the mean of a unit's spots. Levels are reduced to shares: a patient
    with 30 of 40 spots on one TMA counts three quarters there.

    Parameters
    ----------
    y : ndarray of int64, shape (n,)
        Class of each spot.
    n_classes : int
        Number of classes.
    units : ndarray of str, shape (n,)
        Patient (or core) of each spot.
    column : ColumnValues, n rows
        The column.
    kind : {"categorical", "numeric"}
        How to read it.
    seed : int
        Seed of the random permutations.
    """
    known = column.known
    n_missing = len(np.unique(units)) - len(np.unique(units[known]))
    names, unit = np.unique(units[known], return_inverse=True)
    present, label = np.unique(y[known], return_inverse=True)
    if len(present) < 2:
        return NotApplicable(
            "no spot has a value" if not len(present) else "spots of one class only have a value"
        )
    labels = shares(unit, label, len(names), len(present))
    n_levels = len(column.levels)
    if kind == "numeric":
        if column.numbers is None:
            raise ValueError("a column that holds text has no numbers")
        values = np.bincount(unit, column.numbers[known]) / np.bincount(unit)
        other = _unit_length(values)
        if not other.any():
            return NotApplicable("it is the same for all")
        value = correlation_ratio(labels, values)
    else:
        levels = shares(unit, column.codes[known], len(names), n_levels)
        reason = _no_levels(levels)
        if reason:
            return NotApplicable(reason)
        other, value = _standardized(levels), cramers_v(labels, levels)
    test = permute(_standardized(labels), other, seed=seed)
    return Association(kind, value, test, len(names), n_levels, n_missing)


def associate_within(
    y: Ints,
    units: npt.NDArray[np.str_],
    numbers: Floats,
    *,
    seed: int = 0,
) -> Association | NotApplicable:
    """Association of class and number inside units that hold several classes (tumour and stroma).

    Each class of a unit is reduced to the mean of its spots, less the mean over the unit's
    classes; permuted are the classes inside each unit, so that differences between units, which
    `associate` looks at, play no part.

    Parameters
    ----------
    y : ndarray of int64, shape (n,)
        Class of each spot.
    units : ndarray of str, shape (n,)
        Patient (or core) of each spot.
    numbers : ndarray of float64, shape (n,)
        A number for each spot; NaN where missing.
    seed : int
        Seed of the random permutations.
    """
    known = np.isfinite(numbers)
    pairs = pd.DataFrame({"unit": units[known], "y": y[known], "value": numbers[known]})
    means = pairs.groupby(["unit", "y"], sort=True)["value"].mean().reset_index()
    held = means.groupby("unit")["y"].transform("size")
    n_units = int(means["unit"].nunique())
    means = means[held > 1]
    unit = np.unique(means["unit"].to_numpy(dtype=str), return_inverse=True)[1].astype(np.int64)
    if len(means) == 0:
        return NotApplicable("no unit holds more than one class")
    label = np.unique(means["y"].to_numpy(), return_inverse=True)[1]
    dummies = _less_mean(np.eye(int(label.max()) + 1)[label], unit)
    values = _less_mean(means["value"].to_numpy(np.float64)[:, None], unit)
    size = float(np.sqrt((values**2).sum()))
    if size <= _NOTHING * (1.0 + float(np.abs(means["value"]).max())):
        return NotApplicable("it is the same for all classes of a unit")
    left, scale, _ = np.linalg.svd(dummies, full_matrices=False)
    a, v = left[:, scale > 1e-9], values / size
    test = Permutations(label.astype(np.int64), unit, seed=seed).test(
        lambda order: _explained(a[order], v)
    )
    n_mixed = int(unit.max()) + 1
    value = _root(test.observed - test.null_mean, 1.0 - test.null_mean)
    distinct = len(np.unique(numbers[known]))
    return Association("numeric", value, test, n_mixed, distinct, n_units - n_mixed)


def permute(a: Floats, b: Floats, *, strata: Ints | None = None, seed: int = 0) -> PermutationTest:
    """Permute the rows of `a` against those of `b`; the statistic is the sum of (aᵀ b)².

    Whichever side has fewer distinct arrangements is moved, which gives the same p.
    """
    sides = [(Permutations(code_rows(one), strata, seed), one) for one in (a, b)]
    (perms, moved), (_, still) = sorted(sides, key=lambda side: side[0].n_distinct)
    return perms.test(lambda order: _explained(moved[order], still))


def shares(unit: npt.NDArray[Any], code: npt.NDArray[Any], n_units: int, n_codes: int) -> Floats:
    """Share of each unit's spots with each code, shape (n_units, n_codes)."""
    counts = np.bincount(unit * n_codes + code, minlength=n_units * n_codes)
    table = counts.reshape(n_units, n_codes).astype(np.float64)
    part: Floats = table / table.sum(axis=1, keepdims=True)
    return part


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


def _no_levels(levels: Floats) -> str:
    held = levels > 0
    if np.count_nonzero(held.any(axis=0)) < 2:
        return "it is the same for all"
    if np.all(held.sum(axis=0) <= 1):
        return "every unit has its own value"
    return ""


def _standardized(table: Floats) -> Floats:
    """Shares less their mean over units, divided by the root of a column's sum.

    The squared products of two such tables sum to phi squared.
    """
    table = table[:, table.any(axis=0)]
    total = table.sum(axis=0)
    centred: Floats = (table - total / len(table)) / np.sqrt(total)
    return centred


def _unit_length(values: Floats) -> Floats:
    """Values less their mean, as a column of length one; zeros if all are the same."""
    centred = values - values.mean()
    size = float(np.sqrt((centred**2).sum()))
    flat = size <= _NOTHING * np.sqrt(len(values)) * (1.0 + float(np.abs(values).max()))
    column: Floats = (np.zeros_like(centred) if flat else centred / size)[:, None]
    return column


def _chance(a: Floats, b: Floats) -> float:
    """Exact mean of the sum of (aᵀ b)² over all permutations of units."""
    return float((a**2).sum() * (b**2).sum()) / (len(a) - 1)


def _explained(moved: Floats, still: Floats) -> Floats:
    """Sum of the squared products of arrangements (b, n, r) with a table (n, c), shape (b,)."""
    products = np.tensordot(moved, still, axes=([1], [0]))
    total: Floats = (products**2).sum(axis=(1, 2))
    return total


def _less_mean(values: Floats, unit: Ints) -> Floats:
    counts = np.bincount(unit)[:, None]
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, unit, values)
    less: Floats = values - (sums / counts)[unit]
    return less


def _root(part: float, whole: float) -> float:
    """Root of a share; nothing but rounding is nothing."""
    if whole <= _NOTHING or part <= _NOTHING * whole:
        return 0.0
    return float(np.sqrt(min(1.0, part / whole)))
