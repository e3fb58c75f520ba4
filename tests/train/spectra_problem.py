"""An easy grouped problem: peaks at shared positions, some stronger in one class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.cohort.positions import SpotPositions
from corespot.models import registry

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def peaks_problem(
    *,
    n_groups: int = 8,
    per_group: int = 75,
    n_bins: int = 1500,
    n_classes: int = 2,
    seed: int = 0,
    y: Ints | None = None,
) -> tuple[Floats, Ints, Ints]:
    """TIC-normalised spectra, class indices and groups."""
    rng = np.random.default_rng(seed)
    n_peaks, n_markers, n = 50, 3 * n_classes, n_groups * per_group
    centres = rng.uniform(15, n_bins - 15, n_peaks)
    shapes = np.exp(-0.5 * ((np.arange(n_bins) - centres[:, None]) / 2.5) ** 2)
    groups = np.repeat(np.arange(n_groups), per_group)
    dealt = rng.permutation(np.arange(n) % n_classes)
    y = dealt if y is None else y
    usual = rng.gamma(2.0, size=n_peaks)
    usual[:n_markers] = 1.5
    per_tma = np.exp(0.15 * rng.normal(size=(n_groups, n_peaks)))
    heights = usual * per_tma[groups] * np.exp(0.25 * rng.normal(size=(n, n_peaks)))
    heights[:, :n_markers] *= np.where(np.arange(n_markers) % n_classes == y[:, None], 2.0, 1.0)
    spectra = heights @ shapes + 0.1 * np.abs(rng.normal(size=(n, n_bins)))
    return (spectra / spectra.sum(axis=1, keepdims=True)).astype(np.float32), y, groups


def problem_for(
    name: str,
    *,
    n_groups: int = 4,
    per_group: int = 12,
    n_bins: int = 200,
    n_classes: int = 2,
    seed: int = 0,
) -> tuple[Floats, Ints, Ints, dict[str, Any]]:
    """The problem as a model takes it: for spatial ones of whole cores, with positions.

    A group then holds cores of four spots, each of one class: two by two.
    """
    y = None
    if registry.entry(name).is_spatial:
        y = (np.arange(n_groups * per_group) // 4 % n_classes).astype(np.int64)
    x, y, groups = peaks_problem(
        n_groups=n_groups, per_group=per_group, n_bins=n_bins, n_classes=n_classes, seed=seed, y=y
    )
    if not registry.entry(name).is_spatial:
        return x, y, groups, {}
    spot = np.arange(len(y))
    core = np.array([f"core{c:03d}" for c in spot // 4])
    return x, y, groups, {"positions": SpotPositions(core, spot % 2, spot // 2 % 2)}


def quick_settings(name: str, **settings: Any) -> dict[str, Any]:
    """Settings under which a model is fitted in a second."""
    if not registry.entry(name).is_network:
        return {**({"k": 5} if name == "roc_lda" else {}), **settings}
    quick: dict[str, Any] = {"epochs": 2, "batch_size": 16}
    config = registry.entry(name).config.model_fields
    small: dict[str, Any] = {"patch": 4, "stride": 4, "stem": "small", "n_peaks": 24}
    small |= {"width": 8, "depth": 2, "threshold": 0.5}
    if name == "compsegnet":
        small["channels"] = 24
    if registry.entry(name).is_spatial:
        quick |= {key: value for key, value in small.items() if key in config}
    return {**quick, **settings}
