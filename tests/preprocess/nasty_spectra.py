"""Blocks that kernels stumble over: ties, zeros, constants, steps, lone rows, odd lengths."""

from __future__ import annotations

import numpy as np

LENGTHS = (41, 128, 1024, 1025, 2049, 3001)
ROWS = (1, 3, 4, 5, 9)


def nasty(n_rows, n_bins, *, seed=0, dtype=np.float32):
    """Rows of every kind, in turn."""
    rng = np.random.default_rng(seed)
    kinds = (
        lambda: rng.gamma(0.02, 10, n_bins),  # over many powers of ten
        lambda: np.zeros(n_bins),
        lambda: rng.integers(0, 3, n_bins),  # ties
        lambda: np.full(n_bins, 7.3),
        lambda: rng.normal(0, 5, n_bins),  # below zero, too
        lambda: np.where(np.arange(n_bins) < n_bins // 2, 1e-30, 1e30),
        lambda: np.where(rng.random(n_bins) < 0.03, rng.gamma(1, 50, n_bins), 0),  # sparse
        lambda: np.linspace(5, -5, n_bins),
        lambda: 100 * np.exp(-np.arange(n_bins) / 300) + rng.gamma(1, 2, n_bins),
    )
    rows = [kinds[(i + seed) % len(kinds)]() for i in range(n_rows)]
    return np.array(rows, dtype=np.float64).reshape(n_rows, n_bins).astype(dtype)


def every_block(dtype=np.float32, least=41):
    """All lengths and numbers of rows, every kind of row several times."""
    for n_bins in LENGTHS:
        if n_bins >= least:
            for seed, n_rows in enumerate(ROWS):
                yield nasty(n_rows, n_bins, seed=seed + n_bins, dtype=dtype)
    yield np.zeros((0, max(least, 50)), dtype)
