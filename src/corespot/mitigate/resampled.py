"""Spectra read off at shifted m/z, and with wider or narrower peaks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.axis import MzAxis
from corespot.mitigate.way import FloatArray

Block = npt.NDArray[np.float32]

#: Full width at half maximum in standard deviations of a Gaussian peak.
_FWHM_SD = 2.354820045
#: Largest weight of a second difference, in bins²: beyond a fourth neighbours trade places.
_MOST_BEND = 0.2


def shifted(x: Block, axis: MzAxis, ppm: FloatArray) -> Block:
    """Move what lies at m/z m to m·(1 + 1e-6·ppm), by cubic convolution.

    Parameters
    ----------
    x : ndarray, shape (n, n_bins)
        Spectra.
    axis : MzAxis
        Their axis.
    ppm : ndarray, shape (n, n_bins)
        Shift of each spectrum at each bin.

    References
    ----------
    Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29(6),
    1981, doi:10.1109/TASSP.1981.1163711: exact for quadratics on equal steps.
    """
    n_bins = axis.n_bins
    source = axis.mz * (1 - 1e-6 * ppm)
    at = np.interp(source, axis.mz, np.arange(n_bins, dtype=np.float64))
    base = np.clip(np.floor(at).astype(np.int64), 0, max(n_bins - 2, 0))
    t = (at - base).astype(np.float32)
    weights = (
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    )
    moved = np.zeros_like(x)
    for offset, weight in zip((-1, 0, 1, 2), weights, strict=True):
        index = np.clip(base + offset, 0, n_bins - 1)
        moved += weight * np.take_along_axis(x, index, axis=1)
    return moved


def widened(x: Block, axis: MzAxis, log_factor: FloatArray, resolution: float) -> Block:
    """Give peaks exp(log_factor) times their width, by second differences.

    Parameters
    ----------
    x : ndarray, shape (n, n_bins)
        Spectra.
    axis : MzAxis
        Their axis.
    log_factor : ndarray, shape (n,)
        Log of the factor for each spectrum.
    resolution : float
        Resolving power m/Δm: what width there is.

    Notes
    -----
    A Gaussian peak of variance s² obeys the heat equation: variance s²·e^{2w} is reached to first
    order by adding ½·s²·(e^{2w} − 1) times the second derivative. Its area stays. Bins much
    narrower than a peak would need many such steps; they are taken, each small enough to be stable.
    """
    sd_bins = axis.mz / resolution / _FWHM_SD / np.diff(axis.edges)
    need = 0.5 * np.expm1(2 * log_factor)[:, None] * sd_bins**2
    n_steps = max(1, int(np.ceil(float(np.max(np.abs(need), initial=0.0)) / _MOST_BEND)))
    n_steps = min(n_steps, 50)
    bend = np.clip(need / n_steps, -_MOST_BEND, _MOST_BEND).astype(np.float32)
    inner = 0.5 * (bend[:, 1:] + bend[:, :-1])
    made = x
    for _ in range(n_steps):
        # What flows between neighbours, so that no intensity is lost or made.
        flow = inner * (made[:, 1:] - made[:, :-1])
        made = np.array(made)
        made[:, :-1] += flow
        made[:, 1:] -= flow
    return made
