"""A synthetic cohort as a user asks for it: a preset, a seed, perhaps its counterfactual."""

from __future__ import annotations

from pydantic import Field, field_validator

from corespot.errors import suggestion
from corespot.settings import Settings
from corespot.synth.cohort import SyntheticCohort, make_cohort
from corespot.synth.presets import PRESETS, preset


class SynthRequest(Settings):
    """One entry of ``synth`` in ``params.yaml``.

    Parameters
    ----------
    preset : str
        Name of a preset (``demo``, ``paper``, ``tiny``).
    seed : int
        The same seed gives the same bytes.
    counterfactual : bool
        New patients measured so that every class is in every campaign.
    """

    preset: str
    seed: int = Field(default=2018, ge=0)
    counterfactual: bool = False

    @field_validator("preset")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in PRESETS:
            raise ValueError(f"no preset of this name; {suggestion(value, list(PRESETS))}")
        return value


def make_requested(request: SynthRequest) -> SyntheticCohort:
    """Make the cohort that `request` describes."""
    settings = preset(request.preset)
    return make_cohort(
        settings.as_counterfactual() if request.counterfactual else settings, request.seed
    )
