"""What was planted in a synthetic cohort, in plain values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corespot.settings import Settings
from corespot.synth.biology import Proteome
from corespot.synth.confounds import FAMILIES, UNITS, Family, TmaArtifacts
from corespot.synth.design import TmaPlan

# A family with more coefficients than this is told by its amplitude alone.
_MOST_COEFFICIENTS = 16


def describe_truth(
    *,
    seed: int,
    settings: Settings,
    counterfactual: bool,
    plans: Sequence[TmaPlan],
    proteome: Proteome,
    weights: Mapping[Family, float],
    artifacts_of: Mapping[str, TmaArtifacts],
) -> dict[str, Any]:
    """Describe the truth of a cohort.

    Parameters
    ----------
    seed, settings, counterfactual
        What the cohort was made from.
    plans : sequence of TmaPlan
        TMAs with their campaigns.
    proteome : Proteome
        Peptides and planted differences.
    weights : mapping
        Strength of each artifact family.
    artifacts_of : mapping
        TMA name to its artifacts.

    Returns
    -------
    dict
        See `corespot.synth.cohort.SyntheticCohort.truth`.
    """
    families: dict[str, Any] = {}
    for family in FAMILIES:
        by_tma: dict[str, Any] = {}
        for tma, artifacts in artifacts_of.items():
            values = artifacts.coefficients[family]
            entry: dict[str, Any] = {"amplitude": float(np.sqrt(np.mean(values**2)))}
            if values.size <= _MOST_COEFFICIENTS:
                entry["coefficients"] = [float(value) for value in values]
            by_tma[tma] = entry
        families[family] = {
            "unit": UNITS[family],
            "weight": float(weights.get(family, 0.0)),
            "tma": by_tma,
        }
    return {
        "seed": int(seed),
        "settings": settings.model_dump(mode="json"),
        "counterfactual": counterfactual,
        "campaigns": {plan.tma: plan.campaign for plan in plans},
        "markers": [
            {
                "name": marker.name,
                "mz": marker.mz,
                "label": marker.label,
                "class": marker.reference,
                "sign": marker.sign,
                "up_in": marker.up_in,
                "log_fold": marker.log_fold,
                "published": marker.published,
            }
            for marker in proteome.markers
        ],
        "artifacts": families,
        "matrix_mz": [float(mz) for mz in proteome.matrix_mz],
        "peptide_mz": [float(mz) for mz in proteome.mz],
    }
