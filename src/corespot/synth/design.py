"""Designs: which class sits on which TMA, and which campaign measured it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from corespot.settings import Settings
from corespot.synth.layout import TmaContents, campaigns_of, shared_out

DesignName = Literal["balanced", "partial", "nested", "nested_mixed"]
Organ = Literal["lung", "pancreas"]

#: Classes of the column `organ`; the first one is the reference of every signed organ effect.
ORGANS: tuple[Organ, Organ] = ("lung", "pancreas")
#: Classes of the column `subtype`, which only lung patients have.
SUBTYPES = ("AD", "SQ")
#: Patient from whom all control cores were taken; the same in a counterfactual cohort.
CONTROL_PATIENT = "CONTROL"
#: Measurement campaigns; TMAs of one campaign share the larger part of their artifacts.
CAMPAIGNS = ("A", "B")
#: Share of a TMA's patients that are of its home organ.
HOME_SHARE: Mapping[DesignName, float] = {
    "balanced": 0.5,
    "partial": 0.8,
    "nested": 1.0,
    "nested_mixed": 1.0,
}


class OrganSettings(Settings):
    """TMAs whose home organ this is.

    Parameters
    ----------
    n_tmas : int
        Number of TMAs.
    patients_per_tma : int
        Patients on each of them.
    cores_per_patient : tuple of float
        Relative frequency of one, two, three, … cores from one patient.
    """

    n_tmas: int = Field(default=4, ge=1)
    patients_per_tma: int = Field(default=8, ge=2)
    cores_per_patient: tuple[float, ...] = Field(
        default=(0.65, 0.25, 0.10), min_length=1, max_length=6
    )


class DesignSettings(Settings):
    """Layout of classes over TMAs and campaigns.

    Parameters
    ----------
    name : {"balanced", "partial", "nested", "nested_mixed"}
        ``balanced``: every TMA holds both organs half and half, campaigns alternate.
        ``partial``: 80 % home organ, 20 % the other; the campaign follows the home organ.
        ``nested``: no TMA holds both organs; the campaign follows the organ.
        ``nested_mixed``: no TMA holds both organs, yet both campaigns measured both.
    lung, pancreas : OrganSettings
        The TMAs of either home organ.
    counterfactual : bool
        Break the tie between class and campaign: every TMA of every campaign holds every class,
        with new patients on new TMAs but the same instrument (peptides, markers, campaigns).
    control_cores : int
        Control cores on every TMA: one and the same tissue, of no organ and no subtype.
    layout : tuple of TmaContents
        Patients of each organ on each TMA, in place of `name` and of the numbers of `lung` and
        `pancreas`, whose `cores_per_patient` count. The campaign follows the class (see
        `corespot.synth.layout.campaigns_of`). Empty: as `name` says.
    """

    name: DesignName = "nested"
    lung: OrganSettings = Field(default_factory=OrganSettings)
    pancreas: OrganSettings = Field(default_factory=OrganSettings)
    counterfactual: bool = False
    control_cores: int = Field(default=0, ge=0, le=20)
    layout: tuple[TmaContents, ...] = ()

    @model_serializer(mode="wrap")
    def _what_is_there(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Cohorts without control cores and without a layout of their own keep every byte of the
        # truth that is written with them.
        values: dict[str, Any] = plain(self)
        for name in ("control_cores", "layout"):
            if not values.get(name):
                values.pop(name, None)
        return values


@dataclass(frozen=True)
class PatientPlan:
    """A patient to be put on a TMA.

    Parameters
    ----------
    patient : str
        Name.
    organ : {"lung", "pancreas", ""}
        Organ; empty for control tissue.
    subtype : str
        Subtype; empty unless lung.
    n_cores : int
        Cores on the TMA.
    control : bool
        Whether these are the control cores, which every TMA has.
    """

    patient: str
    organ: Organ | Literal[""]
    subtype: str
    n_cores: int
    control: bool = False


@dataclass(frozen=True)
class TmaPlan:
    """A TMA: its name, the campaign that measures it, the date, its patients."""

    tma: str
    campaign: str
    acquisition_date: str
    patients: tuple[PatientPlan, ...]


def plan_tmas(settings: DesignSettings, rng: np.random.Generator) -> tuple[TmaPlan, ...]:
    """Put patients of both organs on the TMAs of a design; each patient sits on one TMA.

    Control tissue, if any, comes last on every TMA and leaves all else as it is without.

    Parameters
    ----------
    settings : DesignSettings
        The design.
    rng : numpy.random.Generator
        Draws the numbers of cores and the order of patients.

    Returns
    -------
    tuple of TmaPlan
        Lung-home TMAs first, or those of the layout in its order.
    """
    prefix = "CF" if settings.counterfactual else ""
    plans: list[TmaPlan] = []
    n_patients = 0
    n_lung = 0
    n_acquired = dict.fromkeys(CAMPAIGNS, 0)
    controls: tuple[PatientPlan, ...] = ()
    if settings.control_cores:
        controls = (PatientPlan(CONTROL_PATIENT, "", "", settings.control_cores, control=True),)
    for campaign, organs in _contents(settings):
        patients: list[PatientPlan] = []
        for organ in organs:
            subtype = ""
            if organ == "lung":
                subtype = SUBTYPES[n_lung % 2]
                n_lung += 1
            n_patients += 1
            weights = settings.lung if organ == "lung" else settings.pancreas
            frequency = np.asarray(weights.cores_per_patient, dtype=np.float64)
            n_cores = 1 + int(rng.choice(frequency.size, p=frequency / frequency.sum()))
            name = f"{prefix}P{n_patients:04d}"
            patients.append(PatientPlan(name, organ, subtype, n_cores))
        order = rng.permutation(len(patients))
        plans.append(
            TmaPlan(
                tma=f"{prefix}TMA{len(plans) + 1:02d}",
                campaign=campaign,
                acquisition_date=_date(campaign, n_acquired[campaign], settings.counterfactual),
                patients=tuple(patients[at] for at in order) + controls,
            )
        )
        n_acquired[campaign] += 1
    return tuple(plans)


def campaign_of(design: DesignName, home: Organ, index: int) -> str:
    """Campaign of the `index`-th TMA with home organ `home`."""
    if design in ("nested", "partial"):
        return CAMPAIGNS[ORGANS.index(home)]
    # The pancreas TMAs start with the other campaign, so that odd numbers stay balanced.
    return CAMPAIGNS[(index + ORGANS.index(home)) % len(CAMPAIGNS)]


def _contents(settings: DesignSettings) -> Iterator[tuple[str, list[Organ]]]:
    """Campaign and organs of the patients of each TMA."""
    if settings.layout:
        # Campaigns stay those of the design, whatever the counterfactual puts on its TMAs.
        tmas = shared_out(settings.layout) if settings.counterfactual else settings.layout
        for at, tma in zip(campaigns_of(settings.layout), tmas, strict=True):
            lung, pancreas = ORGANS
            yield CAMPAIGNS[at], [lung] * tma.lung + [pancreas] * tma.pancreas
        return
    share = HOME_SHARE["balanced"] if settings.counterfactual else HOME_SHARE[settings.name]
    for home, other in (ORGANS, ORGANS[::-1]):
        group = settings.lung if home == "lung" else settings.pancreas
        for index in range(group.n_tmas):
            campaign = campaign_of(settings.name, home, index)
            yield campaign, _organs(home, other, share, group.patients_per_tma)


def _organs(home: Organ, other: Organ, share: float, n_patients: int) -> list[Organ]:
    n_home = round(share * n_patients)
    if share < 1:
        n_home = min(max(n_home, 1), n_patients - 1)
    return [home] * n_home + [other] * (n_patients - n_home)


def _date(campaign: str, index: int, counterfactual: bool) -> str:
    start = np.datetime64("2015-03-02" if campaign == CAMPAIGNS[0] else "2015-10-05")
    if counterfactual:
        start = start + np.timedelta64(100, "D")
    return str(start + np.timedelta64(3 * index, "D"))
