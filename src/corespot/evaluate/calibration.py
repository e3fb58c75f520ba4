"""Whether probabilities mean what they say: Brier score, calibration error, reliability table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Equal-width bins of the confidence.
N_BINS = 10


def brier_terms(y: Ints, probability: Floats) -> Floats:
    """Squared error of every unit's probabilities, shape (n,); its mean is the Brier score.

    For two classes (p − y)² of the second class, between 0 and 1; for more the sum over classes,
    between 0 and 2 (Brier's original form). This is scikit-learn's convention too.

    References
    ----------
    Brier, Monthly Weather Review 78(1), 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
    """
    if probability.shape[1] == 2:
        return np.asarray((probability[:, 1] - (y == 1)) ** 2, dtype=np.float64)
    target = np.eye(probability.shape[1])[y]
    return np.asarray(((probability - target) ** 2).sum(axis=1), dtype=np.float64)


def confidence_bins(predicted: Ints, probability: Floats) -> tuple[Ints, Floats]:
    """Confidence bin and confidence of every unit.

    Returns
    -------
    bins : ndarray of int64, shape (n,)
        Bin b holds confidences in (b/10, (b+1)/10].
    confidence : ndarray, shape (n,)
        Probability of the predicted class.
    """
    confidence = probability[np.arange(len(predicted)), predicted]
    bins = np.clip(np.ceil(confidence * N_BINS) - 1, 0, N_BINS - 1).astype(np.int64)
    return bins, np.asarray(confidence, dtype=np.float64)


def calibration_sums(y: Ints, predicted: Ints, probability: Floats) -> tuple[Floats, Ints]:
    """What the calibration error is made of, unit by unit, so that it can be resampled.

    Returns
    -------
    terms : ndarray, shape (n, 3)
        One, correct (0 or 1), confidence.
    bins : ndarray of int64, shape (n,)
        Confidence bin.
    """
    bins, confidence = confidence_bins(predicted, probability)
    correct = (y == predicted).astype(np.float64)
    return np.stack([np.ones(len(y)), correct, confidence], axis=1), bins


def error_of_sums(sums: Floats) -> Floats:
    """Expected calibration error from sums per bin.

    Parameters
    ----------
    sums : ndarray, shape (..., n_bins, 3)
        Units, correct units and summed confidence in every bin.

    Returns
    -------
    ndarray, shape (...)
        Σ_b |correct_b − confidence_b| / n: the mean gap between accuracy and confidence.
    """
    total = sums[..., 0].sum(axis=-1)
    gap = np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1)
    out = np.full(np.shape(total), np.nan)
    np.divide(gap, total, out=out, where=total > 0)
    return out


def expected_calibration_error(y: Ints, predicted: Ints, probability: Floats) -> float:
    """Mean gap between confidence and accuracy over ten equal-width bins of the confidence.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017, eq. 3.
    """
    return float(error_of_sums(bin_sums(y, predicted, probability)))


def bin_sums(y: Ints, predicted: Ints, probability: Floats) -> Floats:
    """Units, correct units and summed confidence in every bin, shape (n_bins, 3)."""
    terms, bins = calibration_sums(y, predicted, probability)
    sums = np.zeros((N_BINS, 3))
    np.add.at(sums, bins, terms)
    return sums


def reliability_table(
    y: Ints, predicted: Ints, probability: Floats
) -> list[dict[str, float | int]]:
    """Confidence against accuracy, one line a bin that holds anything.

    Returns
    -------
    list of dict
        Keys ``low``, ``high``, ``n``, ``confidence`` (mean), ``accuracy``.
    """
    return [
        {
            "low": index / N_BINS,
            "high": (index + 1) / N_BINS,
            "n": int(n),
            "confidence": float(confidence / n),
            "accuracy": float(correct / n),
        }
        for index, (n, correct, confidence) in enumerate(bin_sums(y, predicted, probability))
        if n > 0
    ]
