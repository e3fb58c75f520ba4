"""Ranked m/z windows: the peaks of a sensitivity profile, one entry an isotope pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.explain.isotopes import isotope_neighbours
from corespot.explain.markers import Marker, match_markers, parse_markers
from corespot.explain.profile import FloatArray, Quantity, SensitivityProfile

#: Resolving power m/Δm (full width at half maximum) of a linear-era MALDI-TOF imaging run.
DEFAULT_RESOLUTION = 4500.0

WINDOW_COLUMNS = [
    *("rank", "mz", "low", "high", "sign", "height", "area", "fold_sd", "shape"),
    *("isotopes", "n_isotopes", "marker", "marker_offset_da", "class"),
]

#: Distance, in peak widths, within which lobes belong to one peak, and its limit in Da: less
#: than an isotope spacing. The lobes of a shifted peak lie 0.85 widths apart.
_SAME_PEAK_WIDTHS, _SAME_PEAK_LIMIT_DA = 1.3, 0.6
#: An opposite lobe on one side counts as bipolar from this fraction of the larger one.
_BIPOLAR_FROM = 0.4


@dataclass(frozen=True)
class _Candidates:
    """Local extrema of a smoothed profile, by increasing m/z."""

    index: npt.NDArray[np.intp]
    mz: FloatArray
    height: FloatArray
    width: FloatArray
    continuous: bool


def is_continuous(axis: MzAxis) -> bool:
    """Whether the bins sample a profile, rather than being a list of picked peaks.

    The spacing of a profile axis changes smoothly; that of a peak list jumps.
    """
    if axis.kind != "listed":
        return True
    if axis.n_bins < 4:
        return False
    jumps = np.abs(np.diff(np.log(np.diff(axis.mz)))) > 0.2
    return float(np.mean(jumps)) < 0.1


def peak_width_da(axis: MzAxis, resolution: float = DEFAULT_RESOLUTION) -> FloatArray:
    """Expected full width at half maximum in Da at every bin, shape (n_bins,).

    m/z divided by the resolving power; on a profile axis at least one bin.
    """
    width: FloatArray = axis.mz / resolution
    return np.maximum(width, np.diff(axis.edges)) if is_continuous(axis) else width


def smooth_at_peak_scale(values: FloatArray, axis: MzAxis, width_da: FloatArray) -> FloatArray:
    """Smooth with a triangle half as wide as a peak, narrower than the lobes of a shifted one.

    Two passes of a running mean over half a peak width, whose extent follows the m/z axis.
    Leaves axes with coarse bins as they are.

    Parameters
    ----------
    values : ndarray of float64, shape (n_bins,)
    axis : MzAxis
    width_da : ndarray of float64, shape (n_bins,)
        Peak width at each bin; see `peak_width_da`.
    """
    reach = width_da / 4
    start = np.searchsorted(axis.mz, axis.mz - reach, side="left")
    stop = np.searchsorted(axis.mz, axis.mz + reach, side="right")
    # A window as long to the left as to the right, or peaks would move.
    half = np.minimum(np.arange(axis.n_bins) - start, stop - 1 - np.arange(axis.n_bins))
    start, stop = np.arange(axis.n_bins) - half, np.arange(axis.n_bins) + half + 1
    smooth = values
    for _ in range(2):
        total = np.concatenate([[0.0], np.cumsum(smooth)])
        smooth = (total[stop] - total[start]) / (stop - start)
    return smooth


def rank_windows(
    profile: SensitivityProfile,
    class_index: int,
    *,
    n: int = 20,
    markers: Sequence[Marker] | pd.DataFrame | None = None,
    of: Quantity = "probability",
    resolution: float = DEFAULT_RESOLUTION,
) -> pd.DataFrame:
    """Rank the m/z windows a class is most sensitive to, isotope patterns counted once.

    The profile is smoothed below peak scale; its local extrema, of both signs, are taken by
    falling height. Lobes nearer than a peak is wide are joined to the higher one, and peaks that
    continue its isotope pattern, of either sign, become its neighbours. On a list of picked
    peaks every bin is a candidate as it stands.

    Parameters
    ----------
    profile : SensitivityProfile
        Of one fold or averaged.
    class_index : int
        The class, as a position in ``profile.classes``.
    n : int
        Most windows returned.
    markers : sequence of Marker or marker table, optional
        Named where they match; see `match_markers`.
    of : {"probability", "logit"}
        What the sensitivity is of.
    resolution : float
        Resolving power m/Δm the peak width is taken from; at least one bin on a profile axis.

    Returns
    -------
    DataFrame
        One row a window: ``rank`` from 1; ``mz`` of the highest bin; ``low``, ``high`` of the
        window; ``sign`` +1 or −1; signed smoothed ``height``; ``area``, the sum of the
        unsmoothed sensitivity over the window's bins; ``fold_sd``, the spread over folds at
        `mz`; ``shape``, ``peak`` or ``bipolar`` (a second lobe of opposite sign on one side, as
        a calibration shift leaves); ``isotopes`` as text (``"+1: 0.0021; +2: 0.0009"``) and
        ``n_isotopes``; ``marker`` and ``marker_offset_da`` of the closest match; ``class``.

    Raises
    ------
    ValueError
        If the class or `n` is out of range, or the resolution is not positive.
    ParamsError
        If the marker table is faulty.
    """
    if not 0 <= class_index < len(profile.classes):
        raise ValueError(f"class {class_index} of {len(profile.classes)} does not exist")
    if n < 1 or not np.isfinite(resolution) or resolution <= 0:
        raise ValueError(f"expected n >= 1 and a resolution > 0, got {n} and {resolution}")
    known = parse_markers(markers) if isinstance(markers, pd.DataFrame) else tuple(markers or ())
    values = profile.of(of)[class_index]
    spread = profile.spread_of(of)
    fold_sd = np.full(values.size, np.nan) if spread is None else spread[class_index]
    candidates = _find_candidates(values, profile.axis, resolution)
    free = np.ones(candidates.index.size, dtype=bool)
    rows: list[dict[str, object]] = []
    for seed in np.argsort(-np.abs(candidates.height), kind="stable"):
        if len(rows) == n:
            break
        if not free[seed]:
            continue
        row = _take_window(int(seed), candidates, free, values, profile.axis)
        row["rank"] = len(rows) + 1
        row["fold_sd"] = float(fold_sd[candidates.index[seed]])
        row["class"] = profile.classes[class_index]
        matches = match_markers(float(candidates.mz[seed]), known)
        row["marker"] = "; ".join(str(match) for match in matches)
        row["marker_offset_da"] = matches[0].offset_da if matches else np.nan
        rows.append(row)
    return pd.DataFrame(rows, columns=WINDOW_COLUMNS)


def _find_candidates(values: FloatArray, axis: MzAxis, resolution: float) -> _Candidates:
    from scipy.signal import find_peaks

    width = peak_width_da(axis, resolution)
    continuous = is_continuous(axis)
    smooth = smooth_at_peak_scale(values, axis, width) if continuous else values
    if continuous:
        padded = np.concatenate([[0.0], smooth, [0.0]])
        up, _ = find_peaks(np.maximum(padded, 0.0))
        down, _ = find_peaks(np.maximum(-padded, 0.0))
        index = np.sort(np.concatenate([up, down]) - 1)
    else:
        index = np.flatnonzero(smooth)
    return _Candidates(index, axis.mz[index], smooth[index], width[index], continuous)


def _take_window(
    seed: int, found: _Candidates, free: npt.NDArray[np.bool_], values: FloatArray, axis: MzAxis
) -> dict[str, object]:
    """Describe the window round a seed; mark it, its lobes and its isotopes as used."""
    width = float(found.width[seed])
    bin_da = axis.width_da(float(found.mz[seed])) if found.continuous else 0.0
    radius = max(min(_SAME_PEAK_WIDTHS * width, _SAME_PEAK_LIMIT_DA), 1.01 * bin_da)
    if not found.continuous:
        radius = 0.0
    tolerance_da = min(max(0.4 * width, 0.05) + 0.5 * bin_da, 0.45)
    lobes = _claim_lobes(seed, found, free, radius)
    neighbours = isotope_neighbours(seed, found.mz, found.height, free, tolerance_da=tolerance_da)
    for neighbour in neighbours:
        _claim_lobes(neighbour.index, found, free, radius)
    mz, height = float(found.mz[seed]), float(found.height[seed])
    opposite = [
        max((abs(found.height[at]) for at in lobes if side(found.mz[at], mz)), default=0.0)
        for side in (np.less, np.greater)
    ]
    # Lobes on both sides alike are the ringing of a peak, not a shift of it.
    bipolar = max(opposite) >= _BIPOLAR_FROM * abs(height) and min(opposite) < 0.5 * max(opposite)
    low, high = mz - width / 2, mz + width / 2
    if bipolar:
        other = max(lobes, key=lambda at: abs(float(found.height[at])))
        low = min(low, float(found.mz[other]) - width / 2)
        high = max(high, float(found.mz[other]) + width / 2)
    inside = slice(*np.searchsorted(axis.mz, [low, high]))
    return {
        "mz": mz,
        "low": low,
        "high": high,
        "sign": 1 if height > 0 else -1,
        "height": height,
        "area": float(values[inside].sum()),
        "shape": "bipolar" if bipolar else "peak",
        "isotopes": "; ".join(
            f"{neighbour.step:+d}: {found.height[neighbour.index]:.3g}" for neighbour in neighbours
        ),
        "n_isotopes": len(neighbours),
    }


def _claim_lobes(
    at: int, found: _Candidates, free: npt.NDArray[np.bool_], radius_da: float
) -> list[int]:
    """Mark a candidate and those within its peak as used; return the lobes of opposite sign."""
    mz = float(found.mz[at])
    start, stop = np.searchsorted(found.mz, [mz - radius_da, mz + radius_da + 1e-9])
    inside = [int(near) for near in range(start, stop) if free[near]]
    free[start:stop] = False
    free[at] = False
    return [near for near in inside if found.height[near] * found.height[at] < 0]
