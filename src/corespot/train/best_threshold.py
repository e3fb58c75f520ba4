"""The threshold that best tells two kinds of spots apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def best_threshold(logits: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Logit that best tells positive spots from the others by balanced accuracy.

    Parameters
    ----------
    logits : ndarray, shape (n,)
        One a spot.
    positive : ndarray of bool, shape (n,)
        Its label; both kinds occur.

    Returns
    -------
    float
        The middle between two neighbouring logits; of several best ones the middle one.
    """
    order = np.argsort(logits, kind="stable")
    values, label = logits[order], positive[order]
    below = np.cumsum(~label) / np.count_nonzero(~label)  # negatives up to here
    lost = np.cumsum(label) / np.count_nonzero(label)  # positives up to here
    youden = np.where(values[:-1] < values[1:], (below - lost)[:-1], -np.inf)
    if not np.isfinite(youden).any():
        return float(values[0])
    best = np.flatnonzero(youden >= youden.max() - 1e-12)
    at = int(best[len(best) // 2])
    return float((values[at] + values[at + 1]) / 2)
