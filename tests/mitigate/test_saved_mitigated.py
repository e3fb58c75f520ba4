"""A saved classifier predicts bit by bit the same, and tells when a part of it was exchanged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from nested_cohort import AXIS, nested_cohort

from corespot.errors import ModelError
from corespot.mitigate.mitigated import MitigatedClassifier
from corespot.mitigate.requested import make_ways
from corespot.mitigate.saved import load_mitigated, save_mitigated
from corespot.train.checkpoint import load_model
from corespot.train.estimator import make_estimator

COHORT = nested_cohort()
X, Y = COHORT.spectra, COHORT.spots["kind"].to_numpy(dtype=str)
CONV = {"epochs": 1, "batch_size": 16, "n_kept": 20}


def fitted(*names: str, model: str = "logistic") -> MitigatedClassifier:
    inner = make_estimator(model, CONV if model == "conv1d" else {}, seed=1, device="cpu")
    return MitigatedClassifier(inner, make_ways(names), AXIS, random_state=4).fit(X, Y)


@pytest.mark.parametrize(
    "names",
    [
        ("mask_off_peak", "augmentation"),
        ("artifact_projection", "peak_list"),
        ("artifact_penalty",),
        (),
    ],
)
def test_what_is_loaded_answers_as_what_was_saved(tmp_path: Path, names: tuple[str, ...]) -> None:
    one = fitted(*names, model="conv1d")
    save_mitigated(tmp_path / "m", one, classes=("a", "b"), recipe=[{"step": "normalize"}])
    loaded = load_mitigated(tmp_path / "m")
    assert loaded.classes == ("a", "b") and loaded.axis == AXIS
    assert np.array_equal(loaded.estimator.predict_proba(X), one.predict_proba(X))
    assert np.array_equal(loaded.estimator.mean_gradient(X), one.mean_gradient(X))
    assert loaded.estimator.facts_["ways"] == one.facts_["ways"]
    assert [way.name for way in loaded.estimator.ways] == list(names)
    with pytest.raises(ModelError):
        load_model(tmp_path / "m")


def test_parts_cannot_be_exchanged(tmp_path: Path) -> None:
    for name, way in (("one", "mask_off_peak"), ("two", "peak_list")):
        save_mitigated(tmp_path / name, fitted(way), classes=("a", "b"), recipe=[])
    (tmp_path / "two" / "changes.npz").replace(tmp_path / "one" / "changes.npz")
    with pytest.raises(ModelError, match="are not those"):
        load_mitigated(tmp_path / "one")
    with pytest.raises(ModelError, match=r"changes\.npz is missing"):
        load_mitigated(tmp_path / "two")


def test_an_unknown_change_is_no_traceback(tmp_path: Path) -> None:
    save_mitigated(tmp_path / "m", fitted("peak_list"), classes=("a", "b"), recipe=[])
    about = tmp_path / "m" / "mitigation.json"
    content = json.loads(about.read_text())
    about.write_text(json.dumps({**content, "changes": ["Magic"]}))
    with pytest.raises(ModelError, match="damaged"):
        load_mitigated(tmp_path / "m")


def test_a_model_of_corrected_tmas_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="batch_correction"):
        save_mitigated(tmp_path / "m", fitted("batch_correction"), classes=("a", "b"), recipe=[])
    assert not (tmp_path / "m").exists()
