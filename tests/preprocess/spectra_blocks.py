"""Shared spectra and hypothesis strategies for preprocessing tests."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corespot.axis import MzAxis

N_BINS = 240


@st.composite
def blocks(draw, n_bins: int = N_BINS, n_max: int = 7):
    """Blocks of sparse and dense count-like spectra, all-zero rows among them."""
    n = draw(st.integers(1, n_max))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    spectra = rng.gamma(0.5, 10, (n, n_bins)) * 10.0 ** draw(st.integers(-3, 5))
    spectra[rng.random((n, n_bins)) < draw(st.sampled_from([0.0, 0.5, 0.95]))] = 0
    spectra[rng.random(n) < 0.2] = 0
    return spectra.astype(np.float32)


def for_all(*args, **kwargs):
    """`given` with few examples and no deadline: the machine may be busy."""
    return lambda test: settings(max_examples=30, deadline=None)(given(*args, **kwargs)(test))


def peptide_spectra(axis: MzAxis, shift_ppm, *, noise: float = 0.0, seed: int = 0):
    """Gaussian peptide peaks at proton + 1.000495 k, each row shifted by `shift_ppm(mz)`."""
    rng = np.random.default_rng(seed)
    spectra = []
    for shift in shift_ppm:
        nominal = rng.integers(int(axis.mz[0]) + 20, int(axis.mz[-1]) - 20, 120)
        centres = 1.007276 + 1.000495 * nominal
        centres = centres * (1 + shift(centres) * 1e-6)
        heights = rng.uniform(10, 100, centres.size)
        row = np.zeros(axis.n_bins)
        for centre, height in zip(centres, heights, strict=True):
            near = np.abs(axis.mz - centre) < 2
            row[near] += height * np.exp(-0.5 * ((axis.mz[near] - centre) / 0.12) ** 2)
        spectra.append(row + noise * rng.random(axis.n_bins))
    return np.array(spectra, dtype=np.float32)
