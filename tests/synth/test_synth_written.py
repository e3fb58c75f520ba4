"""A synthetic cohort written as a folder reads back as it was made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from corespot.cohort.tasks import Task
from corespot.io.artifacts import read_json
from corespot.io.check import check_cohort
from corespot.io.cohort_folder import load_cohort, write_cohort
from corespot.io.imzml import open_imzml
from corespot.preprocess.quality import mass_shift_ppm
from corespot.synth import make_cohort, preset

TASKS = {
    "ADSQ": Task(label="subtype", classes=("AD", "SQ"), where={"roi": 1}),
    "LP": Task(label="organ", classes=("lung", "pancreas")),
}


def test_written_cohort_passes_the_check_and_holds_the_same_spectra(tmp_path: Path) -> None:
    made = make_cohort(preset("tiny"), 2)
    folder = tmp_path / "tiny"
    write_cohort(
        folder,
        spots=made.spots,
        cores=made.cores,
        measurements=made.measurements(50),
        extras={"markers.csv": made.markers, "truth.json": made.truth},
    )
    assert list(check_cohort(folder, tasks=TASKS).problems) == []

    cohort = load_cohort(folder)
    background = preset("tiny").tissue.background_per_tma
    assert set(cohort.n_background.values()) == {background}
    columns = ["file", "x", "y", "core"]
    pd.testing.assert_frame_equal(cohort.spots[columns], made.spots[columns], check_dtype=False)
    assert cohort.markers is not None and list(cohort.markers["mz"]) == list(made.markers["mz"])
    assert read_json(folder / "truth.json") == made.truth

    for m in made.measurements():
        with open_imzml(folder / m.file) as file:
            assert np.array_equal(file.coordinates, m.coordinates)
            assert np.array_equal(file.mz, made.axis.mz)
            expected = np.concatenate(list(m.blocks))
            assert np.array_equal(file.intensity_block(np.arange(len(file))), expected)


def test_the_planted_calibration_shift_is_seen_in_the_quality_table(tmp_path):
    """Ten ppm are a twentieth of a bin of the demo: only the shape of the peaks shows them."""
    settings = preset("demo")
    cohort = make_cohort(settings, 7)
    axis = cohort.axis
    means = {tma: cohort.expected(tma).mean(axis=0) for tma in sorted(cohort.cores["tma"].unique())}
    unit = {tma: mean / mean.sum() for tma, mean in means.items()}
    reference = np.mean(list(unit.values()), axis=0)
    found = [mass_shift_ppm(unit[tma], reference, axis)[0] for tma in unit]
    planted = cohort.truth["artifacts"]["calibration"]["tma"]
    true = [planted[tma]["coefficients"][0] for tma in unit]
    assert np.corrcoef(found, true)[0, 1] > 0.8
    assert np.ptp(found) > 5
