"""Twenty-four numbers about how a spectrum was measured rather than what was measured."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.mass_rule import FORBIDDEN_FROM, mass_rule_distance
from corespot.audit.shares.peak_mask import why_no_profile
from corespot.axis import MzAxis
from corespot.errors import ModelError
from corespot.preprocess.align_peptides import CLUSTER_DA
from corespot.threads import in_threads
from corespot.units import PROTON_DA

FloatArray = npt.NDArray[np.float64]

N_RANGES = 4
#: What is taken of every range.
KINDS = (
    "phase_cosine",
    "phase_sine",
    "phase_strength",
    "roughness",
    "forbidden_level",
    "low_percentile",
)
#: Percentile of the intensities of a window, and its width in Da.
_LOW_PERCENTILE, _WINDOW_DA = 10.0, 50.0
#: Bins of a range that windows are looked at, at most: percentiles need no more.
_MOST_PERCENTILE_BINS = 1024
#: Bins wider than this do not resolve the 1-Da pattern.
_WIDEST_DA = 0.5
#: Fewest bins of a range.
_FEWEST_BINS = 20
#: Values that a thread reads at a time (4 MiB).
_BLOCK_VALUES = 1_048_576


def nuisance_feature_names() -> tuple[str, ...]:
    """Names of the features, in the order of their columns."""
    return tuple(f"{kind}_{index + 1}" for index in range(N_RANGES) for kind in KINDS)


def nuisance_features(x: npt.NDArray[np.floating], axis: MzAxis) -> FloatArray | NotApplicable:
    """Features of every spectrum that know nothing of single peaks or of labels.

    In each of four equal ranges of m/z: cosine and sine of the phase of the 1-Da pattern,
    Z = Σ x exp(2πiφ) / Σ x with φ = (m/z − 1.00728)/1.000495 (calibration), and its strength |Z|
    (baseline against peaks); roughness, the mean absolute second difference over the mean
    (resolution and noise); the mean of bins more than .3 off the peptide mass rule over the mean
    of all (chemical noise, matrix); the mean over windows of 50 Da of their tenth percentile,
    over the mean (baseline).

    Parameters
    ----------
    x : ndarray or memmap, shape (n_spots, n_bins)
        Spectra; read block by block. Their scale does not matter.
    axis : MzAxis
        Their m/z axis.

    Returns
    -------
    ndarray of float64, shape (n_spots, 24), or NotApplicable
        Not applicable to lists of peaks, to bins wider than half a Da and to very short axes.

    Raises
    ------
    ModelError
        If `x` does not lie on the axis.
    """
    if x.ndim != 2 or x.shape[1] != axis.n_bins:
        raise ModelError(f"spectra of shape {x.shape} do not lie on an axis of {axis.n_bins} bins")
    reason = why_no_profile(axis)
    if reason is not None:
        return reason
    step = float(np.median(np.diff(axis.mz)))
    ranges = _ranges(axis)
    if step > _WIDEST_DA or min(part.stop - part.start for part in ranges) < _FEWEST_BINS:
        return NotApplicable(
            f"{axis.n_bins} bins of {step:.2g} Da do not show the 1-Da pattern in {N_RANGES} "
            f"ranges; bins of at most {_WIDEST_DA:g} Da and {_FEWEST_BINS} of them in each range do"
        )
    bounds, readings, windows, strides = _readers(axis, ranges)
    found = np.empty((len(x), N_RANGES, len(KINDS)))

    def read(rows: slice) -> None:
        from corespot.audit.indicators.nuisance_features_kernel import read_ranges

        block = np.ascontiguousarray(x[rows], dtype=np.float32)
        read_ranges(block, bounds, readings, windows, strides, _LOW_PERCENTILE, found[rows])

    step_rows = max(1, _BLOCK_VALUES // axis.n_bins)
    in_threads(read, [slice(at, at + step_rows) for at in range(0, len(x), step_rows)])
    n_bins = np.array([part.stop - part.start for part in ranges])
    return _as_features(found, n_bins).reshape(len(x), N_RANGES * len(KINDS))


def _ranges(axis: MzAxis) -> list[slice]:
    """Four parts of the axis, equally long in m/z."""
    bounds = np.searchsorted(axis.mz, np.linspace(axis.mz[0], axis.mz[-1], N_RANGES + 1))
    bounds[-1] = axis.n_bins
    return [slice(int(a), int(b)) for a, b in pairwise(bounds)]


def _readers(axis: MzAxis, ranges: list[slice]) -> tuple[npt.NDArray[Any], ...]:
    """Bounds of the ranges, what bins are multiplied by, windows and strides; see the kernel."""
    phase = 2 * np.pi * (axis.mz - PROTON_DA) / CLUSTER_DA
    forbidden = mass_rule_distance(axis.mz) > FORBIDDEN_FROM
    off_rule = forbidden.astype(np.float64)
    windows, strides = [], []
    for index, part in enumerate(ranges):
        n_bins = part.stop - part.start
        off_rule[part] *= n_bins / max(int(forbidden[part].sum()), 1)
        stride = max(1, n_bins // _MOST_PERCENTILE_BINS)
        at = axis.mz[part][::stride]
        n_windows = max(1, round((at[-1] - at[0]) / _WINDOW_DA))
        n_windows = min(n_windows, max(1, at.size // _FEWEST_BINS))
        parts = np.array_split(np.arange(at.size), n_windows)
        windows += [(index, int(window[0]), int(window[-1]) + 1) for window in parts]
        strides.append(stride)
    bounds = [ranges[0].start, *(part.stop for part in ranges)]
    readings = np.stack([np.cos(phase), np.sin(phase), off_rule])
    return np.array(bounds), readings, np.array(windows), np.array(strides)


def _as_features(found: FloatArray, n_bins: npt.NDArray[np.int64]) -> FloatArray:
    """Features from sums, (n_spots, n_ranges, 6) both; all zero where there is no intensity."""
    cosine, sine, total, forbidden_level, rough, low_level = np.moveaxis(found, 2, 0)
    whole = np.where(total > 0, total, np.inf)
    strength = np.hypot(cosine, sine)
    direction = np.maximum(strength, 1e-300)
    return np.stack(
        [
            np.where(strength > 0, cosine / direction, 0.0),
            np.where(strength > 0, sine / direction, 0.0),
            strength / whole,
            rough * (n_bins / (n_bins - 2)) / whole,
            forbidden_level / whole,
            low_level * n_bins / whole,
        ],
        axis=2,
    )
