"""Association of class and number inside units that hold several classes, such as whole cores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import Association
from corespot.audit.design.unit_tables import ROUNDING, explained, root_of_share
from corespot.audit.permutation import Permutations

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Singular values below this belong to classes that the others determine.
_DEPENDENT = 1e-9


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
    if size <= ROUNDING * (1.0 + float(np.abs(means["value"]).max())):
        return NotApplicable("it is the same for all classes of a unit")
    left, scale, _ = np.linalg.svd(dummies, full_matrices=False)
    a, v = left[:, scale > _DEPENDENT], values / size
    test = Permutations(label.astype(np.int64), unit, seed=seed).test(
        lambda order: explained(a[order], v)
    )
    n_mixed = int(unit.max()) + 1
    value = root_of_share(test.observed - test.null_mean, 1.0 - test.null_mean)
    distinct = len(np.unique(numbers[known]))
    return Association("numeric", value, test, n_mixed, distinct, n_units - n_mixed)


def _less_mean(values: Floats, unit: Ints) -> Floats:
    """Values (n, c) less the mean of their unit."""
    counts = np.bincount(unit)[:, None]
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, unit, values)
    less: Floats = values - (sums / counts)[unit]
    return less
