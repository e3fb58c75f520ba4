"""Segmenting whole cores: weak labels, thresholds chosen inside, maps, slopes and saved fits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError, ParamsError
from corespot.models.committee import Committee
from corespot.train.best_threshold import best_threshold
from corespot.train.estimator import ESTIMATORS
from corespot.train.fit_inputs import Told
from corespot.train.inner_networks import fit_inner_networks

N_BINS, SIDE = 12, 6
QUICK = {
    "width": 6,
    "depth": 1,
    "channels": N_BINS,
    "epochs": 30,
    "batch_size": 4,
    "learning_rate": 0.003,
    "inner_folds": 2,
    "device": "cpu",
    "random_state": 1,
}

Spots = tuple[npt.NDArray[np.float32], npt.NDArray[Any], npt.NDArray[np.bool_], SpotPositions]


def tissue(n_cores: int = 12, seed: int = 0, first: int = 0) -> Spots:
    """Spectra, label of the core, truth of the spot, positions.

    Every other core is cancer and shows tumour in its upper half or in all of it.
    """
    rng = np.random.default_rng(seed)
    y, x = (each.ravel() for each in np.mgrid[:SIDE, :SIDE])
    cancer = np.arange(n_cores) % 2 == 0
    share = np.where(np.arange(n_cores) % 4 == 0, SIDE, SIDE // 2)
    tumour = (cancer[:, None] & (y[None] < share[:, None])).ravel()
    spectra = rng.gamma(4.0, size=(len(tumour), N_BINS))
    spectra[:, 3] *= np.where(tumour, 4.0, 1.0)
    spectra[:, 8] *= np.where(tumour, 1.0, 3.0)
    core = np.repeat([f"core{first + c:02d}" for c in range(n_cores)], SIDE * SIDE)
    places = SpotPositions(core, np.tile(x, n_cores), np.tile(y, n_cores))
    label = np.where(np.repeat(cancer, SIDE * SIDE), "cancer", "normal")
    return (1e-3 * spectra).astype(np.float32), label, tumour, places


def made(**settings: object) -> Any:
    return ESTIMATORS["compsegnet"](**{**QUICK, **settings})


@pytest.fixture(scope="module")
def fitted() -> Any:
    spectra, label, _, places = tissue()
    return made().fit(spectra, label, positions=places)


def test_spots_are_told_apart_from_labels_of_cores(fitted: Any) -> None:
    spectra, label, tumour, places = tissue(8, seed=9, first=50)
    found = fitted.predict(spectra, positions=places) == "cancer"
    assert balanced_accuracy_score(tumour, found) > 0.9
    logits = fitted.spot_logits(spectra, positions=places)
    assert roc_auc_score(tumour, logits) > 0.98
    # The label of the core calls this stroma cancer.
    stroma = (label == "cancer") & ~tumour
    assert (~found)[stroma].mean() > 0.5
    assert fitted.facts_["threshold_from"] == "inner folds, cores kept together"
    assert (fitted.facts_["n_cores"], fitted.facts_["n_positive_cores"]) == (12, 6)
    assert fitted.facts_["n_networks"] == 3
    assert isinstance(fitted.network_, Committee)


def test_probability_is_a_half_at_the_threshold(fitted: Any) -> None:
    spectra, _, _, places = tissue(4, seed=2)
    probability = fitted.predict_proba(spectra, positions=places)
    np.testing.assert_allclose(probability.sum(1), 1)
    logits = fitted.spot_logits(spectra, positions=places)
    threshold = np.log(fitted.threshold_ / (1 - fitted.threshold_))
    np.testing.assert_allclose(probability[:, 0], 1 / (1 + np.exp(threshold - logits)), rtol=1e-6)
    predicted = fitted.predict(spectra, positions=places)
    np.testing.assert_array_equal(predicted == "cancer", logits > threshold)


def test_logits_are_the_mean_of_the_networks() -> None:
    spectra, label, _, places = tissue()
    spectra[places.core < "core02"] *= 5  # so that inner parts differ in scale
    fit = {"positions": places}
    together = made(epochs=2).fit(spectra, label, **fit)
    alone = made(epochs=2, threshold=0.5).fit(spectra, label, **fit)
    told = Told(spectra, (label != "cancer").astype(np.int64), None, places)
    inner = fit_inner_networks(together, told, together.classes_, label == "cancer")
    members = [alone, *inner.estimators]
    assert len({round(each.input_scale_) for each in members}) == 3
    logits = np.stack([each.spot_logits(spectra, positions=places) for each in members])
    np.testing.assert_allclose(
        together.spot_logits(spectra, positions=places), logits.mean(0), atol=1e-5
    )
    # What chose the threshold: each spot by the one network that did not see its core.
    own = np.isclose(inner.logits, logits[1:], atol=1e-5).sum(0)
    assert (own >= 1).all()
    assert (own == 1).mean() > 0.9


def test_maps_are_activations_on_the_grid(fitted: Any) -> None:
    spectra, _, _, places = tissue(2, seed=3)
    kept = np.flatnonzero((places.x > 0) | (places.y > 0))
    places = places.take(kept)
    maps = fitted.maps(spectra[kept], positions=places)
    logits = fitted.spot_logits(spectra[kept], positions=places)
    assert list(maps) == ["core00", "core01"]
    assert np.isnan(maps["core01"][0, 0])
    assert np.count_nonzero(np.isnan(maps["core01"])) == 1
    at = (places.core == "core01") & (places.x == 2) & (places.y == 4)
    assert maps["core01"][4, 2] == pytest.approx(1 / (1 + np.exp(-logits[at][0])))


def test_a_core_is_mapped_alike_whatever_comes_with_it(fitted: Any) -> None:
    spectra, _, _, places = tissue(4, seed=4)
    together = fitted.spot_logits(spectra, positions=places)
    own = np.flatnonzero(places.core == "core02")
    alone = fitted.spot_logits(spectra[own], positions=places.take(own))
    np.testing.assert_allclose(alone, together[own], atol=1e-5)


def test_positive_class_is_the_first_or_the_named_one() -> None:
    spectra, label, _, places = tissue()
    renamed = np.where(label == "cancer", "tumour-bearing", "benign")
    named = made(positive="tumour-bearing", threshold=0.3, epochs=2).fit(
        spectra, renamed, positions=places
    )
    first = made(threshold=0.3, epochs=2).fit(spectra, label, positions=places)
    assert named.facts_["threshold_from"] == "settings"
    np.testing.assert_array_equal(
        named.predict_proba(spectra, positions=places),
        first.predict_proba(spectra, positions=places)[:, ::-1],
    )
    with pytest.raises(ModelError, match="classes benign, tumour-bearing; name one"):
        made(positive="cancer").fit(spectra, renamed, positions=places)


def test_a_core_with_spots_of_both_classes_is_positive() -> None:
    spectra, _, tumour, places = tissue()
    mixed = np.where(tumour, "tumour", "stroma")
    estimator = made(positive="tumour", threshold=0.5, epochs=1)
    estimator.fit(spectra, mixed, positions=places)
    assert estimator.facts_["n_positive_cores"] == 6
    with pytest.raises(ModelError, match="all 12 training cores hold spots of class stroma"):
        half = mixed.copy()
        half[places.y == SIDE - 1] = "stroma"
        made(positive="stroma", threshold=0.5, epochs=1).fit(spectra, half, positions=places)


def test_cores_that_all_hold_the_positive_class_are_refused_with_what_helps() -> None:
    spectra, label, _, places = tissue(n_cores=4)
    mixed = np.where(np.arange(len(label)) % 2, "cancer", "normal")
    with pytest.raises(ModelError, match=r"all 4 training .* free of the other class either, so"):
        made(positive="cancer").fit(spectra, mixed, positions=places)
    mixed[places.core == "core00"] = "cancer"
    with pytest.raises(ModelError, match="name the other class as `positive`, or leave"):
        made(positive="cancer").fit(spectra, mixed, positions=places)


def test_too_few_cores_for_inner_folds_are_told() -> None:
    spectra, label, _, places = tissue(2)
    few = made(epochs=2, batch_size=2).fit(spectra, label, positions=places)
    assert few.facts_["threshold_from"] == "training spots"
    assert "inner folds" in few.facts_["no_inner_folds"]
    logits = few.spot_logits(spectra, positions=places)
    expected = best_threshold(logits, label == "cancer")
    assert few.threshold_ == pytest.approx(1 / (1 + np.exp(-expected)))


def test_groups_are_kept_together_where_they_can_be_dealt() -> None:
    spectra, label, _, places = tissue()
    patient = np.array([int(name[4:]) // 4 for name in places.core])
    fit = {"positions": places}
    dealt = made(epochs=1).fit(spectra, label, groups=patient, **fit)
    assert dealt.facts_["threshold_from"] == "inner folds, groups kept together"
    single = made(epochs=1).fit(spectra, label, groups=np.zeros(len(label)), **fit)
    assert single.facts_["threshold_from"] == "inner folds, cores kept together"


def test_early_stopping_finds_groups_inside_inner_folds() -> None:
    spectra, label, _, places = tissue()
    # Four groups allow two inner folds of two, and early stopping two of one in each of them.
    settings = {"early_stopping": True, "validation_folds": 2, "epochs": 2}
    for n_groups, kept in ((4, "groups"), (2, "cores")):
        groups = np.array([int(core[4:]) // 2 % n_groups for core in places.core])
        facts = made(**settings).fit(spectra, label, groups=groups, positions=places).facts_
        assert facts["threshold_from"] == f"inner folds, {kept} kept together"


def test_same_seed_same_fit_and_saved_alike(fitted: Any) -> None:
    spectra, label, _, places = tissue()
    again = made().fit(spectra, label, positions=places)
    arrays, facts = fitted.to_arrays()
    loaded = made()
    loaded.classes_, loaded.n_features_in_ = fitted.classes_, N_BINS
    loaded.from_arrays(arrays, facts, "model")
    expected = fitted.predict_proba(spectra, positions=places)
    for other in (again, loaded):
        np.testing.assert_array_equal(other.predict_proba(spectra, positions=places), expected)
    assert loaded.threshold_ == fitted.threshold_
    broken = {name: value for name, value in arrays.items() if name != "members.2.map.bias"}
    with pytest.raises(ModelError, match=r"map\.bias is missing"):
        loaded.from_arrays(broken, facts, "model")
    with pytest.raises(ModelError, match="other is not part"):
        loaded.from_arrays({**arrays, "other": expected}, facts, "model")


@pytest.mark.parametrize("of", ["probability", "logit"])
def test_gradient_is_that_of_the_mean_over_spots(fitted: Any, of: Any) -> None:
    spectra, _, _, places = tissue(3, seed=5)
    x = torch.from_numpy(spectra).requires_grad_()
    network = fitted.network_
    channels = network.front(x * fitted.input_scale_)
    # Spots are in the order of their rows and columns, core by core.
    grid = channels.reshape(3, SIDE, SIDE, -1).permute(0, 3, 1, 2)
    images = torch.cat([grid, torch.ones(3, 1, SIDE, SIDE)], 1)
    shifted = network(images)[:, 0] - np.log(fitted.threshold_ / (1 - fitted.threshold_))
    output = shifted if of == "logit" else torch.sigmoid(shifted)
    (slope,) = torch.autograd.grad(output.mean(), x)
    found = fitted.mean_gradient(spectra, of=of, positions=places)
    largest = np.abs(found).max()
    np.testing.assert_allclose(found[0], slope.sum(0).numpy(), atol=1e-4 * largest)
    np.testing.assert_array_equal(found[1], -found[0])
    sigma = spectra.std(axis=0)
    spots = fitted.spot_sensitivity(spectra, sigma, of=of, positions=places)
    by_hand = (slope.numpy() * sigma).__abs__().sum(axis=1) * len(spectra)
    np.testing.assert_allclose(spots[0], by_hand, rtol=1e-3)
    assert np.argmax(found[0] * sigma) == 3
    assert np.argmin(found[0] * sigma) == 8


def test_features_of_every_spot(fitted: Any) -> None:
    spectra, _, tumour, places = tissue(4, seed=6)
    features = fitted.embed(spectra, positions=places)
    assert features.shape == (len(spectra), 3 * QUICK["width"])  # three networks
    distance = np.linalg.norm(features[tumour].mean(0) - features[~tumour].mean(0))
    assert distance > 0.5 * features.std(axis=0).mean()


def test_three_classes_and_missing_positions_are_refused() -> None:
    spectra, label, tumour, places = tissue(4)
    three = np.where(tumour, "tumour", label)
    with pytest.raises(ModelError, match="make a task of two classes"):
        made().fit(spectra, three, positions=places)
    with pytest.raises(ModelError, match="pass positions"):
        made().fit(spectra, label)
    with pytest.raises(ParamsError, match="between 0 and 1"):
        made(threshold=2.0).fit(spectra, label, positions=places)


def test_best_threshold_by_hand() -> None:
    logits = np.array([3.0, 1.0, 2.0, 5.0, 4.0])
    assert best_threshold(logits, np.array([1, 0, 0, 1, 1], dtype=bool)) == 2.5
    # Of two thresholds that are as good, between 1 and 2 and between 3 and 4, one of them.
    tied = best_threshold(np.arange(1.0, 5.0), np.array([0, 1, 0, 1], dtype=bool))
    assert tied in (1.5, 3.5)
    assert best_threshold(np.ones(4), np.array([0, 1, 0, 1], dtype=bool)) == 1.0


def test_best_threshold_does_not_mind_negatives_among_the_positives() -> None:
    quantile = (np.arange(4000) + 0.5) / 4000
    logistic = np.log(quantile / (1 - quantile))
    negative, positive = logistic, logistic + 3
    clean = best_threshold(np.append(negative, positive), np.repeat([False, True], 4000))
    assert clean == pytest.approx(1.5, abs=0.02)
    # As many negatives again, labelled positive.
    logits = np.concatenate([negative, positive, negative + 1e-9])
    weak = best_threshold(logits, np.repeat([False, True, True], 4000))
    assert weak == pytest.approx(clean, abs=0.02)
