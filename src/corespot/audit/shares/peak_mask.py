"""Which bins of a mean spectrum belong to peaks, and where a baseline can be told from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.axis import MzAxis
from corespot.errors import ModelError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: Width of the window whose lower part is taken for baseline, in Da.
WINDOW_DA = 10.0
#: The percentile of that window.
BASELINE_PERCENTILE = 30.0
#: A bin is of a peak where the mean spectrum exceeds this many baselines.
PEAK_FACTOR = 2.0
#: Share of jumps between neighbouring spacings from which an axis is a list of peaks.
_JUMP, _MOST_JUMPS = 0.2, 0.1
#: Bins coarser than this hold a whole peptide cluster each: nothing lies between two of them.
_COARSEST_DA = 1.0
#: Distance of the places where the percentile is taken, in Da; it varies over tens of Da.
_STEP_DA = 0.2
#: Values sorted at a time (16 MiB).
_BLOCK_VALUES = 2_097_152


@dataclass(frozen=True, eq=False)
class PeakMask:
    """Bins of peaks and the baseline under them.

    Parameters
    ----------
    is_peak : ndarray of bool, shape (n_bins,)
        Whether each bin belongs to a peak.
    baseline : ndarray of float64, shape (n_bins,)
        Baseline of the mean spectrum; zero where there is none to be seen.
    no_profile : NotApplicable or None
        Why there is nothing between the peaks, or between two bins, to speak of; all bins are of
        peaks then. ``None`` for profile spectra.
    """

    is_peak: BoolArray
    baseline: FloatArray
    no_profile: NotApplicable | None = None

    @property
    def off_peak(self) -> BoolArray:
        """Bins outside peaks, shape (n_bins,)."""
        return ~self.is_peak

    @property
    def no_off_peak(self) -> NotApplicable | None:
        """Why nothing can be said of bins outside peaks; ``None`` where there are such bins."""
        if self.no_profile is not None:
            return self.no_profile
        if np.all(self.is_peak):
            return NotApplicable(
                f"every one of the {self.is_peak.size} bins exceeds {PEAK_FACTOR:g} times the "
                "baseline: no bin lies outside peaks; spectra on a finer or longer m/z axis have "
                "such bins"
            )
        return None

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        reason = self.no_off_peak
        return {
            "n_bins": int(self.is_peak.size),
            "n_peak_bins": int(self.is_peak.sum()),
            "no_off_peak": None if reason is None else reason.as_dict(),
        }


def why_no_profile(axis: MzAxis) -> NotApplicable | None:
    """Say why an m/z axis does not sample peak shapes; ``None`` if it does.

    A profile axis follows a law of spacing or changes its spacing smoothly; that of a peak list
    jumps. Bins of 1 Da or more hold whole peptide clusters.

    Parameters
    ----------
    axis : MzAxis
        Axis of the spectra; its kind decides, and, where that is "listed", its spacing.
    """
    if axis.n_bins < 4:
        return NotApplicable(f"{axis.n_bins} bins are no profile: there is nothing between them")
    if is_list(axis):
        return NotApplicable(
            f"the m/z axis is a list of {axis.n_bins} peaks without bins between them "
            f"({_jumps(axis):.0%} of its steps differ from the one before): baseline, peak shapes "
            "and their derivatives cannot be seen; audit profile spectra of the same cohort"
        )
    step = float(np.median(np.diff(axis.mz)))
    if step >= _COARSEST_DA:
        return NotApplicable(
            f"bins of {step:.2g} Da hold whole peptide clusters, which lie 1 Da apart: baseline "
            f"and peak shapes cannot be seen; use bins well below {_COARSEST_DA:g} Da"
        )
    return None


def is_list(axis: MzAxis) -> bool:
    """Whether an m/z axis lists peaks, each where it was found, rather than bins."""
    return axis.kind == "listed" and (axis.n_bins < 4 or _jumps(axis) >= _MOST_JUMPS)


def _jumps(axis: MzAxis) -> float:
    """Share of the steps of an axis that differ from the one before."""
    return float(np.mean(np.abs(np.diff(np.log(np.diff(axis.mz)))) > _JUMP))


def peak_mask(mean_spectrum: npt.ArrayLike, axis: MzAxis) -> PeakMask:
    """Tell the bins of peaks from those outside: more than twice the baseline, and one bin round.

    The baseline is the 30th percentile of the mean spectrum in a window of 10 Da, smoothed by a
    running mean as wide.

    Parameters
    ----------
    mean_spectrum : array_like, shape (n_bins,)
        Mean over the training spectra.
    axis : MzAxis
        Their m/z axis.

    Returns
    -------
    PeakMask
        On a list of picked peaks, or bins of 1 Da and more, all bins are of peaks and `no_profile`
        says why.

    Raises
    ------
    ModelError
        If the mean spectrum does not lie on the axis or is not finite.

    Notes
    -----
    A window holds the bins within 5 Da of its centre, however many these are on an axis that is
    not equidistant. Where the baseline is nothing (spectra with zeros between their peaks), every
    bin with any intensity is of a peak.
    """
    mean = on_axis(mean_spectrum, axis, "mean spectrum")
    reason = why_no_profile(axis)
    if reason is not None:
        return PeakMask(np.ones(axis.n_bins, dtype=bool), np.zeros(axis.n_bins), reason)
    baseline = _running_mean(_sliding_percentile(mean, axis), axis)
    above = mean > PEAK_FACTOR * np.maximum(baseline, 0.0)
    is_peak = above.copy()
    is_peak[1:] |= above[:-1]
    is_peak[:-1] |= above[1:]
    return PeakMask(is_peak, baseline)


def on_axis(values: npt.ArrayLike, axis: MzAxis, what: str) -> FloatArray:
    """One finite value a bin as float64.

    Raises
    ------
    ModelError
        If there is another number of values, or one is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (axis.n_bins,):
        raise ModelError(
            f"{what}: expected one value for each of {axis.n_bins} bins, got shape {array.shape}"
        )
    if not np.all(np.isfinite(array)):
        at = int(np.argmax(~np.isfinite(array)))
        raise ModelError(
            f"{what}: bin {at} holds {array[at]}; leave spectra that are not finite out"
        )
    return array


def _window(axis: MzAxis, centre: FloatArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """First bin and one after the last bin within half a window of each centre."""
    start = np.searchsorted(axis.mz, centre - WINDOW_DA / 2, side="left")
    stop = np.searchsorted(axis.mz, centre + WINDOW_DA / 2, side="right")
    return start, stop


def _sliding_percentile(values: FloatArray, axis: MzAxis) -> FloatArray:
    """Percentile of the window round each bin, taken every fifth of a dalton and interpolated."""
    stride = max(1, int(_STEP_DA / float(np.median(np.diff(axis.mz)))))
    at = np.unique(np.append(np.arange(0, axis.n_bins, stride), axis.n_bins - 1))
    start, stop = _window(axis, axis.mz[at])
    found = np.empty(at.size)
    rows = max(1, _BLOCK_VALUES // int(np.max(stop - start)))
    for first in range(0, at.size, rows):
        part = slice(first, first + rows)
        count = stop[part] - start[part]
        offset = np.arange(int(count.max()))
        index = np.minimum(start[part, None] + offset, values.size - 1)
        window = np.where(offset < count[:, None], values[index], np.inf)
        window.sort(axis=1)
        # The percentile between two values, as numpy interpolates it.
        rank = BASELINE_PERCENTILE / 100 * (count - 1)
        low = rank.astype(np.intp)
        line = np.arange(count.size)
        below, above = window[line, low], window[line, np.minimum(low + 1, count - 1)]
        found[part] = below + (rank - low) * (above - below)
    return np.asarray(np.interp(axis.mz, axis.mz[at], found), dtype=np.float64)


def _running_mean(values: FloatArray, axis: MzAxis) -> FloatArray:
    start, stop = _window(axis, axis.mz)
    total = np.concatenate([[0.0], np.cumsum(values)])
    smooth: FloatArray = (total[stop] - total[start]) / (stop - start)
    return smooth
