"""A peak list in place of a profile, laid out on the same axis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.mass_rule import non_peptide_bins
from corespot.axis import MzAxis
from corespot.mitigate.training_mean import TrainingMean
from corespot.mitigate.way import FloatArray, Spectra, Way, register_way
from corespot.settings import Settings


class PeakListSettings(Settings):
    """Parameters of the peak list.

    Parameters
    ----------
    non_peptide : bool
        Whether peaks that lie where no peptide can are left out.
    """

    non_peptide: bool = Field(
        False, description="leave out peaks more than .3 off the peptide mass rule"
    )


@dataclass(frozen=True, eq=False)
class PeakAreas:
    """Each peak holds its area only, spread over its bins in a fixed shape; all else is zero.

    Parameters
    ----------
    start, stop : ndarray of int64, shape (n_peaks,)
        First bin and one after the last bin of each peak.
    shape : ndarray of float64, shape (n_bins,)
        Share of a peak's area in each of its bins, summing to one over each peak; zero outside.
    """

    start: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]
    shape: FloatArray

    def transform(self, x: Spectra) -> Spectra:
        """Peak areas in the shape of the training mean, (n, n_bins)."""
        bins, peak = self._bins
        changed = np.zeros_like(x)
        changed[:, bins] = self._areas(x)[:, peak] * self.shape[bins]
        return changed

    def pull_back(self, slopes: FloatArray) -> FloatArray:
        """Every bin of a peak adds alike to its area, and so has the same slope."""
        bins, peak = self._bins
        pulled = np.zeros_like(slopes)
        pulled[:, bins] = self._areas(slopes * self.shape)[:, peak]
        return pulled

    def _areas(self, x: Spectra) -> FloatArray:
        """Sum over each peak's bins, (n, n_peaks)."""
        bins, peak = self._bins
        first = np.flatnonzero(np.diff(peak, prepend=-1))
        return np.asarray(np.add.reduceat(x[:, bins], first, axis=1, dtype=np.float64))

    @cached_property
    def _bins(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Bins of all peaks, in order, and the number of the peak that each is of."""
        width = self.stop - self.start
        peak = np.repeat(np.arange(len(width)), width)
        return self.start[peak] + np.arange(len(peak)) - (np.cumsum(width) - width)[peak], peak


@register_way(
    "peak_list",
    PeakListSettings,
    sentence="each peak of the training mean spectrum is replaced by its area, all else is zero",
)
class PeakList(Way):
    """Areas of the training mean's peaks, so that shapes, widths and small shifts are not seen.

    Notes
    -----
    The area of a peak is spread over its bins as the training mean is, so that the m/z axis and
    every model of it stay as they are. Peaks of nothing but zeros share their area out evenly.
    """

    def change(self, x: Spectra, axis: MzAxis) -> PeakAreas:
        """Find the peaks on the training spectra."""
        known = TrainingMean.of(x, axis)
        known.masked_bins(non_peptide=False)  # refuses spectra without bins outside peaks
        keep = np.ones(len(known.peaks), dtype=bool)
        if self.settings.non_peptide:
            forbidden = non_peptide_bins(known.peaks, axis)
            if not isinstance(forbidden, NotApplicable):
                keep = ~forbidden[known.peaks.start]
        start, stop = known.peaks.start[keep], known.peaks.stop[keep]
        shape = np.zeros(axis.n_bins)
        for first, after in zip(start, stop, strict=True):
            part = np.maximum(known.mean[first:after], 0.0)
            total = part.sum()
            shape[first:after] = part / total if total > 0 else 1.0 / (after - first)
        return PeakAreas(start, stop, shape)
