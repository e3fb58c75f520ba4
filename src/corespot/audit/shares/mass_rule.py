"""Peaks that lie where no peptide can: their centroids against the peptide mass rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.peak_mask import PeakMask, is_list, on_axis
from corespot.axis import MzAxis
from corespot.preprocess.align_peptides import CLUSTER_DA
from corespot.units import PROTON_DA

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Distance from the rule, in its units, beyond which a peak is no peptide's.
FORBIDDEN_FROM = 0.3
#: m/z above which peptides themselves spread that far, so that the rule says nothing.
RULE_ENDS_MZ = 3500.0
#: Bins wider than this do not resolve the distance.
_WIDEST_DA = 0.6


@dataclass(frozen=True, eq=False)
class MeanPeaks:
    """Peaks of a mean spectrum, by increasing m/z.

    Parameters
    ----------
    start, stop : ndarray of int64, shape (n_peaks,)
        First bin and one after the last bin of each.
    centroid : ndarray of float64, shape (n_peaks,)
        Mean m/z of each, weighted by its intensity above the baseline.
    """

    start: IntArray
    stop: IntArray
    centroid: FloatArray

    def __len__(self) -> int:
        return len(self.centroid)


def mass_rule_distance(mz: npt.ArrayLike) -> FloatArray:
    """Distance of m/z from the peptide mass rule, 0 (on it) to ½ (between two clusters).

    With φ = (m/z − 1.00728)/1.000495, the distance of φ from the nearest whole number.

    References
    ----------
    Wolski et al., BMC Bioinformatics 6:285, 2005 (doi:10.1186/1471-2105-6-285): peptide masses
    cluster at multiples of 1.000495 Da.
    """
    phase = (np.asarray(mz, dtype=np.float64) - PROTON_DA) / CLUSTER_DA
    return np.asarray(np.abs(phase - np.rint(phase)), dtype=np.float64)


def find_mean_peaks(mean_spectrum: npt.ArrayLike, axis: MzAxis, mask: PeakMask) -> MeanPeaks:
    """Cut the bins of peaks into single peaks, at the valleys between them.

    Parameters
    ----------
    mean_spectrum : array_like, shape (n_bins,)
        Mean over the training spectra.
    axis : MzAxis
        Their m/z axis.
    mask : PeakMask
        Bins of peaks; on a list of peaks every bin is a peak by itself.

    Raises
    ------
    ModelError
        If the mean spectrum does not lie on the axis or is not finite.

    Notes
    -----
    A valley is a bin lower than its left and no higher than its right neighbour; it belongs to
    the peak on its right. Of a plateau the last bin counts.
    """
    mean = on_axis(mean_spectrum, axis, "mean spectrum")
    n = axis.n_bins
    if mask.no_profile is not None:
        bins = np.arange(n, dtype=np.int64)
        return MeanPeaks(bins, bins + 1, axis.mz.copy())
    on_peak = mask.is_peak
    begins = on_peak.copy()
    begins[1:] &= ~on_peak[:-1]
    rises = np.diff(mean) > 0
    falls_before = _last_step_fell(mean)
    valley = np.zeros(n, dtype=bool)
    valley[1:-1] = falls_before[:-1] & rises[1:]
    start = np.flatnonzero(begins | (valley & on_peak))
    ends = on_peak.copy()
    ends[:-1] &= ~on_peak[1:]
    stop = np.sort(np.concatenate([np.flatnonzero(ends) + 1, start[~begins[start]]]))
    if start.size == 0:
        return MeanPeaks(start, stop, np.zeros(0))
    above = np.maximum(mean - mask.baseline, 0.0)
    # A bin of nothing but baseline still lies somewhere.
    above[on_peak] += 1e-12 * max(float(above.max()), 1e-300)
    above[~on_peak] = 0.0
    total = np.add.reduceat(above, start)
    centroid = np.add.reduceat(above * axis.mz, start) / total
    return MeanPeaks(start.astype(np.int64), stop.astype(np.int64), centroid)


def non_peptide_bins(peaks: MeanPeaks, axis: MzAxis) -> npt.NDArray[np.bool_] | NotApplicable:
    """Bins of peaks whose centroid lies more than .3 off the peptide mass rule.

    Parameters
    ----------
    peaks : MeanPeaks
        Of the mean spectrum.
    axis : MzAxis
        Its m/z axis.

    Returns
    -------
    ndarray of bool, shape (n_bins,), or NotApplicable
        Not applicable where bins are too wide to tell, or no peak lies below m/z 3500.

    Notes
    -----
    The masses of peptides spread about the rule, the more the heavier they are, and isotope peaks
    leave it by .0019 each. Of random chains of amino acids at natural frequencies, 0.1 % lie more
    than .3 off at m/z 2300, 1 % at 3200, 2 % at 3500 and 6 % at 4400; no peak above m/z 3500 is
    called non-peptide. Centroids are used because the flanks of a broad peptide peak reach
    between the clusters: judged bin by bin, they would be called non-peptide.
    """
    width = float(np.median(np.diff(axis.mz))) if axis.n_bins > 1 else np.inf
    if not is_list(axis) and width > _WIDEST_DA:
        return NotApplicable(
            f"bins of {width:.2g} Da do not show where between two peptide clusters a peak lies; "
            f"use bins of at most {_WIDEST_DA:g} Da"
        )
    judged = peaks.centroid <= RULE_ENDS_MZ
    if not np.any(judged):
        return NotApplicable(
            f"no peak lies below m/z {RULE_ENDS_MZ:g}, where the peptide mass rule tells matrix "
            "from peptides"
        )
    forbidden = judged & (mass_rule_distance(peaks.centroid) > FORBIDDEN_FROM)
    step = np.zeros(axis.n_bins + 1, dtype=np.int64)
    np.add.at(step, peaks.start[forbidden], 1)
    np.add.at(step, peaks.stop[forbidden], -1)
    return np.cumsum(step)[:-1] > 0


def _last_step_fell(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether the last change up to each step was a fall, shape (n_bins - 1,)."""
    step = np.sign(np.diff(values))
    at = np.where(step != 0, np.arange(step.size), 0)
    last = np.maximum.accumulate(at)
    return np.asarray(step[last] < 0)
