"""Named cohorts: the demo, one at paper scale, and a tiny one for tests."""

from __future__ import annotations

from corespot.errors import ParamsError, suggestion
from corespot.synth.biology import BiologySettings
from corespot.synth.cohort import SynthSettings
from corespot.synth.confounds import ArtifactSettings
from corespot.synth.design import DesignSettings, OrganSettings
from corespot.synth.spectra import SpectraSettings
from corespot.synth.tissue import TissueSettings

DEMO = SynthSettings(
    design=DesignSettings(
        name="nested",
        lung=OrganSettings(n_tmas=8, patients_per_tma=8, cores_per_patient=(0.65, 0.30, 0.05)),
        pancreas=OrganSettings(n_tmas=4, patients_per_tma=7, cores_per_patient=(0.5, 0.35, 0.15)),
    ),
)

PAPER = SynthSettings(
    design=DesignSettings(
        name="nested",
        lung=OrganSettings(n_tmas=8, patients_per_tma=30, cores_per_patient=(0.5, 0.5)),
        pancreas=OrganSettings(n_tmas=4, patients_per_tma=16, cores_per_patient=(0.0, 0.2, 0.8)),
    ),
    spectra=SpectraSettings(low=500.0, high=4500.0, n_bins=27286),
    tissue=TissueSettings(
        core_radius=(3.6, 4.4), roi_fraction=(0.15, 0.40), background_per_tma=200
    ),
)

TINY = SynthSettings(
    design=DesignSettings(
        name="nested",
        lung=OrganSettings(n_tmas=4, patients_per_tma=4, cores_per_patient=(0.8, 0.2)),
        pancreas=OrganSettings(n_tmas=2, patients_per_tma=4, cores_per_patient=(0.8, 0.2)),
    ),
    spectra=SpectraSettings(low=1380.0, high=1940.0, n_bins=1024, n_peptides=60),
    biology=BiologySettings(marker_log_fold=1.5, n_weak_subtype=2, n_organ=3),
    tissue=TissueSettings(core_radius=(1.5, 2.3), background_per_tma=3),
    artifacts=ArtifactSettings(n_ripples=2),
)

PRESETS: dict[str, SynthSettings] = {
    "demo": DEMO,
    "demo_counterfactual": DEMO.as_counterfactual(),
    "paper": PAPER,
    "paper_counterfactual": PAPER.as_counterfactual(),
    "tiny": TINY,
    "tiny_counterfactual": TINY.as_counterfactual(),
}


def preset(name: str) -> SynthSettings:
    """Settings of a named cohort.

    Raises
    ------
    ParamsError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise ParamsError(f"no synthetic cohort is called {name!r}; {suggestion(name, [*PRESETS])}")
    return PRESETS[name]
