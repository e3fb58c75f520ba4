"""Synthetic TMA cohorts: tables, truth, and raw profile spectra made block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field, model_validator

from corespot.axis import MzAxis
from corespot.seeding import generator
from corespot.settings import Settings
from corespot.synth.biology import BiologySettings, Proteome, draw_proteome, peptide_areas
from corespot.synth.confounds import (
    FAMILIES,
    UNITS,
    ArtifactSettings,
    TmaArtifacts,
    draw_artifacts,
)
from corespot.synth.design import DesignSettings, TmaPlan, plan_tmas
from corespot.synth.spectra import (
    MASS_RULE_DA,
    SpectraSettings,
    add_shot_noise,
    lines_of,
    render_peaks,
)
from corespot.synth.tissue import TissueSettings, TmaTissue, lay_out_tma
from corespot.units import PROTON_DA

# Spectra are always drawn in chunks of this many, whatever blocks are asked for: the same numbers
# come out bit for bit.
_CHUNK = 32
# Off tissue nothing but matrix desorbs, and more of it.
_BACKGROUND_MATRIX = 3.0
_BACKGROUND_BASELINE = 1.4


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


class Measurement(NamedTuple):
    """One imaging measurement of one TMA.

    Parameters
    ----------
    file : str
        Name of its imzML file.
    coordinates : ndarray of int64, shape (n, 3)
        x, y, z of each spectrum, from 1.
    blocks : iterable of ndarray of float32, shape (k, n_bins)
        The spectra in the order of `coordinates`; can be gone through once.
    mz : ndarray of float64, shape (n_bins,)
        m/z of every bin.
    """

    file: str
    coordinates: npt.NDArray[np.int64]
    blocks: Iterable[npt.NDArray[np.float32]]
    mz: npt.NDArray[np.float64]


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
        """Core table: core, tma, patient, organ, subtype, acquisition_date."""
        rows = []
        for plan, tissue in zip(self.plans, self.tissues, strict=True):
            for name, at in zip(tissue.core_names, tissue.core_patient, strict=True):
                patient = plan.patients[at]
                rows.append(
                    {
                        "core": name,
                        "tma": plan.tma,
                        "patient": patient.patient,
                        "organ": patient.organ,
                        "subtype": patient.subtype,
                        "acquisition_date": plan.acquisition_date,
                    }
                )
        return pd.DataFrame(rows)

    @cached_property
    def markers(self) -> pd.DataFrame:
        """Table of the published markers: name, mz, tolerance (with its unit)."""
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
        families: dict[str, Any] = {}
        for family in FAMILIES:
            by_tma: dict[str, Any] = {}
            for tma, artifacts in self.artifacts.items():
                values = artifacts.coefficients[family]
                entry: dict[str, Any] = {"amplitude": float(np.sqrt(np.mean(values**2)))}
                if values.size <= 16:
                    entry["coefficients"] = [float(value) for value in values]
                by_tma[tma] = entry
            families[family] = {
                "unit": UNITS[family],
                "weight": float(self.settings.artifacts.weights.get(family, 0.0)),
                "tma": by_tma,
            }
        return {
            "seed": int(self.seed),
            "settings": self.settings.model_dump(mode="json"),
            "counterfactual": self.settings.design.counterfactual,
            "campaigns": {plan.tma: plan.campaign for plan in self.plans},
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
                for marker in self.proteome.markers
            ],
            "artifacts": families,
            "matrix_mz": [float(mz) for mz in self.proteome.matrix_mz],
            "peptide_mz": [float(mz) for mz in self.proteome.mz],
        }

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
            chunks = self._chunks(plan, tissue)
            yield Measurement(
                file_name(plan.tma), tissue.coordinates, _regroup(chunks, block_size), self.axis.mz
            )

    def expected(self, tma: str) -> npt.NDArray[np.float64]:
        """Noise-free spectra of a TMA, shape (n_spots, n_bins), in the order of its measurement."""
        at = [plan.tma for plan in self.plans].index(tma)
        return np.concatenate(list(self._expected_chunks(self.plans[at], self.tissues[at])))

    def _chunks(self, plan: TmaPlan, tissue: TmaTissue) -> Iterator[npt.NDArray[np.float32]]:
        rng = generator(self.seed, "shot noise", plan.tma)
        for expected in self._expected_chunks(plan, tissue):
            yield add_shot_noise(
                expected,
                rng,
                read_noise=self.settings.spectra.read_noise,
                factor=self.artifacts[plan.tma].noise_factor,
            )

    def _expected_chunks(
        self, plan: TmaPlan, tissue: TmaTissue
    ) -> Iterator[npt.NDArray[np.float64]]:
        spectra, artifacts = self.settings.spectra, self.artifacts[plan.tma]
        on_core = tissue.core >= 0
        n_spots = on_core.size
        areas = peptide_areas(self.proteome, self.settings.biology, plan, tissue, self.seed)
        areas *= np.exp(artifacts.coefficients["digestion"])
        rng = generator(self.seed, "spot chemistry", plan.tma)
        exposure = np.exp(spectra.tic_log_sd * rng.standard_normal(n_spots))
        level = np.exp(spectra.baseline_log_sd * rng.standard_normal(n_spots))
        level *= np.where(on_core, 1.0, _BACKGROUND_BASELINE)
        jitter_ppm = spectra.jitter_ppm * rng.standard_normal(n_spots)
        matrix = np.exp(0.3 * rng.standard_normal((n_spots, self.proteome.matrix_mz.size)))
        matrix *= self.proteome.matrix_area * artifacts.matrix_factor
        matrix *= np.where(on_core, 1.0, _BACKGROUND_MATRIX)[:, None]
        compounds = np.concatenate([areas, matrix], axis=1)

        lines = lines_of(np.concatenate([self.proteome.mz, self.proteome.matrix_mz]))
        shift_ppm = artifacts.shift_ppm(lines.mz)
        fwhm = lines.mz / spectra.resolution * artifacts.width_factor
        background = self._background(artifacts)
        gain = artifacts.gain(self.axis.mz)
        for start in range(0, n_spots, _CHUNK):
            part = slice(start, start + _CHUNK)
            ppm = shift_ppm + jitter_ppm[part, None]
            peaks = render_peaks(
                self.axis,
                lines.mz * (1 + 1e-6 * ppm),
                compounds[part][:, lines.compound] * lines.share,
                np.broadcast_to(fwhm, ppm.shape),
            )
            peaks += level[part, None] * background
            peaks *= exposure[part, None] * gain
            yield peaks

    def _background(self, artifacts: TmaArtifacts) -> npt.NDArray[np.float64]:
        """Baseline of a TMA per bin: decay, 1-Da chemical noise, ripple."""
        spectra, mz = self.settings.spectra, self.axis.mz
        width_da = np.diff(self.axis.edges)
        level, decay, depth_change = artifacts.baseline_terms
        fall = np.exp(-(mz - spectra.low) / (spectra.baseline_decay_da * decay))
        depth = float(np.clip(spectra.baseline_modulation + depth_change, 0.0, 0.95))
        true_mz = mz * (1 - 1e-6 * artifacts.shift_ppm(mz))
        phase = 2 * np.pi * (true_mz - PROTON_DA) / MASS_RULE_DA
        pattern = 1 + depth * np.sinc(width_da / MASS_RULE_DA) * np.cos(phase)
        ripple = 1 + artifacts.ripple(mz, width_da)
        return spectra.baseline_per_da * level * width_da * fall * pattern * ripple


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


def _regroup(
    chunks: Iterator[npt.NDArray[np.float32]], block_size: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Cut a stream of rows into blocks of `block_size`, the last one shorter."""
    held: list[npt.NDArray[np.float32]] = []
    n_held = 0
    for chunk in chunks:
        held.append(chunk)
        n_held += len(chunk)
        if n_held >= block_size:
            rows = np.concatenate(held)
            whole = n_held - n_held % block_size
            for start in range(0, whole, block_size):
                yield rows[start : start + block_size]
            held, n_held = ([rows[whole:]], n_held - whole) if n_held > whole else ([], 0)
    if held:
        yield np.concatenate(held)
