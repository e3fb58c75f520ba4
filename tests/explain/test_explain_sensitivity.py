"""Sensitivity profiles against models whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from corespot.axis import MzAxis
from corespot.errors import ModelError, StoreError
from corespot.explain.profile import SensitivityProfile, average_profiles
from corespot.explain.sensitivity import bin_sd, sensitivity_profile
from corespot.io.artifacts import read_arrays, write_arrays


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class LinearSoftmax:
    """scores = X W.T; gradients in closed form."""

    def __init__(self, weights, classes):
        self.weights = np.asarray(weights, dtype=float)
        self.classes_ = np.array(classes)

    def scores(self, X):
        return np.asarray(X, dtype=float) @ self.weights.T

    def jacobian(self, X):
        return np.broadcast_to(self.weights, (len(X), *self.weights.shape))

    def mean_gradient(self, X, *, of):
        p = softmax(self.scores(X))
        jacobian = self.jacobian(X)
        mean_row = np.einsum("ij,ijk->ik", p, jacobian)
        if of == "probability":
            return np.mean(p[:, :, None] * (jacobian - mean_row[:, None, :]), axis=0)
        # logit_j = s_j - logsumexp(others); the others' weights are p / (1 - p_j)
        rest = (mean_row[:, None, :] - p[:, :, None] * jacobian) / (1 - p)[:, :, None]
        return np.mean(jacobian - rest, axis=0)


class TanhNetwork(LinearSoftmax):
    """scores = tanh(X V.T) W.T: a network whose gradient depends on the spectrum."""

    def __init__(self, hidden, weights, classes):
        super().__init__(weights, classes)
        self.hidden = hidden

    def scores(self, X):
        return np.tanh(np.asarray(X, dtype=float) @ self.hidden.T) @ self.weights.T

    def jacobian(self, X):
        slope = 1 - np.tanh(np.asarray(X, dtype=float) @ self.hidden.T) ** 2
        return np.einsum("jh,ih,hk->ijk", self.weights, slope, self.hidden)


@pytest.fixture
def spectra():
    return np.random.default_rng(0).gamma(2.0, 1.0, (50, 6)).astype(np.float32)


AXIS = MzAxis.equidistant(1000, 1005, 6)


def numeric(model, X, k, outputs, eps=1e-5):
    up, down = X.astype(float), X.astype(float)
    up, down = up.copy(), down.copy()
    up[:, k] += eps
    down[:, k] -= eps
    return np.mean((outputs(model.scores(up)) - outputs(model.scores(down))) / (2 * eps), axis=0)


def log_odds(scores):
    p = softmax(scores)
    return np.log(p / (1 - p))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["linear", "network"])
def test_profile_is_sd_times_mean_gradient(spectra, n_classes, kind):
    rng = np.random.default_rng(1)
    names = ["A", "B", "C"][:n_classes]
    model = (
        LinearSoftmax(rng.normal(size=(n_classes, 6)), names)
        if kind == "linear"
        else TanhNetwork(rng.normal(size=(4, 6)) * 0.2, rng.normal(size=(n_classes, 4)), names)
    )
    profile = sensitivity_profile(model, spectra, axis=AXIS, classes=names)
    sigma = spectra.astype(float).std(axis=0)
    for k in range(6):
        np.testing.assert_allclose(
            profile.probability[:, k], sigma[k] * numeric(model, spectra, k, softmax), atol=1e-7
        )
        np.testing.assert_allclose(
            profile.logit[:, k], sigma[k] * numeric(model, spectra, k, log_odds), atol=1e-6
        )
    np.testing.assert_allclose(profile.probability.sum(axis=0), 0, atol=1e-12)


def test_two_class_logit_of_a_linear_model_is_the_weight_difference(spectra):
    weights = np.arange(12.0).reshape(2, 6) ** 1.5 / 100
    profile = sensitivity_profile(
        LinearSoftmax(weights, [0, 1]), spectra, axis=AXIS, classes=["AD", "SQ"]
    )
    np.testing.assert_allclose(
        profile.logit[1], bin_sd(spectra) * (weights[1] - weights[0]), rtol=1e-10
    )


def test_rows_follow_the_classes_asked_for_not_the_estimators_order(spectra):
    weights = np.random.default_rng(2).normal(size=(2, 6))
    forward = sensitivity_profile(
        LinearSoftmax(weights, ["AD", "SQ"]), spectra, axis=AXIS, classes=["AD", "SQ"]
    )
    backward = sensitivity_profile(
        LinearSoftmax(weights, ["AD", "SQ"]), spectra, axis=AXIS, classes=["SQ", "AD"]
    )
    np.testing.assert_array_equal(forward.logit, backward.logit[::-1])


def test_wrong_classes_axis_and_gradients_are_refused(spectra):
    model = LinearSoftmax(np.ones((2, 6)), ["AD", "SQ"])
    with pytest.raises(ModelError, match="AD, SQ"):
        sensitivity_profile(model, spectra, axis=AXIS, classes=["AD", "lung"])
    with pytest.raises(ModelError, match="6 bins"):
        sensitivity_profile(model, spectra[:, :5], axis=AXIS, classes=["AD", "SQ"])
    model.mean_gradient = lambda X, *, of: np.full((2, 6), np.nan)
    with pytest.raises(ModelError, match="not finite"):
        sensitivity_profile(model, spectra, axis=AXIS, classes=["AD", "SQ"])


def test_bin_sd_in_blocks_is_the_population_sd(monkeypatch):
    X = np.random.default_rng(3).normal(size=(101, 4)) + np.array([0, 1, 1e4, 1e6])
    monkeypatch.setattr("corespot.explain.sensitivity._BLOCK_VALUES", 28)
    np.testing.assert_allclose(bin_sd(X), X.std(axis=0), rtol=1e-9)
    half = np.random.default_rng(4).uniform(0, 100, (997, 3)).astype(np.float16)
    np.testing.assert_allclose(bin_sd(half), half.astype(np.float64).std(axis=0), rtol=1e-9)
    assert bin_sd(np.ones((3, 2), dtype=np.float32)).tolist() == [0, 0]
    with pytest.raises(ModelError):
        bin_sd(np.ones((0, 2)))


def make_profile(values, axis=AXIS):
    values = np.asarray(values, dtype=float)
    return SensitivityProfile(
        axis, ("A", "B"), np.stack([values, -values]), np.stack([values, -values]) * 4, axis.mz
    )


def test_average_keeps_mean_and_spread_over_folds():
    one, two = make_profile(np.arange(6)), make_profile(np.arange(6) + 2)
    mean = average_profiles([one, two])
    np.testing.assert_allclose(mean.probability[0], np.arange(6) + 1)
    np.testing.assert_allclose(mean.probability_sd, np.ones((2, 6)))
    np.testing.assert_allclose(mean.logit_sd, np.full((2, 6), 4))
    assert mean.n_folds == 2
    with pytest.raises(ModelError):
        average_profiles([])
    with pytest.raises(ModelError, match="only profiles of one task"):
        average_profiles([one, make_profile(np.arange(5), MzAxis.equidistant(1, 5, 5))])


@pytest.mark.parametrize("averaged", [False, True])
def test_npz_round_trip(tmp_path, averaged):
    profile = make_profile(np.linspace(-1, 1, 6))
    if averaged:
        profile = average_profiles([profile, make_profile(np.arange(6))])
    write_arrays(tmp_path / "s.npz", profile.to_arrays())
    back = SensitivityProfile.from_arrays(read_arrays(tmp_path / "s.npz"))
    assert back.axis == profile.axis and back.axis.kind == "equidistant"
    assert back.classes == profile.classes and back.n_folds == profile.n_folds
    for name in ("probability", "logit", "sigma"):
        np.testing.assert_array_equal(getattr(back, name), getattr(profile, name))
    assert (back.probability_sd is None) is not averaged
    arrays = profile.to_arrays()
    del arrays["logit"]
    with pytest.raises(StoreError, match="logit"):
        SensitivityProfile.from_arrays(arrays)


def test_profile_refuses_values_that_do_not_fit():
    with pytest.raises(ValueError, match="shape"):
        make_profile(np.zeros(5))
    with pytest.raises(ValueError, match="not finite"):
        make_profile([0, 1, 2, 3, 4, np.inf])
