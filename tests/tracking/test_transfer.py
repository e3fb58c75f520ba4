"""Trained models applied to another cohort: the same spots, classes and numbers as by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import balanced_accuracy_score

from corespot.axis import MzAxis
from corespot.cohort.positions import SpotPositions
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.errors import ModelError
from corespot.io.cohort_folder import load_cohort, write_cohort
from corespot.io.imzml import open_imzml
from corespot.preprocess.recipe import apply_recipe
from corespot.synth.request import SynthRequest, make_requested
from corespot.tracking.transfer import transfer_models
from corespot.train.checkpoint import save_model
from corespot.train.estimator import make_estimator, where_they_lie

RECIPE = [{"step": "resample", "method": "sum"}, {"step": "normalize", "method": "tic"}]
SETTINGS: dict[str, dict[str, Any]] = {
    "logistic": {},
    "conv3d": {"patch": 3, "stride": 3, "n_peaks": 24, "epochs": 3, "batch_size": 16},
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_requested(SynthRequest.parse({"preset": "tiny", "seed": 3}, "a test"))
    folder = tmp_path_factory.mktemp("cohorts") / "other"
    write_cohort(folder, spots=made.spots, cores=made.cores, measurements=made.measurements())
    return folder


def preprocessed(folder: Path, task: TaskSpots, axis: MzAxis) -> npt.NDArray[np.float32]:
    spectra = []
    for file, spots in task.spots.groupby("file", sort=False):
        with open_imzml(folder / str(file)) as measured:
            raw = [measured.spectrum(int(at)) for at in spots["spectrum"]]
        spectra += [apply_recipe(RECIPE, mz, values, axis) for mz, values in raw]
    return np.stack(spectra)


@pytest.mark.parametrize("model", SETTINGS)
@pytest.mark.parametrize("classes", [("lung", "pancreas"), ("pancreas", "lung")])
def test_every_class_keeps_its_own_probability(
    cohort: Path, tmp_path: Path, model: str, classes: tuple[str, str]
) -> None:
    task = Task(label="organ", classes=classes)
    spots = select_spots(load_cohort(cohort).spots, "LP", task)
    assert list(dict.fromkeys(spots.spots["file"])) == sorted(set(spots.spots["file"]))
    with open_imzml(cohort / str(spots.spots["file"][0])) as measured:
        mz, _ = measured.spectrum(0)
    axis = MzAxis.tof(float(mz[0]) + 1, float(mz[-1]) - 1, 80)
    x, y = preprocessed(cohort, spots, axis), np.asarray(classes)[spots.y]
    places = where_they_lie(model, SpotPositions.of(spots.spots))
    fitted = make_estimator(model, SETTINGS[model], seed=0, device="cpu").fit(x, y, **places)
    names = [str(name) for name in fitted.classes_]
    save_model(tmp_path / "models" / "fold0", fitted, axis=axis, classes=names, recipe=RECIPE)
    there = transfer_models(tmp_path / "models", cohort, name="LP", task=task, n_bootstrap=0)
    right = balanced_accuracy_score(y, fitted.predict(x, **places))
    assert right > 0.6  # a mix-up of columns would turn this upside down
    assert there["spot"]["balanced_accuracy"]["repeats"] == pytest.approx([right])


def test_a_model_never_trained_is_told(cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no trained model"):
        transfer_models(
            tmp_path / "models", cohort, name="LP", task=Task(label="organ", classes=("a", "b"))
        )
