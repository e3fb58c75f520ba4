"""Synthetic TMA cohorts with known truth."""

from __future__ import annotations

from corespot.synth.cohort import SyntheticCohort, SynthSettings, make_cohort
from corespot.synth.measure import Measurement
from corespot.synth.presets import PRESETS, preset

__all__ = ["Measurement", "PRESETS", "SynthSettings", "SyntheticCohort", "make_cohort", "preset"]
