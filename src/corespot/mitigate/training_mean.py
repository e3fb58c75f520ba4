"""What ways know of the training spectra: mean, spread and bins of peaks, without any label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.mass_rule import MeanPeaks, find_mean_peaks, non_peptide_bins
from corespot.audit.shares.peak_mask import PeakMask, peak_mask
from corespot.axis import MzAxis
from corespot.errors import ModelError
from corespot.explain.sensitivity import bin_sd

FloatArray = npt.NDArray[np.float64]
Spectra = npt.NDArray[np.floating]

#: Values held in float64 at a time (32 MiB).
BLOCK_VALUES = 4_194_304


@dataclass(frozen=True, eq=False)
class TrainingMean:
    """Mean spectrum of a training part and the peaks in it.

    Parameters
    ----------
    axis : MzAxis
        The m/z axis.
    mean, sd : ndarray of float64, shape (n_bins,)
        Mean and standard deviation over the training spectra.
    mask : PeakMask
        Bins of peaks.
    peaks : MeanPeaks
        The single peaks.
    """

    axis: MzAxis
    mean: FloatArray
    sd: FloatArray
    mask: PeakMask
    peaks: MeanPeaks

    @classmethod
    def of(cls, x: Spectra, axis: MzAxis) -> TrainingMean:
        """Read it off training spectra, shape (n, n_bins)."""
        mean = mean_of(x)
        mask = peak_mask(mean, axis)
        return cls(axis, mean, bin_sd(x), mask, find_mean_peaks(mean, axis, mask))

    def masked_bins(self, *, non_peptide: bool) -> npt.NDArray[np.bool_]:
        """Bins outside peaks and, if asked, of peaks that lie where no peptide can.

        Raises
        ------
        ModelError
            If nothing lies outside peaks.
        """
        reason = self.mask.no_off_peak
        if reason is not None:
            raise ModelError(f"bins outside peaks cannot be masked: {reason.reason}")
        masked = self.mask.off_peak
        if non_peptide:
            forbidden = non_peptide_bins(self.peaks, self.axis)
            if not isinstance(forbidden, NotApplicable):
                masked = masked | forbidden
        return masked


def mean_of(x: Spectra) -> FloatArray:
    """Mean spectrum, summed in float64 block by block, shape (n_bins,)."""
    if x.ndim != 2 or len(x) == 0:
        raise ModelError(f"expected spectra of shape (n >= 1, n_bins), got {x.shape}")
    step = max(1, BLOCK_VALUES // max(x.shape[1], 1))
    total = np.zeros(x.shape[1])
    for start in range(0, len(x), step):
        total += np.sum(x[start : start + step], axis=0, dtype=np.float64)
    mean: FloatArray = total / len(x)
    return mean
