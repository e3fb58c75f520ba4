"""How good decisions are: rates from confusion matrices, and the area under the ROC curve."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Metrics that a confusion matrix gives.
RATES = ("balanced_accuracy", "sensitivity", "specificity", "f1")


def confusion_matrix(y: Ints, predicted: Ints, n_classes: int) -> Ints:
    """Count decisions, shape (n_classes, n_classes): lines are true, columns predicted classes."""
    flat = np.bincount(y * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes).astype(np.int64)


def class_rates(confusion: npt.ArrayLike) -> dict[str, Floats]:
    """Sensitivity, specificity and F1 of every class against the rest.

    Parameters
    ----------
    confusion : array-like, shape (..., n_classes, n_classes)
        Confusion matrices, possibly weighted.

    Returns
    -------
    dict of str to ndarray, each of shape (..., n_classes)
        NaN for a class that does not occur; specificity is NaN where nothing else occurs.
    """
    matrix = np.asarray(confusion, dtype=np.float64)
    hit = np.diagonal(matrix, axis1=-2, axis2=-1)
    true = matrix.sum(axis=-1)
    called = matrix.sum(axis=-2)
    total = matrix.sum(axis=(-2, -1))[..., None]
    sensitivity = _ratio(hit, true)
    specificity = _ratio(total - true - called + hit, total - true)
    f1 = np.where(true > 0, _ratio(2.0 * hit, true + called), np.nan)
    return {"sensitivity": sensitivity, "specificity": specificity, "f1": f1}


def rates(confusion: npt.ArrayLike) -> dict[str, Floats]:
    """Balanced accuracy, sensitivity, specificity and F1 of confusion matrices.

    Parameters
    ----------
    confusion : array-like, shape (..., n_classes, n_classes)
        Confusion matrices, possibly weighted.

    Returns
    -------
    dict of str to ndarray, each of shape (...)
        ``balanced_accuracy``: mean over classes of the sensitivity (½(TP/P + TN/N) for two).
        ``sensitivity`` and ``specificity``: of the second class for two classes, else the mean
        over classes of one against the rest. ``f1``: mean over classes. NaN where a class that
        is needed does not occur.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018: balanced accuracy.
    """
    single = class_rates(confusion)
    if single["sensitivity"].shape[-1] == 2:
        sensitivity, specificity = single["sensitivity"][..., 1], single["specificity"][..., 1]
    else:
        sensitivity = single["sensitivity"].mean(axis=-1)
        specificity = single["specificity"].mean(axis=-1)
    return {
        "balanced_accuracy": single["sensitivity"].mean(axis=-1),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "f1": single["f1"].mean(axis=-1),
    }


def auc(y: Ints, probability: Floats) -> float:
    """Area under the ROC curve, ties counted half.

    Parameters
    ----------
    y : ndarray of int, shape (n,)
        True classes.
    probability : ndarray, shape (n, n_classes)
        Scores; for two classes that of the second one ranks the spots.

    Returns
    -------
    float
        For more than two classes the mean over classes of one against the rest. NaN if a class
        does not occur.
    """
    n_classes = probability.shape[1]
    positives = [1] if n_classes == 2 else range(n_classes)
    areas = [_binary_auc(y == index, probability[:, index]) for index in positives]
    return float(np.mean(areas))


def _binary_auc(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    from scipy.stats import rankdata

    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    ranks = rankdata(score)[positive].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Part of a whole; NaN where the whole is nothing."""
    out = np.full(np.broadcast(part, whole).shape, np.nan)
    np.divide(part, whole, out=out, where=np.asarray(whole) > 0)
    return out
