"""An easy grouped problem: peaks at shared positions, some stronger in one class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def peaks_problem(
    *, n_groups: int = 8, per_group: int = 75, n_bins: int = 1500, n_classes: int = 2, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """TIC-normalised spectra, class indices and groups."""
    rng = np.random.default_rng(seed)
    n_peaks, n_markers, n = 50, 3 * n_classes, n_groups * per_group
    centres = rng.uniform(15, n_bins - 15, n_peaks)
    shapes = np.exp(-0.5 * ((np.arange(n_bins) - centres[:, None]) / 2.5) ** 2)
    groups = np.repeat(np.arange(n_groups), per_group)
    y = rng.permutation(np.arange(n) % n_classes)
    usual = rng.gamma(2.0, size=n_peaks)
    usual[:n_markers] = 1.5
    per_tma = np.exp(0.15 * rng.normal(size=(n_groups, n_peaks)))
    heights = usual * per_tma[groups] * np.exp(0.25 * rng.normal(size=(n, n_peaks)))
    heights[:, :n_markers] *= np.where(np.arange(n_markers) % n_classes == y[:, None], 2.0, 1.0)
    spectra = heights @ shapes + 0.1 * np.abs(rng.normal(size=(n, n_bins)))
    return (spectra / spectra.sum(axis=1, keepdims=True)).astype(np.float32), y, groups
