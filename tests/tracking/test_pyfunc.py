"""The served model: what it asks of its input, and that a missing one is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.tracking.pyfunc import FoldEnsemble, load_ensemble
from corespot.train.checkpoint import save_model
from corespot.train.estimator import make_estimator

AXIS = MzAxis.tof(800, 900, 24)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Eight cores of four spots, as MLflow hands them over."""
    rng = np.random.default_rng(0)
    rows = [(f"core{c}", x, y) for c in range(8) for y in range(2) for x in range(2)]
    spots = pd.DataFrame(rows, columns=["core", "x", "y"])
    spectra = rng.gamma(2.0, size=(len(spots), 24)).astype(np.float32)
    return spots.assign(mz=[AXIS.mz] * len(spots), intensity=list(spectra))


@pytest.fixture(scope="module")
def ensemble(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> FoldEnsemble:
    home = tmp_path_factory.mktemp("models")
    settings = {"patch": 2, "stride": 2, "n_peaks": 8, "epochs": 1}
    labels = np.where(np.arange(len(table)) // 4 % 2 == 0, "a", "b")
    spectra = np.stack(table["intensity"].tolist())
    for seed in range(2):
        model = make_estimator("conv3d", settings, seed=seed, device="cpu")
        model.fit(spectra, labels, positions=SpotPositions.of(table))
        save_model(home / f"fold{seed}", model, axis=AXIS, classes=["a", "b"], recipe=[])
    return load_ensemble(home)


def test_the_mean_of_the_folds_is_served(ensemble: FoldEnsemble, table: pd.DataFrame) -> None:
    served = ensemble.predict(table)
    spectra = np.stack([ensemble.preprocess(AXIS.mz, each) for each in table["intensity"]])
    places = SpotPositions.of(table)
    each = [one.estimator.predict_proba(spectra, positions=places) for one in ensemble.models]
    np.testing.assert_allclose(served[["prob_a", "prob_b"]], np.mean(each, axis=0))
    assert not np.allclose(each[0], each[1])


@pytest.mark.parametrize("column", ["mz", "intensity", "core", "x"])
def test_a_missing_column_is_named(
    ensemble: FoldEnsemble, table: pd.DataFrame, column: str
) -> None:
    with pytest.raises(ModelError, match=column):
        ensemble.predict(table.drop(columns=column))


def test_an_empty_table_and_a_model_never_trained_are_told(
    ensemble: FoldEnsemble, table: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="got one without a row"):
        ensemble.predict(table.iloc[:0])
    with pytest.raises(ModelError, match="nothing holds no trained model"):
        load_ensemble(tmp_path / "nothing")
