"""What a model loses when everything outside peaks is wiped out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.changed_spectra import Block, Rows, log_odds
from corespot.audit.shares.peak_mask import PeakMask
from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.evaluate.metrics import confusion_matrix, rates


@dataclass(frozen=True)
class MaskingDrop:
    """A model's balanced accuracy on held-out spots with and without bins outside peaks.

    Parameters
    ----------
    balanced_accuracy : float
        With the spectra as they are.
    masked_balanced_accuracy : float
        With bins outside peaks set to the training mean.
    """

    balanced_accuracy: float
    masked_balanced_accuracy: float

    @property
    def drop(self) -> float:
        """What is lost; negative where the model gains."""
        return self.balanced_accuracy - self.masked_balanced_accuracy

    def as_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return {
            "balanced_accuracy": self.balanced_accuracy,
            "masked_balanced_accuracy": self.masked_balanced_accuracy,
            "drop": self.drop,
        }


def masking_drop(
    estimator: Any,
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.int64],
    classes: Sequence[str],
    *,
    mean_spectrum: npt.NDArray[np.float64],
    mask: PeakMask,
    places: Mapping[str, SpotPositions] | None = None,
    before: npt.NDArray[np.float64] | None = None,
) -> MaskingDrop | NotApplicable:
    """Set bins outside peaks of held-out spots to the training mean and see what the model loses.

    Parameters
    ----------
    estimator : fitted estimator
        The model of this fold.
    x : ndarray or memmap, shape (n_spots, n_bins)
        Spectra of the held-out spots; they stay as they are.
    y : ndarray of int64, shape (n_spots,)
        Class of each, an index into `classes`.
    classes : sequence of str
        Class names.
    mean_spectrum : ndarray of float64, shape (n_bins,)
        Mean over the training spectra.
    mask : PeakMask
        Bins of peaks of that mean.
    places : mapping, optional
        ``positions`` for models of patches or cores.
    before : ndarray of float64, shape (n_spots, n_classes), optional
        Log-odds of the spots as they are, where they are known already.

    Returns
    -------
    MaskingDrop or NotApplicable
        Not applicable where no bin lies outside peaks, or a class has no held-out spot.

    Raises
    ------
    ModelError
        If the numbers do not fit together.
    """
    if mask.no_off_peak is not None:
        return mask.no_off_peak
    if mean_spectrum.shape != x.shape[1:] or mask.is_peak.shape != x.shape[1:]:
        raise ModelError(
            f"spectra of {x.shape[1]} bins, a mean spectrum of shape {mean_spectrum.shape} and a "
            f"mask of {mask.is_peak.size} bins do not lie on one axis"
        )
    missing = np.flatnonzero(np.bincount(y, minlength=len(classes)) == 0)
    if len(missing):
        return NotApplicable(
            f"class {classes[missing[0]]} has no held-out spot here: balanced accuracy is not "
            "defined"
        )
    outside = np.flatnonzero(mask.off_peak)
    fill = mean_spectrum[outside].astype(np.float32)

    def wiped(block: Block, _: Rows) -> Block:
        block[:, outside] = fill
        return block

    if before is None:
        before = log_odds(estimator, x, classes, places=places)
    after = log_odds(estimator, x, classes, places=places, change=wiped)
    return MaskingDrop(*(balanced_accuracy(y, scores.argmax(axis=1)) for scores in (before, after)))


def balanced_accuracy(y: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """Mean over the classes of `y` of the share of their spots that are named right."""
    n_classes = int(max(y.max(), predicted.max())) + 1
    confusion = confusion_matrix(y, predicted, n_classes)
    present = confusion.sum(axis=1) > 0
    if np.all(present):
        return float(rates(confusion)["balanced_accuracy"])
    return float(np.mean(np.diagonal(confusion)[present] / confusion.sum(axis=1)[present]))
