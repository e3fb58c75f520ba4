"""``params.yaml``: typed, closed, and clear about what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from corespot.errors import AuditError, ModelError, ParamsError
from corespot.params import check_everything, load_params

ROOT = Path(__file__).resolve().parents[1]
GOOD: dict[str, Any] = {
    "cohort": "data/raw/x",
    "synth": {"x": {"preset": "tiny"}},
    "tasks": {"T": {"label": "l", "classes": ["a", "b"]}},
    "models": ["roc_lda", "isotopenet"],
    "train": {"isotopenet": {"epochs": 5}},
}
THREE: dict[str, Any] = {"T": {"label": "l", "classes": ["a", "b", "c"]}}


def write(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


def test_the_projects_own_params_are_sound() -> None:
    params = load_params(ROOT / "params.yaml")
    check_everything(params)
    assert list(params.tasks) == ["ADSQ", "LP"]
    assert params.models == ("roc_lda", "isotopenet")
    # The published preprocessing, in the published order.
    steps = [(step["step"], step["method"]) for step in params.preprocess.recipe.as_list()]
    assert steps == [("baseline", "convolution"), ("normalize", "tic")]
    assert params.preprocess.recipe.as_list()[0]["width"] == 20


def test_a_tasks_own_training_settings_replace_single_ones(tmp_path: Path) -> None:
    tasks = {"T": {**GOOD["tasks"]["T"], "train": {"isotopenet": {"epochs": 2}}}}
    train = {"isotopenet": {"epochs": 5, "batch_size": 8}}
    params = load_params(write(tmp_path, tasks=tasks, train=train))
    assert params.model_settings("T", "isotopenet") == {"epochs": 2, "batch_size": 8}
    assert params.model_settings("T", "roc_lda") == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohrt": "x"}, "unknown key 'cohrt'; did you mean 'cohort'"),
        ({"folds": {"grup": "tma"}}, "did you mean 'group'"),
        ({"folds": {"repeats": 100_000_000}}, "less than or equal to 1000"),
        ({"folds": {"k": 1}}, "greater than or equal to 2"),
        ({"tasks": {"T": {"label": "l", "classes": ["a"]}}}, "two or more different classes"),
        ({"tasks": {"T": {"label": "l", "classes": ["a", "a"]}}}, "two or more different classes"),
        ({"tasks": {"T": {**GOOD["tasks"]["T"], "labl": "x"}}}, "did you mean 'label'"),
        ({"tasks": {"T": {"label": "l", "classes": [True, False]}}}, "quote the names"),
        ({"tasks": {}}, "at least one task"),
        ({"models": []}, "one or more different models"),
        ({"models": ["roc_lda", "roc_lda"]}, "one or more different models"),
        ({"tasks": {"a/b": GOOD["tasks"]["T"]}}, "letters, digits"),
        ({"preprocess": {"recipe": [{"step": "baselin"}]}}, "did you mean 'baseline'"),
        ({"synth": {"x": {"preset": "dmo"}}}, "did you mean 'demo'"),
        ({"train": {"isotopenet": [1]}}, r"train.isotopenet: expected a mapping .* got \[1\]"),
        ({"train": {"seed": "x"}}, "train.seed: expected a whole number, got 'x'"),
    ],
)
def test_faults_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        load_params(write(tmp_path, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ["isotopnet"]}, "did you mean 'isotopenet'"),
        ({"train": {"isotopenett": {}}}, "did you mean 'isotopenet'"),
        ({"train": {"isotopenet": {"epocs": 3}}}, "did you mean 'epochs'"),
        ({"train": {"isotopenet": {"epochs": -3}}}, "epochs"),
        ({"leakage": {"model": "lda"}}, "unknown model 'lda'"),
        ({"train": {"residualnet": {"epocs": 3}}}, "did you mean 'epochs'"),
        ({"cohort": "data/raw/nowhere"}, "there is no folder 'data/raw/nowhere'"),
        ({"cohort": ""}, "there is no folder ''"),
        ({"train": {"conv3d": {"patch": 0}}}, "params.yaml: train.conv3d.patch: .* got 0"),
        (
            {
                "models": ["conv3d"],
                "tasks": {"T": {**GOOD["tasks"]["T"], "train": {"conv3d": {"patch": 0}}}},
            },
            "params.yaml: tasks.T.train.conv3d.patch: .* got 0",
        ),
        ({"leakage": {"model": "compsegnet"}, "tasks": THREE}, "tasks.T: .* has 3"),
        (
            {"models": ["compsegnet"], "train": {"compsegnet": {"positive": "tumour"}}},
            "train.compsegnet.positive: 'tumour' is no class of task T, which has a, b",
        ),
        (
            {"models": ["resnet_patch"], "train": {"resnet_patch": {"weights": "no.safetensors"}}},
            "train.resnet_patch.weights: there is no file 'no.safetensors'",
        ),
    ],
)
def test_training_faults_are_named_before_anything_runs(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParamsError, match=message):
        check_everything(load_params(write(tmp_path, **changes)))


def test_a_class_called_by_a_number_may_be_the_positive_one(tmp_path: Path) -> None:
    tasks = {"T": {"label": "l", "classes": [0, 1]}}
    train = {"compsegnet": {"positive": 1}}
    changes = {"models": ["compsegnet"], "tasks": tasks, "train": train}
    check_everything(load_params(write(tmp_path, **changes)))


def test_an_unknown_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unknown device 'gpu'"):
        check_everything(load_params(write(tmp_path, train={"device": "gpu"})))


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="is missing"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(ParamsError, match="is not YAML"):
        load_params(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("- a\n- b\n")
    with pytest.raises(ParamsError, match="expected a mapping"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        ({"counterfactual": {"U": "data/raw/x"}}, "there is no task 'U'"),
        ({"counterfactual": {"T": "data/raw/gone"}}, "there is no folder 'data/raw/gone'"),
        ({"counterfactual": {"T": "data/raw/x"}}, "is the cohort itself"),
        ({"control": "l"}, "is the label of a task"),
        ({"calibration": "gone.json"}, "there is no calibration gone.json"),
    ],
)
def test_an_audit_that_cannot_be_made_is_refused(
    tmp_path: Path, audit: dict[str, Any], message: str
) -> None:
    with pytest.raises((ParamsError, AuditError), match=message):
        check_everything(load_params(write(tmp_path, audit=audit)))


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (None, None),
        ("postgresql://host/studies", "postgresql://host/studies"),
        ("sqlite:////srv/studies.db", "sqlite:////srv/studies.db"),
        ("sqlite:///studies.db", "sqlite:////project/studies.db"),
    ],
)
def test_a_relative_storage_lies_in_the_project(
    tmp_path: Path, storage: str | None, expected: str | None
) -> None:
    params = load_params(write(tmp_path, tune={"storage": storage}))
    assert params.tune.storage_in(Path("/project")) == expected
