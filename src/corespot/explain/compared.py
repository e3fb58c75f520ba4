"""Whether models look at the same: sensitivity profiles against each other."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.explain.profile import Quantity, SensitivityProfile

FloatArray = npt.NDArray[np.float64]


def unit_energy(values: FloatArray) -> FloatArray:
    """Divide a curve by its root mean square, so that shapes compare and not strengths.

    Parameters
    ----------
    values : ndarray, shape (n_bins,)
        The curve; one that is zero everywhere stays so.
    """
    size = float(np.sqrt(np.mean(np.square(values))))
    return values / size if size > 0 else values


def profile_correlations(
    profiles: Mapping[str, SensitivityProfile], class_name: str, of: Quantity = "probability"
) -> pd.DataFrame:
    """Correlation over all m/z bins of every two profiles of a class.

    Parameters
    ----------
    profiles : mapping of str to SensitivityProfile
        By a name for each; those without this class are left out.
    class_name : str
        The class.
    of : {"probability", "logit"}
        Which sensitivity.

    Returns
    -------
    DataFrame
        ``first``, ``second``, ``correlation`` (Pearson's; NaN where the two have different m/z
        axes, or one is constant).
    """
    held = {name: one for name, one in profiles.items() if class_name in one.classes}
    names = list(held)
    rows = []
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            pair = held[first], held[second]
            value = float("nan")
            if pair[0].axis == pair[1].axis:
                value = _pearson(*(one.of(of)[one.classes.index(class_name)] for one in pair))
            rows.append((first, second, value))
    return pd.DataFrame(rows, columns=["first", "second", "correlation"])


def _pearson(first: FloatArray, second: FloatArray) -> float:
    one, other = first - first.mean(), second - second.mean()
    size = float(np.sqrt(one @ one) * np.sqrt(other @ other))
    return float(one @ other) / size if size > 0 else float("nan")
