"""Synthetic TMA cohorts: settings, tables, truth and measurements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from corespot.axis import MzAxis
from corespot.seeding import generator
from corespot.settings import Settings
from corespot.synth.biology import BiologySettings, Proteome, draw_proteome
from corespot.synth.confounds import ArtifactSettings, TmaArtifacts, draw_artifacts
from corespot.synth.design import DesignSettings, TmaPlan, plan_tmas
from corespot.synth.measure import Measurement, TmaMeasurement
from corespot.synth.spectra import SpectraSettings
from corespot.synth.tissue import TissueSettings, TmaTissue, lay_out_tma
from corespot.synth.truth import describe_truth

if TYPE_CHECKING:
    import pandas as pd


class SynthSettings(Settings):
    """Everything a synthetic cohort depends on besides its seed.

    Parameters
    ----------
    design : DesignSettings
        Classes, TMAs and campaigns.
    spectra : SpectraSettings
        Axis and physics.
    biology : BiologySettings
        Abundances and planted differences.
    tissue : TissueSettings
        Geometry.
    artifacts : ArtifactSettings
        Measurement artifacts.
    """

    design: DesignSettings = Field(default_factory=DesignSettings)
    spectra: SpectraSettings = Field(default_factory=SpectraSettings)
    biology: BiologySettings = Field(default_factory=BiologySettings)
    tissue: TissueSettings = Field(default_factory=TissueSettings)
    artifacts: ArtifactSettings = Field(default_factory=ArtifactSettings)

    @model_validator(mode="after")
    def _axis_has_room(self) -> SynthSettings:
        spectra = self.spectra
        if spectra.high - spectra.low < 2 * spectra.n_peptides:
            raise ValueError(
                f"the axis m/z {spectra.low:g}–{spectra.high:g} is too short for "
                f"{spectra.n_peptides} peptides: it needs 2 Da each"
            )
        return self

    def as_counterfactual(self) -> SynthSettings:
        """The same cohort with every class in every campaign, and new patients."""
        design = self.design.model_copy(update={"counterfactual": True})
        return self.model_copy(update={"design": design})


@dataclass(frozen=True, eq=False)
class SyntheticCohort:
    """A cohort whose truth is known; spectra are made when they are asked for.

    Parameters
    ----------
    settings : SynthSettings
        What it was made from.
    seed : int
        Seed it was made from.
    axis : MzAxis
        m/z axis of every spectrum.
    proteome : Proteome
        Peptides, planted differences and matrix clusters.
    plans : tuple of TmaPlan
        TMAs with their patients and campaigns.
    tissues : tuple of TmaTissue
        Spots of each TMA.
    artifacts : dict
        TMA name to the artifacts of its measurement.
    """

    settings: SynthSettings
    seed: int
    axis: MzAxis
    proteome: Proteome
    plans: tuple[TmaPlan, ...]
    tissues: tuple[TmaTissue, ...]
    artifacts: dict[str, TmaArtifacts]

    @cached_property
    def spots(self) -> pd.DataFrame:
        """Spot table: file, x, y, core, roi; background spots have no row."""
        import pandas as pd

        tables = []
        for plan, tissue in zip(self.plans, self.tissues, strict=True):
            keep = tissue.core >= 0
            tables.append(
                pd.DataFrame(
                    {
                        "file": file_name(plan.tma),
                        "x": tissue.coordinates[keep, 0],
                        "y": tissue.coordinates[keep, 1],
                        "core": np.array(tissue.core_names)[tissue.core[keep]],
                        "roi": tissue.roi[keep].astype(np.int64),
                    }
                )
            )
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def cores(self) -> pd.DataFrame:
        """Core table: core, tma, patient, organ, subtype, acquisition_date.

        With control cores also `control`: 1 on them, 0 on all others.
        """
        import pandas as pd

        rows = []
        for plan, tissue in zip(self.plans, self.tissues, strict=True):
            for name, at in zip(tissue.core_names, tissue.core_patient, strict=True):
                patient = plan.patients[at]
                row: dict[str, str | int] = {
                    "core": name,
                    "tma": plan.tma,
                    "patient": patient.patient,
                    "organ": patient.organ,
                    "subtype": patient.subtype,
                    "acquisition_date": plan.acquisition_date,
                }
                if self.settings.design.control_cores:
                    row["control"] = int(patient.control)
                rows.append(row)
        return pd.DataFrame(rows)

    @cached_property
    def markers(self) -> pd.DataFrame:
        """Table of the published markers: name, mz, tolerance (with its unit)."""
        import pandas as pd

        published = [marker for marker in self.proteome.markers if marker.published]
        return pd.DataFrame(
            {
                "name": [marker.name for marker in published],
                "mz": [marker.mz for marker in published],
                "tolerance": ["0.5 Da"] * len(published),
            }
        )

    @cached_property
    def truth(self) -> dict[str, Any]:
        """What was planted, in plain values that JSON can hold.

        Keys: ``seed``, ``settings``, ``counterfactual``, ``campaigns`` (TMA to campaign),
        ``markers`` (name, mz, label, class, sign, up_in, log_fold, published; `sign` refers to
        `class`), ``artifacts`` (family to unit, weight, and by TMA the root mean square amplitude
        and, unless there are too many, the coefficients), ``matrix_mz``, ``peptide_mz``.
        """
        return describe_truth(
            seed=self.seed,
            settings=self.settings,
            counterfactual=self.settings.design.counterfactual,
            plans=self.plans,
            proteome=self.proteome,
            weights=self.settings.artifacts.weights,
            artifacts_of=self.artifacts,
        )

    def measurements(self, block_size: int = 256) -> Iterator[Measurement]:
        """Make the measurements one after the other, one file a TMA.

        Parameters
        ----------
        block_size : int
            Spectra in a block; the spectra do not depend on it.

        Yields
        ------
        Measurement
        """
        if block_size < 1:
            raise ValueError(f"a block holds at least one spectrum, got {block_size}")
        for plan, tissue in zip(self.plans, self.tissues, strict=True):
            blocks = self._measurement_of(plan, tissue).blocks(block_size)
            yield Measurement(file_name(plan.tma), tissue.coordinates, blocks, self.axis.mz)

    def expected(self, tma: str) -> npt.NDArray[np.float64]:
        """Noise-free spectra of a TMA, shape (n_spots, n_bins), in the order of its measurement."""
        at = [plan.tma for plan in self.plans].index(tma)
        return np.concatenate(
            list(self._measurement_of(self.plans[at], self.tissues[at]).expected())
        )

    def _measurement_of(self, plan: TmaPlan, tissue: TmaTissue) -> TmaMeasurement:
        return TmaMeasurement(
            plan=plan,
            tissue=tissue,
            artifacts=self.artifacts[plan.tma],
            proteome=self.proteome,
            spectra=self.settings.spectra,
            biology=self.settings.biology,
            axis=self.axis,
            seed=self.seed,
        )


def make_cohort(settings: SynthSettings, seed: int) -> SyntheticCohort:
    """Make a synthetic cohort; equal settings and seed make equal cohorts.

    Peptides, planted differences and campaigns depend on the seed alone. Patients and TMAs also
    depend on their names, which a counterfactual cohort has of its own.

    Parameters
    ----------
    settings : SynthSettings
        What to make.
    seed : int
        Source of all randomness.

    Returns
    -------
    SyntheticCohort
    """
    spectra = settings.spectra
    proteome = draw_proteome(settings.biology, spectra, seed)
    kind = "counterfactual" if settings.design.counterfactual else "original"
    plans = plan_tmas(settings.design, generator(seed, "design", kind))
    tissues = tuple(
        lay_out_tma(plan, settings.tissue, generator(seed, "tissue", plan.tma)) for plan in plans
    )
    artifacts = draw_artifacts(
        settings.artifacts,
        plans,
        n_peptides=proteome.mz.size,
        low=spectra.low,
        high=spectra.high,
        seed=seed,
    )
    return SyntheticCohort(settings, seed, spectra.axis(), proteome, plans, tissues, artifacts)


def file_name(tma: str) -> str:
    """Name of the imzML file of a TMA."""
    return f"{tma}.imzML"
