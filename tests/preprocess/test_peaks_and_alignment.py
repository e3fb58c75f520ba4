"""Peak picking and calibration alignment on spectra whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from spectra_blocks import peptide_spectra

from corespot.axis import MzAxis
from corespot.preprocess.align import apex
from corespot.preprocess.align_peptides import shift_by_peptide_rule
from corespot.preprocess.data_kind import decide_kind
from corespot.preprocess.peaks import parse_tolerance, pick_maxima, read_listed
from corespot.preprocess.recipe import Recipe
from corespot.units import Tolerance


@pytest.fixture
def peptide_axis() -> MzAxis:
    return MzAxis.tof(800.0, 2400.0, 12_000)


def test_maxima_are_kept_and_everything_else_is_zero():
    rng = np.random.default_rng(0)
    row = rng.normal(0, 1, 1000).clip(0)
    row[[100, 300, 700]] += [50, 80, 40]
    row = row.astype(np.float32)
    picked = pick_maxima(row[None], snr=15, half_window=5, measure="height")[0]
    assert np.flatnonzero(picked).tolist() == [100, 300, 700]
    assert np.array_equal(picked[[100, 300, 700]], row[[100, 300, 700]])
    area = pick_maxima(row[None], snr=15, half_window=2, measure="area")[0]
    assert area[300] == pytest.approx(row[298:303].sum(), rel=1e-6)


def test_a_plateau_is_one_peak_and_a_flat_spectrum_none():
    row = np.zeros((1, 50), dtype=np.float32)
    row[0, 20:24] = 5
    picked = pick_maxima(row, snr=3, half_window=5, measure="height")
    assert np.flatnonzero(picked[0]).tolist() == [20]
    assert not pick_maxima(
        np.zeros((1, 50), np.float32), snr=3, half_window=5, measure="height"
    ).any()


def test_listed_peaks_read_their_windows():
    axis = MzAxis.equidistant(100, 199, 100)
    row = np.arange(100, dtype=np.float32)[None]
    listed = MzAxis(np.array([110.0, 150.4]))
    height = read_listed(row, axis, listed, tolerance=Tolerance(1, "da"), measure="height")
    assert height.tolist() == [[11, 51]]
    area = read_listed(row, axis, listed, tolerance=Tolerance(1, "da"), measure="area")
    assert area.tolist() == [[9 + 10 + 11, 50 + 51]]
    nothing = read_listed(row, axis, listed, tolerance=Tolerance(1, "ppm"), measure="height")
    assert nothing.tolist() == [[10, 0]]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [("0.3 Da", 0.3, "da"), ("200ppm", 200, "ppm"), ("1e1 PPM", 10, "ppm")],
)
def test_tolerances_are_read(text, value, unit):
    assert parse_tolerance(text) == Tolerance(value, unit)


@pytest.mark.parametrize("text", ["0.3", "Da", "-1 Da", "1.2.3 Da", "5 mDa"])
def test_bad_tolerances_are_refused(text):
    with pytest.raises(ValueError, match="tolerance"):
        parse_tolerance(text)


def test_the_apex_of_a_parabola_is_exact_on_uneven_points():
    mz = np.array([1000.0, 1000.3, 1000.7])
    assert apex(mz, 5 - (mz - 1000.41) ** 2, 1) == pytest.approx(1000.41, abs=1e-9)
    assert apex(mz, np.array([1.0, 1.0, 1.0]), 1) == 1000.3


@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_the_peptide_rule_finds_affine_shifts(peptide_axis, noise):
    wanted = [(0, 0), (80, 80), (-120, -120), (-60, 90)]
    low, high = peptide_axis.mz[[0, -1]]
    shifts = [lambda mz, a=a, b=b: a + (b - a) * (mz - low) / (high - low) for a, b in wanted]
    spectra = peptide_spectra(peptide_axis, shifts, noise=noise)
    found = np.stack(shift_by_peptide_rule(spectra, peptide_axis, max_ppm=200), axis=1)
    assert np.abs(found - wanted).max() < 15


def test_peptide_alignment_brings_shifted_spectra_back(peptide_axis):
    true = peptide_spectra(peptide_axis, [lambda mz: 0 * mz])
    shifted = peptide_spectra(peptide_axis, [lambda mz: 0 * mz + 150])
    recipe = Recipe.parse([{"step": "align", "method": "peptide_rule"}])
    recipe.check("profile", peptide_axis)
    aligned = recipe.apply(shifted, peptide_axis, peptide_axis)
    assert np.corrcoef(shifted[0], true[0])[0, 1] < 0.6
    assert np.corrcoef(aligned[0], true[0])[0, 1] > 0.98


def test_reference_alignment_brings_an_affine_shift_back(peptide_axis):
    references = np.array([900.4, 1200.6, 1500.7, 1900.9, 2300.1])

    def spectrum(a, b):
        row = np.zeros(peptide_axis.n_bins)
        for mz in references:
            centre = mz * (1 + (a + b * (mz - 1600) / 800) * 1e-6)
            row += 100 * np.exp(-0.5 * ((peptide_axis.mz - centre) / 0.2) ** 2)
        return row.astype(np.float32)

    recipe = Recipe.parse(
        [{"step": "align", "method": "references", "mz": list(references), "tolerance": "400 ppm"}]
    )
    block = np.stack([spectrum(120, 40), spectrum(0, 0), np.zeros(peptide_axis.n_bins, np.float32)])
    out = recipe.apply(block, peptide_axis, peptide_axis)
    assert np.corrcoef(out[0], spectrum(0, 0))[0, 1] > 0.999
    assert np.abs(out[1] - block[1]).max() < 1
    assert not out[2].any()


def test_too_few_references_leave_a_spectrum_alone(peptide_axis):
    row = peptide_spectra(peptide_axis, [lambda mz: 0 * mz])
    row[:, peptide_axis.mz > 1000] = 0
    recipe = Recipe.parse(
        [{"step": "align", "method": "references", "mz": [1500.0, 2000.0], "tolerance": "0.5 Da"}]
    )
    assert np.array_equal(recipe.apply(row, peptide_axis, peptide_axis), row)


def look(mz, intensity):
    return [(np.asarray(mz, float), np.asarray(intensity, float))]


def test_the_files_word_counts_and_a_contradiction_is_reported():
    grid = np.linspace(500, 600, 400)
    dense = look(grid, np.ones(400))
    assert decide_kind([True, True], dense).kind == "profile"
    wrong = decide_kind([False], dense)
    assert wrong.kind == "centroid"
    assert "set preprocess.data_kind: profile" in wrong.explanation
    assert decide_kind([False], dense, wanted="profile").kind == "profile"


def test_silent_or_contradicting_files_are_decided_by_the_data():
    rng = np.random.default_rng(0)
    dense = look(np.linspace(500, 600, 400), np.ones(400))
    sticks = look(np.sort(rng.uniform(500, 600, 400)), np.ones(400))
    sparse = look(np.linspace(500, 600, 400), rng.random(400) < 0.05)
    assert decide_kind([None], dense).kind == "profile"
    assert decide_kind([None, None], sticks).kind == "centroid"
    assert decide_kind([None], sparse).kind == "centroid"
    mixed = decide_kind([True, False], dense)
    assert mixed.kind == "profile"
    assert "contradict" in mixed.explanation
