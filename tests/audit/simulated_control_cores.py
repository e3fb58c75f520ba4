"""Scores of control cores whose TMA moves them by a known share of the gap between classes."""

from __future__ import annotations

import numpy as np

from corespot.audit.indicators.control_cores import ControlCoreDependence, control_core_dependence
from corespot.audit.indicators.control_cores_by_class import ClassDependence

CLASSES = ("lung", "pancreas")
GAP = 4.0


def nested(n_a: int, n_b: int) -> dict[str, np.ndarray]:
    return {
        f"T{at}": np.array([1.0, 0.0]) if at < n_a else np.array([0.0, 1.0])
        for at in range(n_a + n_b)
    }


def controls(
    rng: np.random.Generator,
    mixes: dict[str, np.ndarray],
    *,
    share: float,
    n_cores: int = 2,
    own: float = 0.05,
    n_tissues: int = 1,
) -> ControlCoreDependence:
    """Control cores whose TMA moves their score by `share` of the gap from class to class."""
    rows = []
    for tma, mix in mixes.items():
        effect = GAP * (share * (mix[1] - 0.5) + own * rng.normal())
        for tissue in range(n_tissues):
            for core in range(n_cores):
                level = 2 * tissue + effect + 0.15 * GAP * rng.normal()
                rows += [
                    (level + 0.1 * GAP * rng.normal(), f"{tma}-{tissue}-{core}", tma, str(tissue))
                    for _ in range(4)
                ]
    logit, core_of, tma_of, tissue_of = (np.array(part) for part in zip(*rows, strict=True))
    found = control_core_dependence(
        logit,
        core_of,
        tma_of,
        classes=CLASSES,
        class_shares=mixes,
        gaps=np.array([GAP, GAP]),
        tissues=tissue_of,
    )
    assert isinstance(found, ControlCoreDependence)
    return found


def of_class(found: ControlCoreDependence) -> ClassDependence:
    assert isinstance(found.by_class, ClassDependence), found.by_class
    return found.by_class
