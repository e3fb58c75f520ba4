"""Synthetic cohorts with a study's layout: which artifacts occur, and how strong they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from corespot.seeding import generator
from corespot.synth.cohort import SynthSettings
from corespot.synth.confounds import DEFAULT_WEIGHTS, FAMILIES, Family

#: How often no artifacts, all families, two to four, and one alone occur.
SHARES = {"none": 0.3, "all": 0.3, "some": 0.2, "one": 0.2}
#: Weakest and strongest amplitude of each; one family alone has to be stronger to matter at all.
AMPLITUDES = {"all": (0.05, 0.8), "some": (0.1, 1.5), "one": (0.3, 4.0)}


@dataclass(frozen=True)
class StudyCohort:
    """What is drawn for one cohort.

    Parameters
    ----------
    seed : int
        Its seed, from which all else follows.
    families : tuple of str
        Artifact families that occur.
    amplitude : float
        Their strength.
    rho : float
        Share of their variance that a campaign's TMAs have in common.
    n_markers : int
        Peptides that truly differ between the classes.
    largest_log_fold : float
        Size of the largest such difference.
    """

    seed: int
    families: tuple[Family, ...]
    amplitude: float
    rho: float
    n_markers: int
    largest_log_fold: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the ``family`` in a word."""
        kinds = {0: "none", 1: next(iter(self.families), "none")}
        family = kinds.get(len(self.families), "mixture")
        return {**asdict(self), "families": list(self.families), "family": family}

    def settings(self, layout: Mapping[str, Any]) -> SynthSettings:
        """The cohort with the sections that a study's layout gives."""
        return SynthSettings.parse(
            {
                **layout,
                "biology": {
                    "n_organ": self.n_markers,
                    "organ_log_fold": [0.3, self.largest_log_fold],
                },
                "artifacts": {
                    "amplitude": self.amplitude,
                    "rho": self.rho,
                    "weights": {name: DEFAULT_WEIGHTS[name] for name in self.families},
                },
            },
            f"synthetic cohort {self.seed}",
        )


def draw_study_cohort(seed: int) -> StudyCohort:
    """Draw families, strengths and biology of a cohort; amplitudes are log-uniform."""
    rng = generator(seed, "audit calibration")
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    shuffled = tuple(FAMILIES[at] for at in rng.permutation(len(FAMILIES)).tolist())
    n_families = {"none": 0, "all": len(FAMILIES), "some": int(rng.integers(2, 5)), "one": 1}[kind]
    share = rng.random()
    low, high = AMPLITUDES.get(kind, (0.0, 0.0))
    return StudyCohort(
        seed=seed,
        families=shuffled[:n_families],
        amplitude=round(float(low * (high / low) ** share), 4) if low else 0.0,
        rho=round(float(rng.uniform(0.4, 0.9)), 3),
        n_markers=int(rng.integers(3, 31)),
        largest_log_fold=round(float(rng.uniform(0.5, 1.2)), 3),
    )
