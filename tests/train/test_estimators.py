"""Contract of every estimator, and what the networks' training promises."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GroupKFold, cross_validate
from spectra_problem import peaks_problem, problem_for, quick_settings

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError, ParamsError
from corespot.models import registry
from corespot.train.estimator import (
    ESTIMATORS,
    IsotopeNetClassifier,
    ResidualNetClassifier,
    make_estimator,
)
from corespot.train.fit_inputs import Watched
from corespot.train.model_settings import loop_settings, setting_names
from corespot.train.network_classifier import NetworkClassifier

NAMES = registry.names()
NETWORKS = [name for name in NAMES if registry.entry(name).is_network]
SPECTRAL = [name for name in NAMES if not registry.entry(name).is_spatial]

Problem = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def quick(name: str, *, seed: int = 0, **settings: Any) -> Any:
    return make_estimator(name, quick_settings(name, **settings), seed=seed, device="cpu")


@pytest.fixture(scope="module")
def small() -> Problem:
    return peaks_problem(n_groups=4, per_group=12, n_bins=200)


def test_every_registered_model_has_an_estimator() -> None:
    assert set(ESTIMATORS) == set(NAMES)
    for name in NAMES:
        assert set(setting_names(name)) <= set(ESTIMATORS[name]().get_params())


@pytest.mark.parametrize("name", NAMES)
def test_estimators_travel_to_other_processes(name: str) -> None:
    made = make_estimator(name, {}, seed=3)
    again = pickle.loads(pickle.dumps(made))  # noqa: S301
    assert type(again) is ESTIMATORS[name]
    assert again.get_params() == made.get_params()
    with pytest.raises(TypeError):
        ESTIMATORS[name](no_such_parameter=1)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_agree_with_the_settings(name: str) -> None:
    estimator = ESTIMATORS[name]()
    made = make_estimator(name, {}, seed=0)
    assert clone(made).get_params() == made.get_params() == estimator.get_params()
    if isinstance(estimator, NetworkClassifier):
        config, loop = estimator.parsed_settings()
        assert config == type(config)()
        assert loop == loop_settings(registry.entry(name))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_shapes_labels_and_a_batch_of_one(name: str, n_classes: int) -> None:
    x, y, groups, at = problem_for(name, n_groups=3, n_bins=150, n_classes=n_classes)
    labels = np.array(["SQ", "AD", "none"])[y]
    model = quick(name)
    if n_classes > (registry.entry(name).most_classes or n_classes):
        with pytest.raises(ModelError, match="knows 2 classes, the task has 3"):
            model.fit(x, labels, groups=groups, **at)
        return
    model.fit(x, labels, groups=groups, **at)
    assert list(model.classes_) == sorted(set(labels))
    assert model.n_features_in_ == 150
    probability = model.predict_proba(x, **at)
    assert probability.shape == model.decision_scores(x, **at).shape == (36, n_classes)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert set(model.predict(x, **at)) <= set(labels)
    if at:
        one = model.predict_proba(x[4:5], positions=at["positions"].take(np.array([4])))
        np.testing.assert_allclose(one.sum(axis=1), 1)
    else:
        np.testing.assert_allclose(model.predict_proba(x[4:5]), probability[4:5], atol=1e-5)
    embedded = model.embed(x, **at)
    assert embedded.dtype == np.float32
    assert len(embedded) == 36
    assert np.isfinite(embedded).all()
    gradient = model.mean_gradient(x, **at)
    assert gradient.shape == (n_classes, 150)
    assert gradient.dtype == np.float64
    assert np.abs(gradient).max() > 0
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-4 * np.abs(gradient).max())
    described = registry.describe(name, 150, n_classes, _config(model, name))
    assert model.n_parameters_ == described["n_parameters"]


def _config(model: Any, name: str) -> Any:
    config = registry.entry(name).config
    params = model.get_params()
    return config(**{key: params[key] for key in config.model_fields})


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_numbers(name: str) -> None:
    x, y, groups, at = problem_for(name)
    first = quick(name, seed=5).fit(x, y, groups, **at)
    second = quick(name, seed=5).fit(x, y, groups, **at)
    np.testing.assert_array_equal(first.decision_scores(x, **at), second.decision_scores(x, **at))
    if isinstance(first, NetworkClassifier):
        for name_, value in first.network_.state_dict().items():
            assert torch.equal(value, second.network_.state_dict()[name_]), name_
        other = quick(name, seed=6).fit(x, y, groups, **at)
        assert not np.array_equal(first.decision_scores(x, **at), other.decision_scores(x, **at))


@pytest.mark.parametrize("name", NETWORKS)
def test_looking_at_held_out_spots_changes_nothing(name: str) -> None:
    x, y, _, at = problem_for(name)
    blind = quick(name).fit(x, y, **at)
    looking = quick(name).fit(x, y, **at, watched=Watched(x[::-1], y[::-1], **turned(at)))
    for name_, value in blind.network_.state_dict().items():
        assert torch.equal(value, looking.network_.state_dict()[name_]), name_
    noted = [entry["test_balanced_accuracy"] for entry in looking.history_]
    assert len(noted) == 2
    found = balanced_accuracy_score(y, looking.predict(x, **at))
    assert noted[-1] == pytest.approx(found)
    assert "test_balanced_accuracy" not in blind.history_[0]


def turned(at: dict[str, Any]) -> dict[str, Any]:
    """The same positions, last spot first."""
    if not at:
        return {}
    return {"positions": at["positions"].take(np.arange(len(at["positions"]))[::-1])}


@pytest.mark.parametrize("name", NETWORKS)
def test_overfits_eight_spots(name: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.gamma(1.0, size=(8, 300)).astype(np.float32) / 300
    y = np.arange(8) % 2
    settings: dict[str, Any] = {"epochs": 80, "batch_size": 8, "learning_rate": 5e-3}
    at: dict[str, Any] = {}
    if registry.entry(name).is_spatial:
        # Each spot a core of its own: as many patches as spots.
        lone = np.zeros(8, dtype=np.int64)
        at["positions"] = SpotPositions(np.array([f"c{i}" for i in range(8)]), lone, lone)
    fields = registry.entry(name).config.model_fields
    settings |= {"dropout": 0.0} if "dropout" in fields else {}
    settings |= {"augment": False} if "augment" in fields else {}
    settings |= {"epochs": 400} if registry.entry(name).input == "core" else {}
    # A spot by itself has no range of its own to be scaled by.
    settings |= {"scaling": "training"} if "scaling" in fields else {}
    model = make_estimator(name, quick_settings(name, **settings), seed=0, device="cpu")
    model.fit(x, y, **at)
    if registry.entry(name).input == "core":
        # Its activations are all that is learnt; the threshold comes from other cores.
        assert roc_auc_score(y, model.predict_proba(x, **at)[:, 1]) == 1.0
    else:
        assert balanced_accuracy_score(y, model.predict(x, **at)) == 1.0
    assert model.history_[-1]["train_loss"] < 0.1


def test_isotopenet_learns_and_carries_over_to_unseen_groups() -> None:
    x, y, groups = peaks_problem(seed=1, n_bins=1000)
    seen = groups < 6
    model = IsotopeNetClassifier(epochs=15, batch_size=32, learning_rate=3e-3, device="cpu").fit(
        x[seen], y[seen]
    )
    assert balanced_accuracy_score(y[~seen], model.predict(x[~seen])) > 0.9
    assert len(model.history_) == 15
    assert {"epoch", "train_loss", "train_balanced_accuracy", "seconds"} <= set(model.history_[0])
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name in SPECTRAL])
def test_it_works_inside_cross_validate(name: str, small: Problem) -> None:
    x, y, groups = small
    result = cross_validate(quick(name, epochs=1), x, y, groups=groups, cv=GroupKFold(2))
    assert np.isfinite(result["test_score"]).all()


@pytest.mark.parametrize("of", ["probability", "logit"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_network_gradient_equals_finite_differences(of: Any, n_classes: int) -> None:
    x, y, _ = peaks_problem(n_groups=3, per_group=12, n_bins=100, n_classes=n_classes)
    model = quick("isotopenet", epochs=6, learning_rate=1e-2).fit(x, y)
    found32 = model.mean_gradient(x[:7], of=of)
    model.network_.double()
    found = model.mean_gradient(x[:7], of=of)
    np.testing.assert_allclose(found32, found, rtol=1e-2, atol=2e-3 * np.abs(found).max())

    def outputs(spectra: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        with torch.no_grad():
            p = model.network_(torch.from_numpy(spectra * model.input_scale_)).softmax(1).numpy()
        return p.mean(axis=0) if of == "probability" else (np.log(p) - np.log1p(-p)).mean(axis=0)

    points = np.asarray(x[:7], dtype=np.float64)
    for j in [0, 11, 50, 99, int(np.abs(found[0]).argmax())]:
        shift = np.zeros(100)
        shift[j] = 1e-7 / model.input_scale_
        slope = (outputs(points + shift) - outputs(points - shift)) / (2 * shift[j])
        np.testing.assert_allclose(found[:, j], slope, rtol=1e-4, atol=1e-6 * np.abs(found).max())


def test_gradient_does_not_depend_on_batches_or_training_mode(
    small: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y, _ = small
    model = quick("residualnet").fit(x, y)
    expected = model.mean_gradient(x)
    model.network_.train()
    monkeypatch.setattr("corespot.train.network_classifier.PREDICT_BATCH", 5)
    np.testing.assert_allclose(model.mean_gradient(x), expected, atol=1e-5 * np.abs(expected).max())
    with pytest.raises(ModelError, match="of="):
        model.mean_gradient(x, of="score")


@pytest.mark.parametrize("name", NETWORKS)
def test_an_interrupted_fit_goes_on_bit_by_bit(name: str, tmp_path: Path) -> None:
    x, y, groups, at = problem_for(name)
    settings = {"early_stopping": True, "validation_folds": 2} if name == "isotopenet" else {}
    whole = quick(name, epochs=5, **settings).fit(x, y, groups=groups, **at)

    class Stop(Exception):
        pass

    def stop_at_two(entry: Mapping[str, float]) -> None:
        if entry["epoch"] == 2:
            raise Stop

    model = quick(name, epochs=5, **settings)
    file = tmp_path / "state.safetensors"
    with pytest.raises(Stop):
        model.fit(x, y, groups=groups, on_epoch=stop_at_two, checkpoint=file, **at)
    torch.rand(3)  # the caller's random state is of no importance
    epochs: list[float] = []
    model.fit(
        x,
        y,
        groups=groups,
        on_epoch=lambda entry: epochs.append(entry["epoch"]),
        checkpoint=file,
        **at,
    )
    assert epochs == [3, 4, 5]
    assert [entry["epoch"] for entry in model.history_] == [1, 2, 3, 4, 5]
    for tensor, value in whole.network_.state_dict().items():
        assert torch.equal(value, model.network_.state_dict()[tensor]), tensor
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]


def test_a_checkpoint_of_another_fit_is_not_used(small: Problem, tmp_path: Path) -> None:
    x, y, _ = small
    quick("isotopenet").fit(x, y, checkpoint=tmp_path)
    assert (tmp_path / "checkpoint.safetensors").is_file()
    fresh = quick("isotopenet", seed=1).fit(x, y)
    with pytest.warns(UserWarning, match="another fit"):
        other = quick("isotopenet", seed=1).fit(x, y, checkpoint=tmp_path)
    np.testing.assert_array_equal(other.decision_scores(x), fresh.decision_scores(x))
    with pytest.warns(UserWarning, match="another fit"):
        quick("isotopenet", seed=1).fit(x, 1 - y, checkpoint=tmp_path)
    # The same numbers in other bins have the same root mean square.
    with pytest.warns(UserWarning, match="another fit"):
        quick("isotopenet", seed=1).fit(x[:, ::-1].copy(), 1 - y, checkpoint=tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="starts anew"):
        quick("isotopenet").fit(x, y, checkpoint=tmp_path)


def test_more_epochs_go_on_from_a_finished_checkpoint(small: Problem, tmp_path: Path) -> None:
    x, y, _ = small
    quick("isotopenet", epochs=2).fit(x, y, checkpoint=tmp_path)
    longer = quick("isotopenet", epochs=4).fit(x, y, checkpoint=tmp_path)
    whole = quick("isotopenet", epochs=4).fit(x, y)
    np.testing.assert_array_equal(longer.decision_scores(x), whole.decision_scores(x))


def test_fewer_epochs_start_anew(small: Problem, tmp_path: Path) -> None:
    x, y, _ = small
    quick("isotopenet", epochs=4).fit(x, y, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="it has 4 epochs, asked for are 2"):
        shorter = quick("isotopenet", epochs=2).fit(x, y, checkpoint=tmp_path)
    assert len(shorter.history_) == 2


def test_the_cosine_schedule_binds_the_epochs(small: Problem, tmp_path: Path) -> None:
    x, y, _ = small
    quick("isotopenet", schedule="cosine").fit(x, y, checkpoint=tmp_path)
    with pytest.warns(UserWarning, match="another fit"):
        quick("isotopenet", schedule="cosine", epochs=3).fit(x, y, checkpoint=tmp_path)


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_trains_on_request(name: str) -> None:
    x, y, _, at = problem_for(name)
    model = quick(name, precision="bf16").fit(x, y, **at)
    assert model.precision_ == "bf16"
    assert np.isfinite(model.predict_proba(x, **at)).all()


def test_early_stopping_validates_on_other_groups(small: Problem) -> None:
    x, y, groups = small
    settings = {"early_stopping": True, "patience": 2, "validation_folds": 2, "epochs": 60}
    model = quick("isotopenet", learning_rate=0.03, **settings).fit(x, y, groups=groups)
    losses = [entry["validation_loss"] for entry in model.history_]
    assert len(losses) < 60
    assert int(np.argmin(losses)) == len(losses) - 3
    with pytest.raises(ModelError, match="groups=tma"):
        quick("isotopenet", **settings).fit(x, y)


def test_the_callers_random_state_stays_untouched(small: Problem) -> None:
    x, y, _ = small
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    quick("isotopenet").fit(x, y)
    assert torch.equal(torch.rand(4), expected)


def test_half_precision_and_memory_maps_are_read(small: Problem, tmp_path: Path) -> None:
    x, y, _ = small
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    expected = quick("isotopenet").fit(x, y).decision_scores(x)
    np.testing.assert_array_equal(
        quick("isotopenet").fit(mapped, y).decision_scores(mapped), expected
    )
    half = (x * 100).astype(np.float16)
    assert np.isfinite(quick("isotopenet").fit(half, y).predict_proba(half)).all()


def test_bad_input_and_divergence_are_explained(small: Problem) -> None:
    x, y, _ = small
    with pytest.raises(ModelError, match="diverged; lower learning_rate"):
        quick("residualnet", learning_rate=1e30).fit(x, y)
    broken = x.copy()
    broken[2, 7] = np.inf
    with pytest.raises(ModelError, match="spectrum 2, bin 7"):
        quick("isotopenet").fit(broken, y)
    with pytest.raises(ModelError, match="every intensity"):
        quick("isotopenet").fit(np.zeros_like(x), y)
    with pytest.raises(ModelError, match="at least 61 bins"):
        quick("isotopenet").fit(x[:, :50], y)
    with pytest.raises(ModelError, match="not fitted"):
        quick("isotopenet").predict(x)
    with pytest.raises(ModelError, match="unknown device"):
        IsotopeNetClassifier(device="abacus").fit(x, y)
    with pytest.raises(ParamsError, match="learning_rate"):
        ResidualNetClassifier(learning_rate=-1).fit(x, y)


def test_settings_are_closed() -> None:
    with pytest.raises(ParamsError, match="did you mean 'weight_decay'"):
        make_estimator("isotopenet", {"weigth_decay": 0.1}, seed=0)
    with pytest.raises(ParamsError, match="unknown key 'epochs'"):
        make_estimator("roc_lda", {"epochs": 3}, seed=0)
    with pytest.raises(ParamsError, match=r"models\.isotopenet\.dropout"):
        make_estimator("isotopenet", {"dropout": 1.5}, seed=0)
    with pytest.raises(ModelError, match="did you mean 'roc_lda'"):
        make_estimator("roc-lda", {}, seed=0)


@pytest.mark.gpu
@pytest.mark.parametrize("name", NETWORKS)
def test_a_gpu_trains_what_a_cpu_can_use(name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    x, y, groups, at = problem_for(name, n_groups=8, n_bins=400)
    settings = quick_settings(name, epochs=10, learning_rate=3e-3)
    model = make_estimator(name, settings, seed=0).fit(x, y, groups=groups, **at)
    assert model.device_.startswith("cuda")
    assert model.history_[-1]["train_loss"] < model.history_[0]["train_loss"]
    again = clone(model).fit(x, y, groups=groups, **at)
    # Sums over patches are made in no fixed order on a GPU.
    np.testing.assert_allclose(
        again.decision_scores(x, **at), model.decision_scores(x, **at), rtol=1e-4, atol=1e-5
    )
