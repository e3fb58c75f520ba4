"""A real tumour TMA, peak-picked by its authors: train on one slide, test on the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import SpotTruth, Task, TaskSpots, select_spots
from corespot.errors import FoldError
from corespot.evaluate.segmentation import evaluate_segmentation
from corespot.evaluate.summary import evaluate_predictions
from corespot.io.cohort_folder import load_cohort
from corespot.io.preprocessed import preprocess_cohort
from corespot.io.store import SpectraStore
from corespot.preprocess.recipe import PreprocessSettings
from corespot.train.crossvalidate import cross_validate, predictions_table

TISSUE = Task(label="tissue", classes=("tumor", "stroma"))
DIAGNOSIS = Task(
    label="diagnosis",
    classes=("cancer", "normal"),
    truth=SpotTruth(label="tissue", classes=("tumor", "stroma")),
)
SLIDE = Task(label="slide_in_stroma", classes=("TMA1", "TMA2"))


@pytest.fixture(scope="module")
def store(
    shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> SpectraStore:
    folder = shared_data("bladder-tma")
    out = tmp_path_factory.mktemp("bladder") / "store"
    preprocess_cohort(
        folder, out, cohort=load_cohort(folder), settings=PreprocessSettings(), progress=None
    )
    return SpectraStore.open(out)


def predicted(
    store: SpectraStore, task: TaskSpots, folds: FoldSettings, model: str, settings: dict[str, Any]
) -> pd.DataFrame:
    results = cross_validate(
        store, task, make_folds(task, folds), model=model, settings=settings, seed=1, device="cpu"
    )
    return pd.concat(
        [
            predictions_table(r.fold.test_rows, r.probabilities, fold=r.fold, task=task)
            for r in results
        ]
    )


def balanced_accuracy(
    store: SpectraStore, task: TaskSpots, folds: FoldSettings, model: str, settings: dict[str, Any]
) -> float:
    predictions = predicted(store, task, folds, model, settings)
    levels = evaluate_predictions(predictions, store.spots, task.classes, n_bootstrap=0)
    return float(levels["spot"]["balanced_accuracy"]["median"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("roc_lda", {}),
        ("logistic", {}),
        ("conv1d", {}),
        ("dilated", {}),
        ("isotopenet", {"epochs": 12, "batch_size": 64, "learning_rate": 0.005}),
    ],
)
def test_tissue_is_told_on_a_slide_never_seen(
    store: SpectraStore, model: str, settings: dict[str, Any]
) -> None:
    task = select_spots(store.spots, "tissue", TISSUE)
    folds = FoldSettings(group="tma", k=2, seed=1)
    assert balanced_accuracy(store, task, folds, model, settings) >= 0.93


def test_a_label_that_is_the_slide_is_refused_by_slide_and_learnt_by_core(
    store: SpectraStore,
) -> None:
    task = select_spots(store.spots, "slide_in_stroma", SLIDE)
    with pytest.raises(FoldError, match=r"class TMA1 occurs on 1 TMA.*use group: "):
        make_folds(task, FoldSettings(group="tma", k=2))
    # Published for quick linear models: .72-.83; chance would say that slides leave no trace.
    found = balanced_accuracy(store, task, FoldSettings(group="core", k=4, seed=1), "roc_lda", {})
    assert 0.65 < found < 0.9


@pytest.mark.slow
def test_labels_of_whole_cores_are_enough_to_find_the_tumour(store: SpectraStore) -> None:
    task = select_spots(store.spots, "diagnosis", DIAGNOSIS)
    folds = FoldSettings(group="core", k=4, seed=1)
    predictions = predicted(store, task, folds, "compsegnet", {})
    found, cores = evaluate_segmentation(
        predictions,
        store.spots,
        task.classes,
        truth=task.truth_by_row(len(store.spots)),
        truth_label="tissue",
        n_bootstrap=0,
    )
    # A linear model that takes the core's label for that of its spots: .778.
    assert found["spot_balanced_accuracy"]["value"] >= 0.83
    assert found["fraction_auc"]["value"] >= 0.85
    assert len(cores) == 41
