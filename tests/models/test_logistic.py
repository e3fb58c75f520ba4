"""Logistic regression against an independent minimisation and finite differences."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import check_grad, minimize
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, cross_validate

from corespot.errors import ModelError, ParamsError
from corespot.models import logistic as module
from corespot.models import logistic_loss
from corespot.models import logistic_solver as solver
from corespot.models.logistic import LogisticClassifier
from corespot.models.spectra_rows import SpectraRows

Problem = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def problem(n: int = 120, n_bins: int = 30, n_classes: int = 2) -> Problem:
    """Classes of unequal size, the first bins telling them apart; bin 20 never changes."""
    rng = np.random.default_rng(0)
    y = np.minimum(rng.integers(0, 2 * n_classes, n), n_classes - 1)
    x = rng.gamma(1.0, size=(n, n_bins))
    for c in range(n_classes):
        x[y == c, 5 * c : 5 * c + 3] += 0.8
    x[:, 20] = 3.0
    return (x * 1e-4).astype(np.float32), y


def independent(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], c: float, n_classes: int
) -> npt.NDArray[np.float64]:
    """Probabilities of the penalised loss as the docstring states it, minimised by itself."""
    z = x.astype(np.float64)
    spread = z.std(axis=0)
    spread[20] = 1.0
    z = (z - z.mean(axis=0)) / spread
    weight = (len(y) / (n_classes * np.bincount(y)))[y]
    rows = 1 if n_classes == 2 else n_classes

    def scores(theta: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        w = theta.reshape(rows, -1)
        found = z @ w[:, 1:].T + w[:, 0]
        return np.hstack([np.zeros((len(z), 1)), found]) if rows == 1 else found

    def loss(theta: npt.NDArray[np.float64]) -> float:
        s = scores(theta)
        nll = logsumexp(s, axis=1) - s[np.arange(len(y)), y]
        return float(0.5 * (theta.reshape(rows, -1)[:, 1:] ** 2).sum() + c * (weight * nll).sum())

    start = np.zeros(rows * (x.shape[1] + 1))
    theta = minimize(loss, start, method="BFGS", options={"gtol": 1e-8}).x
    s = scores(theta)
    probability: npt.NDArray[np.float64] = np.exp(s - logsumexp(s, axis=1, keepdims=True))
    return probability


@pytest.mark.parametrize(("n_classes", "c"), [(2, 0.01), (2, 1.0), (3, 0.03)])
def test_it_minimises_the_stated_loss(n_classes: int, c: float) -> None:
    x, y = problem(n_classes=n_classes)
    model = LogisticClassifier(c=c).fit(x, y)
    expected = independent(x, y, c, n_classes)
    np.testing.assert_allclose(model.predict_proba(x), expected, atol=2e-5)
    np.testing.assert_array_equal(model.predict(x), expected.argmax(axis=1))
    np.testing.assert_allclose(model.weights_.sum(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(model.offsets_.sum(), 0, atol=1e-12)
    assert model.converged_
    assert model.n_parameters_ == (n_classes - 1) * 31


@pytest.mark.parametrize(("n_classes", "c"), [(2, 0.01), (2, 10.0), (3, 0.03), (4, 1.0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_blocks_find_the_weights_that_spectra_in_memory_give(
    n_classes: int, c: float, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = problem(n=150, n_classes=n_classes)
    stored = (np.concatenate([x[::-1], x]) * 1e3).astype(dtype)
    rows = np.arange(150, 300)
    held = LogisticClassifier(c=c).fit(stored[rows].astype(np.float32), y)
    monkeypatch.setattr(solver, "_HELD_BYTES", 0)
    monkeypatch.setattr(logistic_loss, "_BLOCK_VALUES", 16 * 30)
    monkeypatch.setattr(SpectraRows, "__array__", None)  # the whole part is never asked for
    read = LogisticClassifier(c=c).fit(SpectraRows(stored, rows), y)
    np.testing.assert_allclose(read.centre_, held.centre_, rtol=1e-12)
    np.testing.assert_allclose(read.spread_, held.spread_, rtol=1e-12)
    assert read.spread_[20] == 1.0 and not read.weights_[:, 20].any()
    size = np.abs(held.weights_).max()
    np.testing.assert_allclose(read.weights_, held.weights_, rtol=0, atol=1e-5 * size)
    np.testing.assert_allclose(read.offsets_, held.offsets_, rtol=0, atol=1e-5 * size)
    assert read.converged_ and abs(read.n_iterations_ - held.n_iterations_) <= 3


def test_the_slopes_of_the_blocked_loss_equal_finite_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logistic_loss, "_BLOCK_VALUES", 16 * 30)
    for n_classes in (2, 3):
        x, y = problem(n_classes=n_classes)
        centre, spread = logistic_loss.moments(x)
        loss = logistic_loss.BlockedLoss(x, y, centre=centre, spread=spread, c=0.5)
        at = np.random.default_rng(2).normal(size=len(loss.start))
        assert check_grad(lambda v: loss(v)[0], lambda v: loss(v)[1], at) < 1e-6  # noqa: B023


def test_blocks_that_do_not_converge_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem()
    monkeypatch.setattr(solver, "_HELD_BYTES", 0)
    with pytest.warns(UserWarning, match="did not converge in 10 iterations; lower c"):
        model = LogisticClassifier(c=10.0, max_iterations=1).fit(x, y)
    assert not model.converged_ and model.n_iterations_ == 10


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("of", ["probability", "logit"])
def test_gradient_equals_finite_differences(n_classes: int, of: str) -> None:
    x, y = problem(n_classes=n_classes)
    model = LogisticClassifier().fit(x, y)
    points = x[:9].astype(np.float64)
    found = model.mean_gradient(points, of=of)
    assert found.shape == (n_classes, 30)

    def outputs(shifted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        p = model.predict_proba(shifted)
        return p if of == "probability" else np.log(p) - np.log1p(-p)

    step = 1e-8
    for j in (0, 1, 7, 19, 29):
        shift = np.zeros(30)
        shift[j] = step
        slope = (outputs(points + shift) - outputs(points - shift)).mean(axis=0) / (2 * step)
        np.testing.assert_allclose(found[:, j], slope, rtol=1e-5, atol=1e-3)
    with pytest.raises(ModelError, match="of="):
        model.mean_gradient(points, of="probabilty")


def test_units_and_a_bin_that_never_changes_do_not_matter() -> None:
    x, y = problem()
    model = LogisticClassifier().fit(x, y)
    other = LogisticClassifier().fit(x * np.float32(1024), y)
    np.testing.assert_allclose(other.predict_proba(x * 1024), model.predict_proba(x), rtol=1e-9)
    assert model.spread_[20] == 1.0
    assert not model.weights_[:, 20].any()


def test_a_smaller_c_is_smoother() -> None:
    x, y = problem()
    sizes = [np.abs(LogisticClassifier(c=c).fit(x, y).weights_).sum() for c in (1e-4, 1e-2, 1.0)]
    assert sizes[0] < 0.2 * sizes[1] < 0.2 * sizes[2]


def test_many_more_bins_than_spectra() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(160) % 2
    x = rng.gamma(1.0, size=(160, 4000)).astype(np.float32)
    x[:, :40] += 0.9 * y[:, None].astype(np.float32)
    model = LogisticClassifier().fit(x[:80], y[:80])
    assert model.converged_
    assert model.score(x[80:], y[80:]) > 0.7


def test_one_tail_of_a_mapped_file_predicts_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = problem()
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    model = LogisticClassifier().fit(mapped, y)
    whole, embedded = model.decision_scores(x), model.embed(x)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 7 * 30)
    np.testing.assert_allclose(model.decision_scores(mapped), whole, atol=1e-12)
    np.testing.assert_array_equal(model.embed(mapped), embedded)
    scores = embedded.astype(np.float64) @ model.weights_.T + model.offsets_
    np.testing.assert_allclose(scores, whole, atol=1e-5)


def test_what_is_fitted_travels_as_arrays() -> None:
    x, y = problem(n_classes=3)
    model = LogisticClassifier().fit(x, y)
    arrays, fitted = model.to_arrays()
    other = LogisticClassifier()
    other.classes_, other.n_features_in_ = model.classes_, 30
    other.from_arrays(arrays, json.loads(json.dumps(fitted)), "here")
    np.testing.assert_array_equal(other.predict_proba(x), model.predict_proba(x))
    assert other.facts_ == model.facts_ == {**fitted}
    with pytest.raises(ModelError, match=r"here: weights has shape \(3, 29\), expected \(3, 30\)"):
        other.from_arrays({**arrays, "weights": arrays["weights"][:, 1:]}, fitted, "here")
    with pytest.raises(ModelError, match="spread of zero"):
        other.from_arrays({**arrays, "spread": np.zeros(30)}, fitted, "here")


def test_a_fit_that_needs_more_iterations_gets_them_or_says_so() -> None:
    x, y = problem()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticClassifier(c=1.0, max_iterations=8).fit(x, y)
    assert model.converged_
    assert 8 < model.n_iterations_ <= 80
    with pytest.warns(UserWarning, match=r"did not converge in 10 iterations; lower c") as said:
        short = LogisticClassifier(c=1.0, max_iterations=1).fit(x, y)
    assert not any(issubclass(each.category, ConvergenceWarning) for each in said)
    assert not short.converged_


def test_bad_input_is_refused() -> None:
    x, y = problem()
    with pytest.raises(ModelError, match="two or more classes"):
        LogisticClassifier().fit(x, np.zeros(len(x)))
    with pytest.raises(ModelError, match="not fitted"):
        LogisticClassifier().predict(x)
    with pytest.raises(ModelError, match="fitted on 30 bins"):
        LogisticClassifier().fit(x, y).predict(x[:, 1:])
    with pytest.raises(ParamsError, match=r"logistic\.c"):
        LogisticClassifier(c=0.0).fit(x, y)


def test_it_is_a_scikit_learn_estimator() -> None:
    x, y = problem(n=240)
    model = LogisticClassifier(c=0.02)
    assert clone(model).get_params() == model.get_params()
    groups = np.arange(240) // 30
    scores = cross_validate(model, x, y, groups=groups, cv=GroupKFold(4))["test_score"]
    assert scores.mean() > 0.75
    names = np.array(["tumor", "stroma"])[y]
    assert set(model.fit(x, names).predict(x)) == {"tumor", "stroma"}
