"""Artifact families: each changes what it should, and nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from corespot.errors import ParamsError
from corespot.synth import SyntheticCohort, SynthSettings, make_cohort
from corespot.synth.biology import BiologySettings
from corespot.synth.confounds import (
    DEFAULT_WEIGHTS,
    FAMILIES,
    ArtifactSettings,
    Family,
    draw_artifacts,
)
from corespot.synth.design import DesignSettings, OrganSettings, plan_tmas
from corespot.synth.spectra import SpectraSettings, lines_of
from corespot.synth.tissue import TissueSettings

SEED = 3
TMA = "TMA03"
GROUP = OrganSettings(n_tmas=2, patients_per_tma=2, cores_per_patient=(1.0,))


@cache
def cohort(
    *families: Family,
    peptide_area: float = 300.0,
    baseline: float = 60.0,
    resolution: float = 4500.0,
) -> SyntheticCohort:
    """A small cohort on which only `families` act."""
    return make_cohort(
        SynthSettings(
            design=DesignSettings(lung=GROUP, pancreas=GROUP),
            spectra=SpectraSettings(
                low=1250,
                high=2050,
                n_bins=8000,
                n_peptides=30,
                n_matrix=8,
                jitter_ppm=0,
                resolution=resolution,
                peptide_area=peptide_area,
                baseline_per_da=baseline,
            ),
            biology=BiologySettings(n_organ=2, n_weak_subtype=2),
            tissue=TissueSettings(core_radius=(1.0, 1.5), background_per_tma=2),
            artifacts=ArtifactSettings(
                amplitude=1.0, weights={family: DEFAULT_WEIGHTS[family] for family in families}
            ),
        ),
        SEED,
    )


def expected(*families: Family, **settings: float) -> npt.NDArray[np.float64]:
    return cohort(*families, **settings).expected(TMA)


def off_peaks(mz: npt.NDArray[np.float64], lines: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Bins further than any peak reaches."""
    distance = np.abs(mz[:, None] - lines).min(axis=1)
    return distance > 6 * mz / 4500 / 2


def rank_one(change: npt.NDArray[np.float64]) -> bool:
    """Whether all spots change alike, up to a factor."""
    sizes = np.linalg.svd(change, compute_uv=False)
    return bool(sizes[1] < 1e-9 * sizes[0])


def test_no_artifact_by_default_weights_at_amplitude_zero() -> None:
    for artifacts in cohort().artifacts.values():
        assert all(np.all(values == 0) for values in artifacts.coefficients.values())
        assert artifacts.width_factor == artifacts.noise_factor == artifacts.matrix_factor == 1


def test_calibration_moves_centroids_by_the_stated_ppm() -> None:
    sharp = {"baseline": 0.0, "resolution": 9000.0}
    clean, moved = expected(**sharp), expected("calibration", **sharp)
    made = cohort("calibration", **sharp)
    mz = made.axis.mz
    c = made.artifacts[TMA].coefficients["calibration"]
    legendre = [1.5 * c[2], c[1], c[0] - 0.5 * c[2]]
    for centre in (1406.6, 1410.7, 1877.8):
        window = np.abs(mz - centre) < 0.5
        z = (centre - 1650) / 400
        ppm = np.polyval(legendre, z)
        assert abs(ppm) > 0.5
        # Background spots hold no peptide.
        rows = clean[:, window].sum(axis=1) > 0
        before, after = (
            (block[rows][:, window] @ mz[window]) / block[rows][:, window].sum(axis=1)
            for block in (clean, moved)
        )
        assert np.allclose((after - before) / centre * 1e6, ppm, atol=0.6)
    assert np.allclose(clean.sum(axis=1), moved.sum(axis=1), rtol=1e-3)


def test_resolution_changes_widths_and_neither_areas_nor_centroids() -> None:
    clean, wide = expected(baseline=0.0), expected("resolution", baseline=0.0)
    made = cohort("resolution", baseline=0.0)
    mz = made.axis.mz
    factor = np.exp(made.artifacts[TMA].coefficients["resolution"][0])
    assert abs(np.log(factor)) > 0.03
    window = np.abs(mz - 1406.6) < 0.5
    rows = clean[:, window].sum(axis=1) > 0
    spread, centroid = [], []
    for block in (clean, wide):
        part = block[rows][:, window]
        part = part / part.sum(axis=1, keepdims=True)
        centroid.append(part @ mz[window])
        spread.append(part @ mz[window] ** 2 - centroid[-1] ** 2)
    # A bin's own width adds a twelfth of its square to both variances.
    bin_variance = 0.1**2 / 12
    ratio = np.sqrt((spread[1] - bin_variance) / (spread[0] - bin_variance))
    assert np.allclose(ratio, factor, rtol=0.02)
    assert np.allclose(centroid[0], centroid[1], atol=0.002)
    assert np.allclose(clean.sum(axis=1), wide.sum(axis=1), rtol=1e-3)


def test_baseline_changes_the_background_alone() -> None:
    change = expected("baseline") - expected()
    assert np.abs(change).max() > 0.1
    assert rank_one(change)
    no_baseline = expected("baseline", baseline=0.0) - expected(baseline=0.0)
    assert np.all(no_baseline == 0)


def test_gain_is_one_smooth_factor_on_everything() -> None:
    ratio = expected("gain") / expected()
    made = cohort("gain")
    c, z = made.artifacts[TMA].coefficients["gain"], (made.axis.mz - 1650) / 400
    assert np.allclose(np.log(ratio), c[0] * z + c[1] * (1.5 * z**2 - 0.5), atol=1e-9)
    assert np.ptp(ratio[0]) > 0.05
    assert np.abs(np.diff(np.log(ratio[0]), 2)).max() < 1e-5


def test_noise_changes_scatter_and_not_the_expectation() -> None:
    assert np.array_equal(expected("noise"), expected())
    factor = np.exp(cohort("noise").artifacts[TMA].coefficients["noise"][0])
    residual = []
    for made in (cohort(peptide_area=3000.0), cohort("noise", peptide_area=3000.0)):
        drawn = next(np.concatenate(list(m.blocks)) for m in made.measurements() if TMA in m.file)
        high = made.expected(TMA) > 100
        residual.append((drawn - made.expected(TMA))[high])
    assert np.allclose(residual[1], factor * residual[0], atol=0.02)


def test_matrix_changes_its_clusters_alone() -> None:
    made = cohort("matrix")
    change = expected("matrix") - expected()
    lines = lines_of(made.proteome.matrix_mz)
    away = off_peaks(made.axis.mz, lines.mz)
    assert made.proteome.matrix_mz.size == 8
    assert np.allclose(change[:, away], 0, atol=1e-3)
    clean = expected(peptide_area=1e-9, baseline=0.0)
    more = expected("matrix", peptide_area=1e-9, baseline=0.0)
    factor = np.exp(made.artifacts[TMA].coefficients["matrix"][0])
    assert np.allclose(more.sum(axis=1) / clean.sum(axis=1), factor)


def test_ripple_lies_on_the_baseline_above_1900() -> None:
    change = expected("ripple") - expected()
    mz = cohort().axis.mz
    assert np.all(change[:, mz < 1900] == 0)
    assert np.abs(change[:, mz > 2000]).max() > 0.1
    assert rank_one(change)
    assert np.all(cohort("ripple").artifacts[TMA].periods_da >= 0.7)
    assert np.all(cohort("ripple").artifacts[TMA].periods_da <= 5.0)


def test_digestion_changes_peptide_areas_alone() -> None:
    made = cohort("digestion")
    mz = made.axis.mz
    change = expected("digestion") - expected()
    away = off_peaks(mz, lines_of(made.proteome.mz).mz)
    assert np.abs(change).max() > 1
    assert np.allclose(change[:, away], 0, atol=1e-2)
    window = np.abs(mz - 1406.6) < 0.4
    clean, digested = (
        block[:, window].sum(axis=1)
        for block in (expected(baseline=0.0), expected("digestion", baseline=0.0))
    )
    at = int(np.flatnonzero(made.proteome.mz == 1406.6)[0])
    factor = np.exp(made.artifacts[TMA].coefficients["digestion"][at])
    tissue = clean > 0
    assert np.allclose(digested[tissue] / clean[tissue], factor, rtol=1e-6)
    assert np.all(change[~tissue] == 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_other_families_do_not_move_when_one_is_switched_on(family: Family) -> None:
    together, alone = cohort(*FAMILIES), cohort(family)
    for tma in together.artifacts:
        assert np.array_equal(
            together.artifacts[tma].coefficients[family], alone.artifacts[tma].coefficients[family]
        )
        assert np.any(alone.artifacts[tma].coefficients[family] != 0)
        for other in FAMILIES:
            if other != family:
                assert np.all(alone.artifacts[tma].coefficients[other] == 0)


def test_terms_follow_amplitude_weight_and_rho() -> None:
    plans = plan_tmas(
        DesignSettings(
            lung=OrganSettings(n_tmas=60, patients_per_tma=2),
            pancreas=OrganSettings(n_tmas=60, patients_per_tma=2),
        ),
        np.random.default_rng(0),
    )
    drawn = draw_artifacts(
        ArtifactSettings(amplitude=0.5, rho=0.7, weights={"digestion": 0.4}),
        plans,
        n_peptides=80,
        low=700,
        high=3000,
        seed=SEED,
    )
    values = {
        campaign: np.stack(
            [
                drawn[plan.tma].coefficients["digestion"]
                for plan in plans
                if plan.campaign == campaign
            ]
        )
        for campaign in ("A", "B")
    }
    unit = 0.5 * 0.4
    means = np.stack([block.mean(axis=0) for block in values.values()])
    assert np.sqrt(np.mean(means**2)) == pytest.approx(unit * np.sqrt(0.7), rel=0.03)
    assert np.allclose(means.sum(axis=0), 0, atol=0.09)
    for block in values.values():
        assert block.std(axis=0).mean() == pytest.approx(unit * np.sqrt(0.3), rel=0.03)


def test_unknown_family_and_negative_weight_are_refused() -> None:
    with pytest.raises(ParamsError, match="wobble"):
        ArtifactSettings.parse({"weights": {"wobble": 1.0}}, "params.yaml: artifacts")
    with pytest.raises(ParamsError, match="not negative"):
        ArtifactSettings.parse({"weights": {"gain": -1.0}}, "params.yaml: artifacts")
