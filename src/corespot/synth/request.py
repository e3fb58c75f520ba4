"""A synthetic cohort as a user asks for it: a preset, a seed, perhaps its counterfactual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from corespot.errors import ParamsError, suggestion
from corespot.settings import Settings
from corespot.synth.cohort import SyntheticCohort, SynthSettings, make_cohort
from corespot.synth.confounds import FAMILIES
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
    settings : mapping
        Single settings that replace those of the preset, by section:
        ``{design: {name: balanced}, artifacts: {amplitude: 0.1}}``; see `SynthSettings`.
    """

    preset: str
    seed: int = Field(default=2018, ge=0)
    counterfactual: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("preset")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in PRESETS:
            raise ValueError(f"no preset of this name; {suggestion(value, list(PRESETS))}")
        return value


def make_requested(request: SynthRequest) -> SyntheticCohort:
    """Make the cohort that `request` describes.

    Raises
    ------
    ParamsError
        If a replaced setting is unknown or out of range.
    """
    merged = _merged(preset(request.preset).model_dump(), request.settings)
    settings = SynthSettings.parse(merged, f"synthetic cohort {request.preset}")
    return make_cohort(
        settings.as_counterfactual() if request.counterfactual else settings, request.seed
    )


def only_families(names: Sequence[str]) -> dict[str, Any]:
    """Artifact settings in which all families but `names` have weight zero.

    Raises
    ------
    ParamsError
        If a family is unknown.
    """
    for name in names:
        if name not in FAMILIES:
            raise ParamsError(
                f"no artifact family is called {name!r}; {suggestion(name, list(FAMILIES))}"
            )
    return {"weights": {name: 0.0 for name in FAMILIES if name not in names}}


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(base.get(name), Mapping)
        result[name] = _merged(base[name], value) if both else value
    return result
