"""ROC/LDA against scipy, scikit-learn and finite differences."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import mannwhitneyu
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_validate

from corespot.errors import ModelError, ParamsError
from corespot.models import bin_auc as module
from corespot.models.bin_auc import bin_auc, discrimination
from corespot.models.nested_lda import NestedLda
from corespot.models.roc_lda import RocLdaClassifier

Problem = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def problem(n: int = 240, n_bins: int = 90, n_classes: int = 2, seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    x = rng.gamma(1.0, size=(n, n_bins))
    for c in range(n_classes):
        x[y == c, 7 * c : 7 * c + 3] += 0.8
    return (x * 1e-4).astype(np.float32), y, np.arange(n) // (n // 8)


@settings(max_examples=60, deadline=None)
@given(
    x=arrays(
        np.float32, (13, 4), elements=st.sampled_from([-2.5, -0.0, 0.0, 1e-30, 1.0, 1.5, 7e8])
    ),
    y=arrays(np.int64, 13, elements=st.integers(0, 2)),
)
def test_auc_is_exact_with_ties_and_signs(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]
) -> None:
    y[:3] = [0, 1, 2]
    found = bin_auc(x, y, 3)
    for c in range(3):
        for j in range(4):
            one = x[y == c, j].astype(float)[:, None]
            rest = x[y != c, j].astype(float)[None]
            wins = (one > rest).sum() + 0.5 * (one == rest).sum()
            assert found[c, j] == wins / (one.size * rest.size)


def test_auc_agrees_with_scipy_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, _ = problem()
    x[x < 3e-5] = 0
    found = bin_auc(x, y, 2)
    n0, n1 = (y == 0).sum(), (y == 1).sum()
    expected = mannwhitneyu(x[y == 1].astype(float), x[y == 0].astype(float)).statistic / (n0 * n1)
    np.testing.assert_array_equal(found[1], expected)
    np.testing.assert_allclose(found[0], 1 - found[1], atol=1e-15)
    for limit in ("_LEAST_BLOCK_BYTES", "_MOST_BLOCK_BYTES"):
        monkeypatch.setattr(module, limit, 7 * len(x) * 4)
    np.testing.assert_array_equal(bin_auc(x, y, 2), found)


def test_discrimination_is_the_strongest_class() -> None:
    np.testing.assert_allclose(
        discrimination(np.array([[0.5, 0.9], [0.1, 0.6]])), np.array([0.4, 0.4])
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("solver", ["lsqr", "eigen"])
def test_every_k_equals_scikit_learns_lda(n_classes: int, solver: str) -> None:
    x, y, _ = problem(n_classes=n_classes)
    y[:40] = 0  # unequal classes, so that the uniform prior matters
    model = RocLdaClassifier(k=10, k_grid=(1, 5, 10, 40)).fit(x, y)
    for k, found in model.predict_proba_by_k(x).items():
        bins = model.bins_[:k]
        reference = LinearDiscriminantAnalysis(
            solver=solver, priors=np.full(n_classes, 1 / n_classes)
        )
        expected = reference.fit(x[:, bins] * 1e4, y).predict_proba(x[:, bins] * 1e4)
        np.testing.assert_allclose(found, expected, atol=2e-6)
    np.testing.assert_allclose(model.predict_proba(x), model.predict_proba_by_k(x)[10], atol=1e-12)


def test_best_bins_come_first_and_labels_may_be_text() -> None:
    x, y, groups = problem(n_classes=3)
    names = np.array(["AD", "SQ", "healthy"])[y]
    model = RocLdaClassifier(k_grid=(3, 9, 20)).fit(x, names, groups=groups)
    assert set(model.bins_[:9]) == {0, 1, 2, 7, 8, 9, 14, 15, 16}
    assert model.chosen_k_ in (9, 20)
    assert set(model.inner_scores_) == {3, 9, 20}
    assert model.predict_proba(x).shape == (240, 3)
    assert model.score(x, names) > 0.75
    assert model.n_parameters_ == 2 * (model.chosen_k_ + 1)


def test_inner_choice_needs_groups_it_can_split() -> None:
    x, y, groups = problem()
    with pytest.raises(ModelError, match="groups=tma"):
        RocLdaClassifier().fit(x, y)
    with pytest.raises(ModelError, match="two or more groups"):
        RocLdaClassifier().fit(x, y, groups=y)
    RocLdaClassifier().fit(x, y, groups=groups)


def test_a_singular_covariance_is_mended_and_said_so() -> None:
    x, y, _ = problem()
    x[:, 1] = x[:, 0]
    with pytest.warns(UserWarning, match="singular"):
        model = RocLdaClassifier(k=5).fit(x, y)
    assert 0 < model.ridge_ <= 1e-6
    assert model.score(x, y) > 0.6
    with pytest.warns(UserWarning, match="singular"):
        few = RocLdaClassifier(k=80).fit(x[:20], y[:20])
    assert np.isfinite(few.predict_proba(x)).all()
    constant = np.where(y == 0, 1.0, 2.0).astype(np.float32)[:, None].repeat(3, axis=1)
    with pytest.warns(UserWarning, match="singular"):
        flat = RocLdaClassifier(k=3).fit(constant, y)
    assert flat.score(constant, y) == 1.0


def test_a_regular_covariance_is_left_alone() -> None:
    x, y, _ = problem()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert RocLdaClassifier(k=50).fit(x, y).ridge_ == 0.0


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("of", ["probability", "logit"])
def test_gradient_equals_finite_differences(n_classes: int, of: str) -> None:
    x, y, _ = problem(n_classes=n_classes)
    model = RocLdaClassifier(k=12).fit(x, y)
    points = x[:15].astype(np.float64)
    found = model.mean_gradient(points, of=of)
    assert found.shape == (n_classes, x.shape[1])

    def outputs(shifted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        p = model.predict_proba(shifted)
        return p if of == "probability" else np.log(p) - np.log1p(-p)

    step = 1e-8
    for j in [*model.bins_[:4], model.bins_[-1], 80]:
        shift = np.zeros(x.shape[1])
        shift[j] = step
        slope = (outputs(points + shift) - outputs(points - shift)).mean(axis=0) / (2 * step)
        np.testing.assert_allclose(found[:, j], slope, rtol=1e-5, atol=1e-3)
    with pytest.raises(ModelError, match="of="):
        model.mean_gradient(points, of="probabilty")


def test_nested_scores_need_one_factorisation_only() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 6)), np.arange(50) % 2
    nested = NestedLda.fit(x, y, 2)
    for k in (1, 4, 6):
        alone = NestedLda.fit(x[:, :k], y, 2)
        np.testing.assert_allclose(
            nested.scores(x, [k])[0], alone.scores(x[:, :k], [k])[0], atol=1e-12
        )
        np.testing.assert_allclose(nested.coefficients(k), alone.coefficients(k), atol=1e-12)


def test_bad_input_is_refused() -> None:
    x, y, _ = problem()
    with pytest.raises(ModelError, match="spectrum 3, bin 5"):
        broken = x.copy()
        broken[3, 5] = np.nan
        RocLdaClassifier(k=5).fit(broken, y)
    with pytest.raises(ModelError, match="90 bins"):
        RocLdaClassifier(k=91).fit(x, y)
    with pytest.raises(ModelError, match="at least 100 bins"):
        RocLdaClassifier(k_grid=(100,)).fit(x, y)
    with pytest.raises(ModelError, match="two or more classes"):
        RocLdaClassifier(k=5).fit(x, np.zeros(len(x)))
    with pytest.raises(ModelError, match="one label a spectrum"):
        RocLdaClassifier(k=5).fit(x, y[:-1])
    with pytest.raises(ModelError, match="not fitted"):
        RocLdaClassifier(k=5).predict(x)
    with pytest.raises(ModelError, match="fitted on 90 bins"):
        RocLdaClassifier(k=5).fit(x, y).predict(x[:, :-1])
    with pytest.raises(ParamsError, match="k_grid"):
        RocLdaClassifier(k_grid=(0, 5)).fit(x, y)


def test_it_is_a_scikit_learn_estimator() -> None:
    x, y, groups = problem()
    model = RocLdaClassifier(k=6)
    assert clone(model).get_params() == model.get_params()
    scores = cross_validate(model, x, y, groups=groups, cv=GroupKFold(4))["test_score"]
    assert scores.mean() > 0.75
