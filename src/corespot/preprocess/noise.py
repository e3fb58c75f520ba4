"""Noise level of a spectrum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.preprocess.rows import each_row, for_kernel
from corespot.preprocess.step import Spectra


def noise_level(spectra: Spectra) -> npt.NDArray[np.float64]:
    """Standard deviation of the noise of each row, shape (n,).

    1.4826 · median(abs(x[i+1] − x[i])) / √2: differences of neighbours cancel baseline and all
    but the flanks of peaks, the median ignores those. Zero where most neighbours are equal, as
    in sparse spectra; zero for spectra of one bin.
    """
    if spectra.shape[1] < 2:
        return np.zeros(len(spectra))
    from corespot.preprocess.noise_kernel import median_steps

    rows, steps = for_kernel(spectra), np.empty(len(spectra))
    each_row(lambda part: median_steps(rows[part], steps[part]), rows)
    level: npt.NDArray[np.float64] = 1.4826 * steps / np.sqrt(2)
    return level
