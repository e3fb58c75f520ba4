"""Biology: peptide abundances by patient, core and spot, and the planted class differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.seeding import generator
from corespot.settings import Settings
from corespot.synth.design import ORGANS, SUBTYPES, PatientPlan, TmaPlan
from corespot.synth.spectra import SpectraSettings, draw_matrix_mz, draw_peptide_mz
from corespot.synth.tissue import TmaTissue

FloatArray = npt.NDArray[np.float64]

#: Markers of lung subtypes at their published m/z, and the subtype in which each is higher.
PUBLISHED_MARKERS: tuple[tuple[str, float, str], ...] = (
    ("CK7", 1406.6, "AD"),
    ("CK5", 1410.7, "SQ"),
    ("CK15a", 1821.8, "SQ"),
    ("CK15b", 1877.8, "SQ"),
    ("HSP27", 1905.9, "SQ"),
)


class BiologySettings(Settings):
    """How abundances differ; every size is on the log scale.

    Parameters
    ----------
    patient_sd, core_sd, spot_sd : float
        Standard deviation of each peptide between patients, between cores of a patient and
        between spots of a core.
    n_factors : int
        Latent factors shared by the peptides.
    factor_share : float
        Share of each variance that goes through the factors.
    tissue_sd : float
        Standard deviation over peptides of the difference between tumour and stroma.
    marker_log_fold : float
        Difference of the published markers between AD and SQ, in tumour spots.
    marker_log_area : float
        Log area of the published markers over the median peptide's.
    stroma_share : float
        Share of the subtype differences that stroma shows.
    n_weak_subtype : int
        Further peptides with a weak difference between AD and SQ.
    weak_log_fold : tuple of float
        Smallest and largest size of those.
    n_organ : int
        Peptides that differ between lung and pancreas, in all tissue.
    organ_log_fold : tuple of float
        Smallest and largest size of those.
    """

    patient_sd: float = Field(default=0.45, ge=0)
    core_sd: float = Field(default=0.15, ge=0)
    spot_sd: float = Field(default=0.30, ge=0)
    n_factors: int = Field(default=6, ge=1)
    factor_share: float = Field(default=0.5, ge=0, le=1)
    tissue_sd: float = Field(default=0.5, ge=0)
    marker_log_fold: float = Field(default=1.1, ge=0)
    marker_log_area: float = 1.8
    stroma_share: float = Field(default=0.1, ge=0, le=1)
    n_weak_subtype: int = Field(default=6, ge=0)
    weak_log_fold: tuple[float, float] = (0.15, 0.35)
    n_organ: int = Field(default=8, ge=0)
    organ_log_fold: tuple[float, float] = (0.25, 0.50)


@dataclass(frozen=True)
class PlantedMarker:
    """A peptide whose abundance differs between two classes.

    Parameters
    ----------
    name : str
        Published name, or ``weak-…`` and ``organ-…`` for the others.
    mz : float
        Monoisotopic m/z.
    label : str
        Column of the classes.
    up_in : str
        Class in which it is higher.
    log_fold : float
        Size of the difference.
    published : bool
        Whether it belongs to the marker table.
    """

    name: str
    mz: float
    label: str
    up_in: str
    log_fold: float
    published: bool

    @property
    def reference(self) -> str:
        """First class of the label, to which `sign` refers."""
        return SUBTYPES[0] if self.label == "subtype" else ORGANS[0]

    @property
    def sign(self) -> int:
        """+1 if more of it speaks for the first class of the label, −1 if against."""
        return 1 if self.up_in == self.reference else -1


@dataclass(frozen=True, eq=False)
class Proteome:
    """What all tissue of one seed has in common; the same for a counterfactual cohort.

    Parameters
    ----------
    mz : ndarray of float64, shape (n_peptides,)
        Monoisotopic m/z, increasing.
    log_area : ndarray of float64, shape (n_peptides,)
        Log of the mean area.
    loadings : ndarray of float64, shape (n_factors, n_peptides)
        Latent factors; columns have a mean square sum of one.
    tissue : ndarray of float64, shape (n_peptides,)
        Log difference between tumour and stroma.
    subtype, organ : ndarray of float64, shape (n_peptides,)
        Log difference between the first and the second class.
    markers : tuple of PlantedMarker
        Where `subtype` and `organ` are not zero.
    matrix_mz, matrix_area : ndarray of float64, shape (n_matrix,)
        Matrix clusters.
    """

    mz: FloatArray
    log_area: FloatArray
    loadings: FloatArray
    tissue: FloatArray
    subtype: FloatArray
    organ: FloatArray
    markers: tuple[PlantedMarker, ...]
    matrix_mz: FloatArray
    matrix_area: FloatArray


def draw_proteome(biology: BiologySettings, spectra: SpectraSettings, seed: int) -> Proteome:
    """Draw peptides, their factors and the planted differences from `seed`.

    Published markers outside the m/z axis are left out.
    """
    known = [m for m in PUBLISHED_MARKERS if spectra.low + 5 < m[1] < spectra.high - 8]
    known_mz = np.array([mz for _, mz, _ in known])
    others = draw_peptide_mz(
        spectra.n_peptides - len(known),
        spectra.low,
        spectra.high,
        generator(seed, "peptides"),
        keep_free=known_mz,
    )
    mz = np.sort(np.concatenate([others, known_mz]))
    n = mz.size
    rng = generator(seed, "proteome")
    log_area = np.log(spectra.peptide_area) + spectra.peptide_log_sd * rng.standard_normal(n)
    loadings = rng.standard_normal((biology.n_factors, n)) / np.sqrt(biology.n_factors)
    tissue = biology.tissue_sd * rng.standard_normal(n)
    subtype, organ = np.zeros(n), np.zeros(n)
    markers: list[PlantedMarker] = []
    is_known = np.isin(mz, known_mz)

    def plant(at: int, name: str, label: str, up_in: str, size: float, published: bool) -> None:
        marker = PlantedMarker(name, float(mz[at]), label, up_in, size, published)
        (subtype if label == "subtype" else organ)[at] = marker.sign * size
        markers.append(marker)

    for name, at_mz, up_in in known:
        at = int(np.flatnonzero(mz == at_mz)[0])
        log_area[at] = np.log(spectra.peptide_area) + biology.marker_log_area
        tissue[at] = 0.0
        plant(at, name, "subtype", up_in, biology.marker_log_fold, True)
    # Differences are planted on peptides that can be seen.
    candidates = np.flatnonzero(~is_known & (log_area > np.median(log_area)))
    chosen = rng.permutation(candidates)
    n_weak = min(biology.n_weak_subtype, chosen.size // 2)
    for index, at in enumerate(chosen[:n_weak]):
        size = float(rng.uniform(*biology.weak_log_fold))
        plant(int(at), f"weak-{index + 1}", "subtype", SUBTYPES[index % 2], size, False)
    for index, at in enumerate(chosen[n_weak : n_weak + biology.n_organ]):
        size = float(rng.uniform(*biology.organ_log_fold))
        plant(int(at), f"organ-{index + 1}", "organ", ORGANS[index % 2], size, False)

    matrix_rng = generator(seed, "matrix")
    matrix_mz = draw_matrix_mz(spectra.n_matrix, spectra.low, spectra.high, matrix_rng)
    matrix_area = spectra.matrix_area * np.exp(0.6 * matrix_rng.standard_normal(matrix_mz.size))
    return Proteome(
        mz, log_area, loadings, tissue, subtype, organ, tuple(markers), matrix_mz, matrix_area
    )


def peptide_areas(
    proteome: Proteome, biology: BiologySettings, plan: TmaPlan, tissue: TmaTissue, seed: int
) -> FloatArray:
    """Areas of all peptides in all spots of a TMA, before its artifacts; zero on background.

    Returns
    -------
    ndarray of float64, shape (n_spots, n_peptides)
    """
    on_core = tissue.core >= 0
    core = tissue.core[on_core]
    patient = tissue.core_patient[core]
    tumour = tissue.tumour[on_core]

    patients = np.stack(
        [
            _deviation(proteome, biology, biology.patient_sd, seed, "patient", p.patient)
            + 0.5 * _sign(p.organ, ORGANS) * proteome.organ
            for p in plan.patients
        ]
    )
    cores = np.stack(
        [
            _deviation(proteome, biology, biology.core_sd, seed, "core", name)
            for name in tissue.core_names
        ]
    )
    log_area = proteome.log_area + patients[patient] + cores[core]
    log_area += np.where(tumour, 0.5, -0.5)[:, None] * proteome.tissue
    effect = 0.5 * _subtype_signs(plan.patients)[patient]
    effect *= np.where(tumour, 1.0, biology.stroma_share)
    log_area += effect[:, None] * proteome.subtype
    log_area += _deviation(
        proteome, biology, biology.spot_sd, seed, "spots", plan.tma, n=int(on_core.sum())
    )
    areas = np.zeros((tissue.core.size, proteome.mz.size))
    areas[on_core] = np.exp(log_area)
    return areas


def _deviation(
    proteome: Proteome, biology: BiologySettings, sd: float, seed: int, *names: str, n: int = 0
) -> FloatArray:
    """Random deviation of every peptide, partly through the latent factors."""
    rng = generator(seed, *names)
    rows = max(n, 1)
    factors = rng.standard_normal((rows, biology.n_factors))
    own = rng.standard_normal((rows, proteome.mz.size))
    shared = np.zeros_like(own)
    # A sum by hand: a matrix product may round differently for other numbers of rows.
    for index, loading in enumerate(proteome.loadings):
        shared += factors[:, index, None] * loading
    share = biology.factor_share
    deviation: FloatArray = sd * (np.sqrt(share) * shared + np.sqrt(1 - share) * own)
    return deviation if n else np.asarray(deviation[0], dtype=np.float64)


def _sign(value: str, classes: Sequence[str]) -> int:
    return 0 if value not in classes else (1 if value == classes[0] else -1)


def _subtype_signs(patients: Sequence[PatientPlan]) -> FloatArray:
    return np.array([_sign(patient.subtype, SUBTYPES) for patient in patients], dtype=np.float64)
