"""The shapes that gain, calibration and resolution give a difference of spectra."""

from __future__ import annotations

import numpy as np

from corespot.audit.shares.gap_parts import mean_derivatives, scaled_mz, why_no_derivative
from corespot.axis import MzAxis
from corespot.mitigate.way import FloatArray

#: m/z at which a relative change of m/z or of the peak width counts as it is, in Da.
REFERENCE_MZ = 1500.0
#: Full width at half maximum in standard deviations of a Gaussian peak.
_FWHM_SD = 2.354820045


def artifact_directions(mean: FloatArray, axis: MzAxis, resolution: float) -> dict[str, FloatArray]:
    """Differences that a measurement makes to the mean spectrum, in natural sizes.

    Parameters
    ----------
    mean : ndarray of float64, shape (n_bins,)
        Mean training spectrum.
    axis : MzAxis
        Its m/z axis.
    resolution : float
        Resolving power m/Δm of the instrument.

    Returns
    -------
    dict of str to ndarray, shape (n_directions, n_bins)
        ``gain``: e-fold intensity, constant, linear and quadratic in scaled m/z;
        ``calibration``: a shift of 1 ppm (at m/z 1500 one of 0.0015 Da), likewise; ``resolution``:
        an e-fold peak width, constant and linear. The last two only where bins are narrow enough
        to see the slope of a peak.

    Notes
    -----
    The shapes are those of `corespot.audit.shares.gap_parts`. A shift by δ gives −δ·x̄′, and
    widening a Gaussian of standard deviation s by the factor e^w gives w·s²·x̄″ to first order.
    """
    z = scaled_mz(axis)
    found = {"gain": np.stack([mean, mean * z, mean * z**2])}
    if axis.n_bins < 4 or why_no_derivative(axis, resolution) is not None:
        return found
    first, second = mean_derivatives(mean, axis, resolution)
    shift = -1e-6 * axis.mz * first
    width = np.square(axis.mz / resolution / _FWHM_SD) * second
    found["calibration"] = np.stack([shift, shift * z, shift * z**2])
    found["resolution"] = np.stack([width, width * z])
    return found
