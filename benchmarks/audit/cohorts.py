"""The synthetic cohorts of the audit's benchmark: designs, artifact families and strengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from corespot.audit.calibration.study_cohorts import StudyCohort
from corespot.seeding import generator
from corespot.synth.cohort import SynthSettings
from corespot.synth.confounds import FAMILIES

Part = Literal["tuning", "testing", "families"]

#: First seed of each part; no seed is ever used for two. Lines are drawn from ``tuning`` alone;
#: ``families`` are further testing cohorts, each with one artifact family alone.
FIRST_SEED: dict[Part, int] = {"tuning": 100_000, "testing": 500_000, "families": 700_000}
#: How often each design occurs.
DESIGNS = {"nested": 0.6, "balanced": 0.15, "partial": 0.15, "nested_mixed": 0.1}


@dataclass(frozen=True)
class Cohort(StudyCohort):
    """What is drawn for one cohort of the benchmark, its layout included.

    Parameters
    ----------
    design : str
        How classes lie on TMAs and campaigns.
    patients_per_tma : int
        Patients on a TMA.
    """

    design: str
    patients_per_tma: int

    def whole_settings(self) -> SynthSettings:
        """The cohort: 4 + 4 TMAs, one core a patient and two control cores a TMA, 6,400 bins."""
        organ = {
            "n_tmas": 4,
            "patients_per_tma": self.patients_per_tma,
            "cores_per_patient": [1.0],
        }
        design = {"name": self.design, "lung": organ, "pancreas": organ, "control_cores": 2}
        tissue = {"core_radius": [1.0, 1.5], "background_per_tma": 0}
        return self.settings({"design": design, "tissue": tissue})


def draw_cohort(seed: int) -> Cohort:
    """Draw design, families and strengths of a cohort.

    A fifth has no artifacts, three tenths all eight families, fifteen hundredths two to four, and
    thirty-five hundredths one alone, which has to be stronger to matter at all.
    """
    rng = generator(seed, "audit benchmark")
    design = str(rng.choice(list(DESIGNS), p=list(DESIGNS.values())))
    kind = rng.choice(["none", "all", "some", "one"], p=[0.2, 0.3, 0.15, 0.35])
    strongest = rng.permutation(FAMILIES).tolist()
    families = {
        "none": (),
        "all": FAMILIES,
        "some": tuple(strongest[: int(rng.integers(2, 5))]),
        "one": (strongest[0],),
    }[str(kind)]
    low, high = {"none": (0.0, 0.0), "all": (0.05, 0.8), "some": (0.1, 1.5), "one": (0.3, 4.0)}[
        str(kind)
    ]
    share = rng.random()
    return Cohort(
        seed=seed,
        design=design,
        families=tuple(str(name) for name in families),
        amplitude=round(float(low * (high / low) ** share), 4) if low else 0.0,
        rho=round(float(rng.uniform(0.4, 0.9)), 3),
        n_markers=int(rng.integers(3, 31)),
        largest_log_fold=round(float(rng.uniform(0.5, 1.2)), 3),
        patients_per_tma=int(rng.integers(9, 14)),
    )


def draw_family_cohort(seed: int, family: str) -> Cohort:
    """Draw a nested cohort with one artifact family alone, strong enough to be read by a model."""
    rng = generator(seed, "audit benchmark", "family")
    return Cohort(
        seed=seed,
        design="nested",
        families=(family,),
        amplitude=round(float(4.0 ** rng.random()), 4),
        rho=round(float(rng.uniform(0.4, 0.9)), 3),
        n_markers=int(rng.integers(3, 31)),
        largest_log_fold=round(float(rng.uniform(0.5, 1.2)), 3),
        patients_per_tma=int(rng.integers(9, 14)),
    )


def cohorts(part: Part, n: int) -> Iterator[Cohort]:
    """The first `n` cohorts of a part; of ``families`` all eight take turns."""
    for index in range(n):
        seed = FIRST_SEED[part] + index
        if part == "families":
            yield draw_family_cohort(seed, FAMILIES[index % len(FAMILIES)])
        else:
            yield draw_cohort(seed)
