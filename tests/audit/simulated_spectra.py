"""A mean spectrum in closed form, so that what is planted on it is known exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.axis import MzAxis

FloatArray = npt.NDArray[np.float64]

#: A fifth of the paper's axis at the paper's spacing.
AXIS = MzAxis.tof(1000.0, 1800.0, 6600)
RESOLUTION = 4500.0


class Simulated:
    """Gaussian isotope patterns on a smooth baseline."""

    def __init__(self, axis: MzAxis = AXIS, *, n_peptides: int = 80, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        low, high = int(axis.mz[0]) + 5, int(axis.mz[-1]) - 8
        nominal = np.sort(rng.choice(np.arange(low, high), n_peptides, replace=False))
        mono = nominal * 1.000495 + 1.00728
        self.axis = axis
        self.lines = (mono[:, None] + 1.00235 * np.arange(5)).ravel()
        shares = np.array([0.36, 0.33, 0.19, 0.08, 0.04])
        self.areas = (np.exp(rng.normal(0, 0.7, n_peptides))[:, None] * shares).ravel()

    def spectrum(
        self, *, ppm: float = 0.0, width: float = 1.0, areas: FloatArray | None = None
    ) -> FloatArray:
        """Peaks alone, shape (n_bins,)."""
        mz = self.lines * (1 + 1e-6 * ppm)
        sigma = self.lines / RESOLUTION / 2.3548 * width
        total = np.zeros(self.axis.n_bins)
        for m, s, a in zip(mz, sigma, self.areas if areas is None else areas, strict=True):
            near = slice(*np.searchsorted(self.axis.mz, [m - 6 * s, m + 6 * s]))
            z = (self.axis.mz[near] - m) / s
            total[near] += a / s * np.exp(-0.5 * z**2)
        return total

    @property
    def baseline(self) -> FloatArray:
        """A baseline that falls with m/z, a few percent of a usual peak."""
        return np.asarray(0.05 * np.exp(-(self.axis.mz - self.axis.mz[0]) / 900.0))
