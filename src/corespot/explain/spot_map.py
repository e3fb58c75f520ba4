"""Which spots decide: sensitivities of spots, averaged over the folds they were trained in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import ModelError

Rows = npt.NDArray[np.int64]


def average_spot_maps(
    folds: Iterable[tuple[Rows, npt.NDArray[np.floating]]], classes: Sequence[str]
) -> pd.DataFrame:
    """Mean sensitivity of each class to each spot, over the folds whose model was trained on it.

    Parameters
    ----------
    folds : iterable of (rows, sensitivity)
        For every fold the rows of the store it was trained on, shape (n,), and the sensitivities
        of `spot_sensitivity`, shape (n_classes, n), in the order of `classes`.
    classes : sequence of str
        Class names.

    Returns
    -------
    DataFrame
        ``row``, ``class``, ``sensitivity``: one line a class and spot that any fold was trained
        on; classes in the order given, rows increasing.

    Raises
    ------
    ModelError
        If there is no fold, shapes do not fit, a fold names a row twice, or values are not finite.
    """
    parts = [(np.asarray(rows), np.asarray(values, dtype=np.float64)) for rows, values in folds]
    if not parts:
        raise ModelError("there are no sensitivities of spots to average")
    for number, (rows, values) in enumerate(parts):
        _check(number, rows, values, len(classes))
    every = np.unique(np.concatenate([rows for rows, _ in parts]))
    total = np.zeros((len(classes), len(every)))
    n_folds = np.zeros(len(every))
    for rows, values in parts:
        at = np.searchsorted(every, rows)
        total[:, at] += values
        n_folds[at] += 1
    return pd.DataFrame(
        {
            "row": np.tile(every.astype(np.int64), len(classes)),
            "class": np.repeat(np.asarray(classes, dtype=object), len(every)),
            "sensitivity": (total / n_folds).ravel(),
        }
    )


def _check(number: int, rows: Rows, values: npt.NDArray[np.float64], n_classes: int) -> None:
    if values.shape != (n_classes, len(rows)):
        raise ModelError(
            f"sensitivities of spots of fold {number} have shape {values.shape}, expected "
            f"{(n_classes, len(rows))}: classes by spots"
        )
    if len(np.unique(rows)) != len(rows):
        raise ModelError(f"fold {number} names a row twice: spots are trained on once a fold")
    if not np.all(np.isfinite(values)):
        raise ModelError(
            f"sensitivities of spots of fold {number} are not finite; the training has diverged: "
            "lower the learning rate"
        )
