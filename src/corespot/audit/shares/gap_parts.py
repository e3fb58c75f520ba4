"""What the difference of two classes is made of: off-peak, gain, calibration, resolution, peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.peak_mask import PeakMask, on_axis
from corespot.axis import MzAxis

FloatArray = npt.NDArray[np.float64]

#: Parts that a measurement can cause without any difference of the tissue.
ARTIFACT_PARTS = ("off_peak", "gain", "calibration", "resolution")
PARTS = (*ARTIFACT_PARTS, "peak")

#: m/z at which a relative change of m/z or of the peak width counts as it is, in Da.
_REFERENCE_MZ = 1500.0
#: Resolving power m/Δm (full width at half maximum) of a linear-era MALDI-TOF imaging run.
DEFAULT_RESOLUTION = 4500.0
#: Smoothing of the mean spectrum before it is differentiated, in peak widths.
_SMOOTHING_WIDTHS = 0.2
#: Fewest bins on a peak's width at half maximum from which derivatives are taken.
_FEWEST_BINS = 0.8
#: Huber's constant: 95 % efficiency at the normal distribution.
_HUBER = 1.345
#: Peaks of a list that are needed for each shape that is fitted to them.
_FEWEST_BINS_A_SHAPE = 10
_MOST_ROUNDS, _SETTLED = 100, 1e-6
#: A bin whose spread is below this fraction of the median one is weighted as if it had that.
_LEAST_SPREAD = 1e-2


@dataclass(frozen=True, eq=False)
class GapParts:
    """A difference of class means, split; the parts sum to the whole.

    Parameters
    ----------
    parts : mapping of str to ndarray of float64, shape (n_bins,)
        Names of `PARTS` that the spectra support.
    missing : mapping of str to NotApplicable
        The other ones, each with the reason.
    off_peak : ndarray of bool, shape (n_bins,)
        Bins outside peaks.
    columns : mapping of str to ndarray of float64, shape (n_columns, n_bins)
        Shapes that were fitted for each part, zero outside peaks.
    pulls : mapping of str to ndarray of float64, shape (n_columns, n_bins)
        How each bin of a difference pulls at the coefficient of each shape, the robust weights
        being what they are.
    """

    parts: Mapping[str, FloatArray]
    missing: Mapping[str, NotApplicable]
    off_peak: npt.NDArray[np.bool_]
    columns: Mapping[str, FloatArray]
    pulls: Mapping[str, FloatArray]

    @property
    def whole(self) -> FloatArray:
        """The difference that was split, shape (n_bins,)."""
        return np.asarray(np.sum(list(self.parts.values()), axis=0), dtype=np.float64)

    def carried(self, slope: FloatArray) -> dict[str, FloatArray]:
        """What `slope` · part is as a function of the difference that is split.

        Parameters
        ----------
        slope : ndarray of float64, shape (n_bins,)
            A linear reading of spectra, such as a model's gradient.

        Returns
        -------
        dict of str to ndarray, shape (n_bins,)
            Vectors h with h · Δ = slope · part(Δ), for this difference and, with the robust
            weights as they are, for any other. Over the parts they sum to the slope.
        """
        found = {part: (shapes @ slope) @ self.pulls[part] for part, shapes in self.columns.items()}
        if "off_peak" in self.parts:
            found["off_peak"] = np.where(self.off_peak, slope, 0.0)
        found["peak"] = slope - np.sum(list(found.values()), axis=0)
        return found


def gap_parts(
    delta: npt.ArrayLike,
    *,
    mean_spectrum: npt.ArrayLike,
    sigma: npt.ArrayLike,
    axis: MzAxis,
    mask: PeakMask,
    resolution: float = DEFAULT_RESOLUTION,
) -> GapParts:
    """Split a difference of class means into what a measurement and what tissue can cause.

    Off-peak is the difference outside peaks. On peaks, a robust least-squares fit (Huber,
    weights 1/σ²) explains it by the mean spectrum x̄ and its derivatives: x̄·{1, z, z²} is gain,
    (m/1500)·x̄′·{1, z, z²} a shift of the calibration, (m/1500)²·x̄″·{1, z} a change of the peak
    widths; z is m/z centred and scaled to −1 … 1. What remains is the peak part.

    Parameters
    ----------
    delta : array_like, shape (n_bins,)
        Difference of two class means; see `corespot.audit.shares.class_gap`.
    mean_spectrum : array_like, shape (n_bins,)
        Mean over the training spectra.
    sigma : array_like, shape (n_bins,)
        Standard deviation of each bin within the classes.
    axis : MzAxis
        The m/z axis.
    mask : PeakMask
        Bins of peaks; see `peak_mask`.
    resolution : float
        Resolving power m/Δm of the instrument.

    Returns
    -------
    GapParts
        On a list of peaks only gain and peak, on bins wider than a peak also off-peak; the other
        parts are missing. Gain is fitted to a list of thirty peaks or more.

    Raises
    ------
    ModelError
        If an array does not lie on the axis or is not finite.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Ann. Math. Stat. 35(1), 1964,
    doi:10.1214/aoms/1177703732.

    Notes
    -----
    Derivatives are those of a cubic spline through the mean spectrum, smoothed by a fifth of a
    peak's width: on bins nearly as wide as a peak, differences of neighbours would be too flat.
    Even so they follow only part of a shift where a peak is hardly two bins wide (about half of
    it at one bin a width): the rest stays in the peak part and understates the artifact.
    """
    gap = on_axis(delta, axis, "difference of class means")
    mean = on_axis(mean_spectrum, axis, "mean spectrum")
    spread = on_axis(sigma, axis, "standard deviation")
    missing: dict[str, NotApplicable] = {}
    if mask.no_off_peak is not None:
        missing["off_peak"] = mask.no_off_peak
    no_derivative = mask.no_profile or why_no_derivative(axis, resolution)
    if no_derivative is not None:
        missing |= dict.fromkeys(("calibration", "resolution"), no_derivative)
    on_peak = mask.is_peak
    columns = {
        part: np.where(on_peak, shapes, 0.0)
        for part, shapes in _columns(
            mean, axis, None if no_derivative is not None else resolution
        ).items()
    }
    too_few = None
    if mask.no_profile is not None:
        too_few = _why_too_few(axis.n_bins, sum(map(len, columns.values())))
    if too_few is not None:
        missing |= dict.fromkeys(columns, too_few)
        columns = {}
    # Spectra that do not vary at all give every bin the same weight.
    least = _LEAST_SPREAD * float(np.median(spread)) or 1.0
    weight = 1.0 / np.maximum(spread, least)
    shapes_on_peak = np.concatenate([np.zeros((0, axis.n_bins)), *columns.values()])[:, on_peak]
    pull = _huber_fit(shapes_on_peak.T, gap[on_peak], weight[on_peak])
    parts, pulls, used = {}, {}, 0
    if "off_peak" not in missing:
        parts["off_peak"] = np.where(on_peak, 0.0, gap)
    for part, shapes in columns.items():
        pulls[part] = np.zeros_like(shapes)
        pulls[part][:, on_peak] = pull[used : used + len(shapes)]
        parts[part] = (pulls[part] @ gap) @ shapes
        used += len(shapes)
    fitted = np.sum([np.zeros(axis.n_bins), *(parts[part] for part in columns)], axis=0)
    parts["peak"] = np.where(on_peak, gap - fitted, 0.0)
    return GapParts(parts, missing, ~on_peak, columns, pulls)


def _why_too_few(n_bins: int, n_shapes: int) -> NotApplicable | None:
    """Say why shapes would explain any difference; ``None`` if they would not."""
    if n_bins >= _FEWEST_BINS_A_SHAPE * n_shapes:
        return None
    return NotApplicable(
        f"{n_bins} peaks are too few to tell a smooth gain from a difference of the tissue: at "
        f"least {_FEWEST_BINS_A_SHAPE * n_shapes} are needed"
    )


def why_no_derivative(axis: MzAxis, resolution: float) -> NotApplicable | None:
    """Say why the bins are too wide to see the slope of a peak; ``None`` if they are not."""
    bins = _bins_per_peak(axis, resolution)
    if bins >= _FEWEST_BINS:
        return None
    return NotApplicable(
        f"a peak of resolving power {resolution:g} is {bins:.2g} bins wide at half maximum: its "
        "slope, and so a shift of the calibration or a change of the width, cannot be seen; use "
        "an m/z axis with two or more bins a peak"
    )


def mean_derivatives(
    mean_spectrum: FloatArray, axis: MzAxis, resolution: float = DEFAULT_RESOLUTION
) -> tuple[FloatArray, FloatArray]:
    """First and second derivative of a lightly smoothed spectrum along m/z, each (n_bins,)."""
    from scipy.interpolate import CubicSpline
    from scipy.ndimage import gaussian_filter1d

    reach = _SMOOTHING_WIDTHS * _bins_per_peak(axis, resolution)
    spline = CubicSpline(axis.mz, gaussian_filter1d(mean_spectrum, reach, mode="nearest"))
    return np.asarray(spline(axis.mz, 1)), np.asarray(spline(axis.mz, 2))


def _bins_per_peak(axis: MzAxis, resolution: float) -> float:
    """Median number of bins on the full width of a peak at half maximum."""
    return float(np.median(axis.mz[1:] / resolution / np.diff(axis.mz)))


def _columns(mean: FloatArray, axis: MzAxis, resolution: float | None) -> dict[str, FloatArray]:
    """What each part can look like, (n_columns, n_bins) each; no derivatives without resolution."""
    z = scaled_mz(axis)
    columns = {"gain": np.stack([mean, mean * z, mean * z**2])}
    if resolution is not None:
        relative = axis.mz / _REFERENCE_MZ
        first, second = mean_derivatives(mean, axis, resolution)
        shift, width = relative * first, relative**2 * second
        columns["calibration"] = np.stack([shift, shift * z, shift * z**2])
        columns["resolution"] = np.stack([width, width * z])
    return columns


def scaled_mz(axis: MzAxis) -> FloatArray:
    """m/z centred and scaled so that the axis runs from −1 to 1, shape (n_bins,)."""
    low, high = float(axis.mz[0]), float(axis.mz[-1])
    return np.asarray((2 * axis.mz - low - high) / max(high - low, 1e-300), dtype=np.float64)


def _huber_fit(design: FloatArray, target: FloatArray, weight: FloatArray) -> FloatArray:
    """Least-squares fit that outliers pull no harder than near misses, (n_columns, n_bins).

    Iteratively reweighted; residuals are counted in units of weight⁻¹ and scaled by their median
    absolute deviation. Returned is the matrix that gives the coefficients from the target.
    """
    if 0 in design.shape:
        return np.zeros((design.shape[1], len(target)))
    scale = np.sqrt(np.mean(np.square(design * weight[:, None]), axis=0))
    scale[~(scale > 0)] = 1.0
    lines, aim = design * (weight[:, None] / scale), target * weight
    down = np.ones(len(aim))
    found = np.zeros(design.shape[1])
    for _ in range(_MOST_ROUNDS):
        before = found
        found = np.linalg.lstsq(lines * down[:, None], aim * down, rcond=None)[0]
        miss = np.abs(aim - lines @ found)
        limit = _HUBER * float(np.median(miss)) / 0.6745
        settled = np.max(np.abs(found - before)) <= _SETTLED * np.max(np.abs(found))
        if limit <= 0 or settled:
            break
        down = np.sqrt(limit / np.maximum(miss, limit))
    pull = np.linalg.pinv(lines * down[:, None]) * (down * weight)
    return np.asarray(pull / scale[:, None], dtype=np.float64)
