"""Tables with a row for each unit (patient or core), scaled so that products measure association.

The squared products of two tables of standardized shares sum to phi squared, those of standardized
shares and standardized numbers to eta squared, the squared correlation ratio.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Below this share of a sum of squares, values are all the same but for rounding.
ROUNDING = 1e-12


def shares(unit: npt.NDArray[Any], code: npt.NDArray[Any], n_units: int, n_codes: int) -> Floats:
    """Share of each unit's spots with each code.

    Parameters
    ----------
    unit : ndarray of int, shape (n,)
        Unit of each spot, 0 to n_units - 1; every unit has a spot.
    code : ndarray of int, shape (n,)
        Class or level of each spot, 0 to n_codes - 1.
    n_units, n_codes : int
        Number of units and of codes.

    Returns
    -------
    ndarray of float64, shape (n_units, n_codes)
        Rows sum to one.
    """
    counts = np.bincount(unit * n_codes + code, minlength=n_units * n_codes)
    table = counts.reshape(n_units, n_codes).astype(np.float64)
    part: Floats = table / table.sum(axis=1, keepdims=True)
    return part


def unit_means(unit: npt.NDArray[Any], values: Floats) -> Floats:
    """Mean over each unit's spots.

    Parameters
    ----------
    unit : ndarray of int, shape (n,)
        Unit of each spot, 0 to n_units - 1; every unit has a spot.
    values : ndarray of float64, shape (n,)
        A number for each spot.

    Returns
    -------
    ndarray of float64, shape (n_units,)
    """
    means: Floats = np.bincount(unit, values) / np.bincount(unit)
    return means


def standardized_shares(table: Floats) -> Floats:
    """Shares less their mean over units, divided by the root of their column's sum.

    Columns without any share are dropped.
    """
    table = table[:, table.any(axis=0)]
    total = table.sum(axis=0)
    centred: Floats = (table - total / len(table)) / np.sqrt(total)
    return centred


def standardized_numbers(values: Floats) -> Floats:
    """Numbers less their mean, as a column of length one; zeros if all are the same.

    Parameters
    ----------
    values : ndarray of float64, shape (n_units,)
        A number for each unit.

    Returns
    -------
    ndarray of float64, shape (n_units, 1)
    """
    centred = values - values.mean()
    size = float(np.sqrt((centred**2).sum()))
    flat = size <= ROUNDING * np.sqrt(len(values)) * (1.0 + float(np.abs(values).max()))
    column: Floats = (np.zeros_like(centred) if flat else centred / size)[:, None]
    return column


def explained(moved: Floats, still: Floats) -> Floats:
    """Sum of the squared products of two standardized tables, for many arrangements of one.

    Parameters
    ----------
    moved : ndarray of float64, shape (n_arrangements, n_units, r)
        The one table, its rows in the order of each arrangement.
    still : ndarray of float64, shape (n_units, c)
        The other.

    Returns
    -------
    ndarray of float64, shape (n_arrangements,)
    """
    products = np.tensordot(moved, still, axes=([1], [0]))
    total: Floats = (products**2).sum(axis=(1, 2))
    return total


def root_of_share(part: float, whole: float) -> float:
    """Root of `part` / `whole`, at most 1; 0 where the part is negative or mere rounding."""
    if whole <= ROUNDING or part <= ROUNDING * whole:
        return 0.0
    return float(np.sqrt(min(1.0, part / whole)))
