"""The classifier with ways built in behaves as a plain one on raw spectra."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from nested_cohort import AXIS, nested_cohort

from corespot.audit.shares.changed_spectra import log_odds
from corespot.errors import ModelError
from corespot.explain.sensitivity import sensitivity_profile
from corespot.mitigate.artifact_directions import artifact_directions
from corespot.mitigate.mitigated import MitigatedClassifier
from corespot.mitigate.requested import make_ways
from corespot.train.estimator import make_estimator

COHORT = nested_cohort()
X, Y = COHORT.spectra, COHORT.spots["kind"].to_numpy(dtype=str)
CONV = {"epochs": 4, "batch_size": 16, "n_kept": 60, "dropout": 0.0}
CHANGES = (
    ("mask_off_peak",),
    ("peak_list",),
    ("artifact_projection",),
    ("artifact_projection", "peak_list"),
    ("peak_list", "augmentation"),
    (),
)


def made(names: Sequence[str], model: str = "logistic", **settings: Any) -> MitigatedClassifier:
    inner = make_estimator(model, CONV if model == "conv1d" else {}, seed=1, device="cpu")
    return MitigatedClassifier(inner, make_ways(names, settings), AXIS, random_state=1)


@pytest.mark.parametrize("names", CHANGES)
def test_slopes_by_raw_bins_agree_with_finite_differences(names: tuple[str, ...]) -> None:
    fitted = made(names).fit(X, Y)
    rng = np.random.default_rng(0)
    some = X[::5].astype(np.float64)
    both = fitted.mean_gradients(some)
    for of, value in (
        ("logit", lambda x: np.diff(fitted.decision_scores(x), axis=1).mean()),
        ("probability", lambda x: fitted.predict_proba(x)[:, 1].mean()),
    ):
        slope = fitted.mean_gradient(some, of=of)  # type: ignore[arg-type]
        assert slope.shape == (2, AXIS.n_bins)
        np.testing.assert_array_equal(slope, both[of])  # type: ignore[index]
        for _ in range(3):
            step = 1e-3 * rng.normal(size=AXIS.n_bins)
            rise = (value(some + step) - value(some - step)) / 2  # type: ignore[no-untyped-call]
            assert slope[1] @ step == pytest.approx(rise, rel=1e-4, abs=1e-9)


def test_a_networks_slopes_agree_with_finite_differences() -> None:
    fitted = made(("artifact_projection", "mask_off_peak"), "conv1d").fit(X, Y)
    some = X[::7].astype(np.float64)
    slope = fitted.mean_gradient(some, of="logit")[1]
    step = 0.02 * slope / np.linalg.norm(slope)
    rise = [np.diff(fitted.decision_scores(some + s * step), axis=1).mean() for s in (1, -1)]
    assert slope @ step == pytest.approx((rise[0] - rise[1]) / 2, rel=0.02)


def test_audit_and_explanation_take_it_for_a_plain_estimator() -> None:
    fitted = made(("mask_off_peak",)).fit(X, Y)
    odds = log_odds(fitted, X, ("b", "a"))
    wiped = log_odds(fitted, X, ("b", "a"), change=lambda block, _: _off_peak_raised(block, fitted))
    np.testing.assert_allclose(odds, wiped)
    assert np.array_equal(np.where(odds[:, 0] > 0, "b", "a"), fitted.predict(X))
    profile = sensitivity_profile(fitted, X, axis=AXIS, classes=("b", "a"))
    masked = fitted.changes_[0].masked  # type: ignore[attr-defined]
    assert np.all(profile.logit[:, masked] == 0) and np.any(profile.logit != 0)


def _off_peak_raised(block: Any, fitted: MitigatedClassifier) -> Any:
    block[:, fitted.changes_[0].masked] += 5  # type: ignore[attr-defined]
    return block


@pytest.mark.parametrize("names", [*CHANGES, ("artifact_penalty",), ("augmentation",)])
def test_labels_have_no_say_in_what_is_done_to_spectra(names: tuple[str, ...]) -> None:
    seen: list[Any] = []

    class Spy:
        classes_ = np.array(["a", "b"])

        def fit(self, x: Any, y: Any, **more: Any) -> None:
            seen.append((x, more.get("penalty")))

    for labels in (Y, np.random.default_rng(3).permutation(Y)):
        one = made(names)
        one.estimator = Spy()
        one.fit(X, labels)
        seen.append(one.changed(X))
    assert np.array_equal(seen[0][0], seen[2][0]) and np.array_equal(seen[1], seen[3])
    if names == ("artifact_penalty",):
        assert seen[0][1].fingerprint == seen[2][1].fingerprint


def test_copies_bear_the_label_and_group_of_their_spectrum() -> None:
    found: dict[str, Any] = {}

    class Spy:
        classes_ = np.array(["a", "b"])

        def fit(self, x: Any, y: Any, groups: Any, **_: Any) -> None:
            found.update(x=x, y=y, groups=groups)

    nothing = dict.fromkeys(
        ("gain", "calibration_ppm", "width", "baseline", "pattern", "ripple", "noise", "matrix"), 0
    )
    one = made(("peak_list", "augmentation"), augmentation={"copies": 3, **nothing})
    one.estimator = Spy()
    tma = COHORT.spots["tma"].to_numpy()
    one.fit(X, Y, groups=tma)
    assert np.array_equal(found["y"], np.tile(Y, 4))
    assert np.array_equal(found["groups"], np.tile(tma, 4))
    np.testing.assert_allclose(found["x"], np.tile(one.changed(X), (4, 1)), rtol=1e-3, atol=1e-4)


def test_the_penalty_flattens_a_network_along_the_artifacts() -> None:
    shapes = artifact_directions(X.mean(axis=0, dtype=np.float64), AXIS, 4500.0)["calibration"]
    strong = {"artifact_penalty": {"strength": 10.0}}
    fits = [made((), "conv1d"), made(("artifact_penalty",), "conv1d", **strong)]
    for one in fits:
        one.estimator.set_params(epochs=30, learning_rate=0.01)
    slopes = [one.fit(X, Y).mean_gradient(X, of="logit")[0] for one in fits]
    steep = [np.linalg.norm(shapes @ slope) for slope in slopes]
    assert steep[1] < 0.5 * steep[0]
    # It can still tell the classes apart, by the peaks that differ.
    assert np.mean(fits[1].predict(X) == Y) > 0.8


def test_a_checkpoint_of_another_penalty_is_not_gone_on_with(tmp_path: Any) -> None:
    epochs: list[int] = []

    def run(strength: float) -> None:
        one = made(("artifact_penalty",), "conv1d", artifact_penalty={"strength": strength})
        one.fit(X, Y, checkpoint=tmp_path, on_epoch=lambda e: epochs.append(int(e["epoch"])))

    run(1.0)
    run(1.0)
    assert epochs == [1, 2, 3, 4]
    run(2.0)
    assert epochs == [1, 2, 3, 4] * 2


def test_misuse_is_named() -> None:
    with pytest.raises(ModelError, match="not fitted"):
        made(()).predict(X)
    with pytest.raises(ModelError, match="axis of 1600"):
        made(()).fit(X[:, :100], Y)
