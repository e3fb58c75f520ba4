"""Which m/z a model reads: sensitivity analysis and ranked m/z windows."""

from __future__ import annotations

from corespot.explain.markers import Marker, marker_ranks, parse_markers
from corespot.explain.peaks import rank_windows
from corespot.explain.profile import SensitivityProfile, average_profiles
from corespot.explain.sensitivity import bin_sd, sensitivity_profile

__all__ = [
    "Marker",
    "SensitivityProfile",
    "average_profiles",
    "bin_sd",
    "marker_ranks",
    "parse_markers",
    "rank_windows",
    "sensitivity_profile",
]
