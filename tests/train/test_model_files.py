"""Saved models: the same numbers again, and refusal of what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from spectra_problem import peaks_problem, problem_for, quick_settings

from corespot.axis import MzAxis
from corespot.errors import ModelError
from corespot.models import registry
from corespot.train.checkpoint import load_model, save_model
from corespot.train.estimator import make_estimator

AXIS = MzAxis.tof(500, 4500, 150)
RECIPE = [{"step": "baseline", "method": "convolution", "width": 20}]
X, Y, GROUPS = peaks_problem(n_groups=4, per_group=10, n_bins=150)


def fitted(name: str) -> Any:
    settings = {"k_grid": [3, 8]} if name == "roc_lda" else quick_settings(name)
    return make_estimator(name, settings, seed=2, device="cpu").fit(X, Y, groups=GROUPS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "m", fitted("isotopenet"), axis=AXIS, classes=["AD", "SQ"], recipe=RECIPE)
    return tmp_path / "m"


def edit(folder: Path, **changes: Any) -> None:
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**about, **changes}))


@pytest.mark.parametrize("name", registry.names())
def test_a_loaded_model_gives_the_same_numbers(name: str, tmp_path: Path) -> None:
    x, y, groups, at = problem_for(name, n_bins=150)
    settings = {"k_grid": [3, 8]} if name == "roc_lda" else quick_settings(name)
    model = make_estimator(name, settings, seed=2, device="cpu").fit(x, y, groups, **at)
    save_model(tmp_path / "m", model, axis=AXIS, classes=["AD", "SQ"], recipe=RECIPE)
    loaded = load_model(tmp_path / "m")
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["model.json", "model.safetensors"]
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert loaded.axis == AXIS
    assert loaded.axis.kind == "tof"
    assert loaded.classes == ("AD", "SQ")
    assert loaded.recipe == RECIPE
    assert loaded.about["model_size"]["n_parameters"] == model.n_parameters_
    again = loaded.estimator
    for method in ("predict_proba", "predict", "mean_gradient", "embed"):
        np.testing.assert_array_equal(
            getattr(again, method)(x, **at), getattr(model, method)(x, **at)
        )
    assert again.facts_ == model.facts_
    assert again.history_ == model.history_
    if name == "roc_lda":
        for k, expected in model.predict_proba_by_k(x).items():
            np.testing.assert_array_equal(again.predict_proba_by_k(x)[k], expected)
        assert again.inner_scores_ == model.inner_scores_
    save_model(tmp_path / "m", again, axis=AXIS, classes=["AD", "SQ"], recipe=RECIPE)
    assert load_model(tmp_path / "m").about["sha256"] == loaded.about["sha256"]


def test_text_labels_survive(tmp_path: Path) -> None:
    model = make_estimator("roc_lda", {"k": 4}, seed=0).fit(X, np.array(["AD", "SQ"])[Y])
    save_model(tmp_path / "m", model, axis=AXIS, classes=["AD", "SQ"], recipe=[])
    assert list(load_model(tmp_path / "m").estimator.predict(X[:5])) == list(model.predict(X[:5]))


def test_an_unknown_format_is_refused(folder: Path) -> None:
    edit(folder, format_version=99)
    with pytest.raises(ModelError, match="format 99 cannot be read"):
        load_model(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        load_model(folder)


def test_tampered_weights_are_refused(folder: Path) -> None:
    arrays = load_file(folder / "model.safetensors")
    shape = arrays["dense.weight"].shape
    save_file({**arrays, "dense.weight": arrays["dense.weight"][:, 1:].copy()}, folder / "x")
    (folder / "x").replace(folder / "model.safetensors")
    with pytest.raises(ModelError, match=rf"dense\.weight has shape .* expected \({shape[0]}"):
        load_model(folder)
    save_file({k: v for k, v in arrays.items() if k != "dense.bias"}, folder / "x")
    (folder / "x").replace(folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"dense\.bias is missing"):
        load_model(folder)
    save_file({**arrays, "dense.bias": arrays["dense.bias"] + 1}, folder / "x")
    (folder / "x").replace(folder / "model.safetensors")
    with pytest.raises(ModelError, match="SHA-256"):
        load_model(folder)
    (folder / "model.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)


def test_a_description_of_another_model_is_refused(folder: Path) -> None:
    edit(folder, classes=["AD", "SQ", "none"])
    with pytest.raises(ModelError, match="was changed after"):
        load_model(folder)
    edit(folder, settings={"local_kernel": 3}, classes=["AD", "SQ"])
    with pytest.raises(ModelError, match=r"local\.weight has shape"):
        load_model(folder)
    edit(folder, model="nothing")
    with pytest.raises(ModelError, match="no model 'nothing'"):
        load_model(folder)


def test_axis_and_classes_must_fit_when_saving(tmp_path: Path) -> None:
    model = fitted("roc_lda")
    with pytest.raises(ModelError, match="got 3 class names"):
        save_model(tmp_path / "m", model, axis=AXIS, classes=["a", "b", "c"], recipe=[])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes", [{"classes": ["SQ", "AD"]}, {"labels": ["SQ", "AD"]}, {"recipe": []}, {"seed": 9}]
)
def test_a_description_changed_by_itself_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    edit(folder)  # another layout of the same content is no change
    load_model(folder)
    edit(folder, **changes)
    with pytest.raises(ModelError, match="was changed after the model was saved"):
        load_model(folder)
