"""What a cohort's spectra look like, TMA by TMA; descriptive only, never fed back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.preprocess.step import DataKind

#: Peaks of the cohort's mean spectrum that the shift is measured on.
N_SHIFT_PEAKS = 50
#: Bins above half height from which a peak has a centre of its own.
_WELL_SAMPLED = 2
#: Largest shift looked for.
MAX_SHIFT_PPM = 500.0


@dataclass(frozen=True)
class QcTables:
    """Quality tables of a preprocessed cohort.

    Parameters
    ----------
    tmas : DataFrame
        One row a TMA: ``tma, n_spots, n_empty, tic_median, tic_q1, tic_q3, noise_median,
        zero_fraction, mass_shift_ppm, n_shift_peaks``. TIC and noise are those of the raw
        spectra, the zero fraction that of the preprocessed ones.
    spots : DataFrame
        One row a spot: ``row, tma, tic, noise, zero_fraction, empty``.
    mean_spectra : DataFrame
        One row a TMA and bin: ``tma, mz, raw_mean, preprocessed_mean``; the raw mean is moved to
        the store's axis.
    """

    tmas: pd.DataFrame
    spots: pd.DataFrame
    mean_spectra: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return {"tmas": self.tmas, "spots": self.spots, "mean_spectra": self.mean_spectra}


def summarise_tmas(
    spots: pd.DataFrame,
    raw_means: Mapping[str, npt.NDArray[np.float64]],
    means: Mapping[str, npt.NDArray[np.float64]],
    axis: MzAxis,
    kind: DataKind,
) -> QcTables:
    """Summarise spot figures and mean spectra to one row a TMA.

    Parameters
    ----------
    spots : DataFrame
        One row a spot: ``row, tma, tic, noise, zero_fraction, empty``.
    raw_means, means : mapping of TMA to ndarray of float64, shape (n_bins,)
        Mean raw and mean preprocessed spectrum.
    axis : MzAxis
        Axis of the means.
    kind : {"profile", "centroid"}
        What the raw spectra are: peak lists have no noise and no shift to measure.
    """
    names = sorted(raw_means)
    # Every TMA counts the same, so that the largest does not define what is normal.
    reference = np.mean([_unit(raw_means[name]) for name in names], axis=0)
    rows = []
    for name in names:
        part = spots[spots["tma"] == name]
        measured = part[~part["empty"]]
        q1, middle, q3 = (
            np.quantile(measured["tic"], [0.25, 0.5, 0.75]) if len(measured) else [np.nan] * 3
        )
        shift, n_peaks = (np.nan, 0)
        if kind == "profile":
            shift, n_peaks = mass_shift_ppm(raw_means[name], reference, axis)
        rows.append(
            {
                "tma": name,
                "n_spots": len(part),
                "n_empty": int(part["empty"].sum()),
                "tic_median": middle,
                "tic_q1": q1,
                "tic_q3": q3,
                "noise_median": float(measured["noise"].median())
                if kind == "profile" and len(measured)
                else np.nan,
                "zero_fraction": float(part["zero_fraction"].mean()),
                "mass_shift_ppm": shift,
                "n_shift_peaks": n_peaks,
            }
        )
    spectra = pd.concat(
        [
            pd.DataFrame(
                {
                    "tma": name,
                    "mz": axis.mz,
                    "raw_mean": raw_means[name],
                    "preprocessed_mean": means[name],
                }
            )
            for name in names
        ],
        ignore_index=True,
    )
    return QcTables(pd.DataFrame(rows), spots, spectra)


def mass_shift_ppm(
    spectrum: npt.NDArray[np.float64], reference: npt.NDArray[np.float64], axis: MzAxis
) -> tuple[float, int]:
    """Median offset of a mean spectrum's peaks from the reference's, in ppm.

    The peaks are the reference's highest local maxima that stand out of their neighbourhood. Each
    is looked for within 500 ppm (or two bins). Well-sampled peaks are compared by the centres of
    their upper halves. A peak of one or two bins has no such centre: its highest bin stays the
    same under small shifts, and a least-squares fit of level, height and slope of the reference's
    peak sees them.

    Returns
    -------
    shift : float
        Positive where the spectrum's peaks lie higher; NaN with fewer than three peaks.
    n_peaks : int
        Peaks compared.
    """
    from scipy.interpolate import CubicSpline

    slope = CubicSpline(axis.mz, reference).derivative()
    offsets = []
    for top in _clear_peaks(reference):
        mz = float(axis.mz[top])
        reach = max(2, int(mz * MAX_SHIFT_PPM * 1e-6 / axis.width_da(mz)))
        low, high = top - reach, top + reach + 1
        if low < 1 or high > axis.n_bins - 1:
            continue
        there = low + int(np.argmax(spectrum[low:high]))
        if not low < there < high - 1:
            continue
        here, weight = _upper_half(spectrum, there, reach)
        at_reference, reference_weight = _upper_half(reference, top, reach)
        if min(weight.size, reference_weight.size) >= _WELL_SAMPLED:
            offset = float(
                np.average(axis.mz[here], weights=weight)
                - np.average(axis.mz[at_reference], weights=reference_weight)
            )
        else:
            window = slice(low, high)
            x = axis.mz[window]
            shape = np.stack([reference[window], -slope(x), np.ones(x.size)], axis=1)
            height, drift, _ = np.linalg.lstsq(shape, spectrum[window], rcond=None)[0]
            if height <= 0:
                continue
            offset = float(drift / height)
        offsets.append(offset / mz * 1e6)
    if len(offsets) < 3:
        return float("nan"), len(offsets)
    return float(np.median(offsets)), len(offsets)


def _clear_peaks(reference: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    inner = reference[1:-1]
    tops = np.flatnonzero((inner > reference[:-2]) & (inner >= reference[2:])) + 1
    if tops.size == 0:
        return tops
    steps = np.abs(np.diff(reference))
    around = np.array(
        [reference[top] - reference[max(top - 10, 0) : top + 11].min() for top in tops]
    )
    clear = around > 5 * np.median(steps)
    order = np.argsort(around[clear])[::-1][:N_SHIFT_PEAKS]
    chosen: npt.NDArray[np.int64] = tops[clear][order]
    return chosen


def _upper_half(
    spectrum: npt.NDArray[np.float64], top: int, reach: int
) -> tuple[slice, npt.NDArray[np.float64]]:
    """Bins around `top` above half height, at most `reach` away, and how far they rise above."""
    low, high = max(top - reach, 0), min(top + reach + 1, len(spectrum))
    half = (spectrum[top] + spectrum[low:high].min()) / 2
    first = last = top
    while first > low and spectrum[first - 1] > half:
        first -= 1
    while last < high - 1 and spectrum[last + 1] > half:
        last += 1
    bins = slice(first, last + 1)
    return bins, spectrum[bins] - half


def _unit(mean: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    total = mean.sum()
    return mean / total if total > 0 else mean
