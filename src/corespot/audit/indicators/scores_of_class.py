"""Mean scores of the units of one class, and how much of their spread a column explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.audit.design.metadata_column import Kind
from corespot.audit.design.unit_tables import ROUNDING

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Degrees of freedom below this are none.
_NO_FREEDOM = 1e-9


@dataclass(frozen=True, eq=False)
class ScoresOfClass:
    """Scores of the units of one class, beside a metadata column.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_units, n_scores)
        Mean score of each unit less that of the class; zero for units of other classes.
    column : ndarray of float64, shape (n_units, n_columns)
        Shares of levels, or one number, of all units; standardized over those of the class.
    n : int
        Units of the class.
    effective_levels : float
        Degrees of freedom of the column: with one level a unit, levels less one.
    """

    scores: Floats
    column: Floats
    n: int
    effective_levels: float

    def between(self, order: Ints) -> Floats:
        """Sum of squares that the column explains.

        Parameters
        ----------
        order : ndarray of int64, shape (b, n_units)
            Arrangements: which unit's value of the column each unit is given.

        Returns
        -------
        ndarray of float64, shape (b, n_scores)
        """
        products = np.tensordot(self.column[order], self.scores, axes=([1], [0]))
        explained: Floats = (products**2).sum(axis=1)
        return explained


def scores_of_class(
    scores: Floats, unit: Ints, table: Floats, held: npt.NDArray[np.bool_], kind: Kind
) -> ScoresOfClass | None:
    """Reduce the spots of one class to their units.

    Parameters
    ----------
    scores : ndarray of float64, shape (n_spots, n_scores)
        Scores of the spots of the class.
    unit : ndarray of int64, shape (n_spots,)
        Unit of each.
    table : ndarray of float64, shape (n_units, n_columns)
        Shares of levels, or one number, of all units.
    held : ndarray of bool, shape (n_units,)
        Units that have spots of the class.
    kind : {"categorical", "numeric"}
        What `table` holds.

    Returns
    -------
    ScoresOfClass or None
        ``None`` with fewer than three units, if the column is the same for all of them, or if
        each has its own value.
    """
    n = int(held.sum())
    if n < 3:
        return None
    counts = np.bincount(unit, minlength=len(held))
    means = np.zeros((len(held), scores.shape[1]))
    np.add.at(means, unit, scores)
    means[held] /= counts[held, None]
    means[held] -= means[held].mean(axis=0)
    values = table[held]
    if kind == "numeric":
        centre, scale = values.mean(axis=0), np.sqrt(values.var(axis=0) * n)
        standard = (table - centre) / scale if scale[0] > ROUNDING * np.abs(values).max() else None
    else:
        total = values.sum(axis=0)
        present = total > 0
        standard = (table[:, present] - total[present] / n) / np.sqrt(total[present])
    if standard is None:
        return None
    effective = float((standard[held] ** 2).sum())
    if effective < _NO_FREEDOM or n - 1 - effective < _NO_FREEDOM:
        return None
    return ScoresOfClass(means, standard, n, effective)
