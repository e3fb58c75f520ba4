"""Each way against a closed form or a slow reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from nested_cohort import AXIS, CENTRES, FINE, RESOLUTION, nested_cohort, rendered

from corespot.audit.shares.mass_rule import find_mean_peaks
from corespot.audit.shares.peak_mask import peak_mask
from corespot.axis import MzAxis
from corespot.errors import ModelError, ParamsError
from corespot.mitigate.artifact_directions import artifact_directions
from corespot.mitigate.artifact_penalty import DirectionPenalty
from corespot.mitigate.requested import make_ways
from corespot.mitigate.resampled import shifted, widened
from corespot.mitigate.way import way_names, way_type, why_not_for

COHORT = nested_cohort()
X = COHORT.spectra
MEAN = X.mean(axis=0, dtype=np.float64)
MASK = peak_mask(MEAN, AXIS)


def fitted(name: str, **settings: Any) -> Any:
    (way,) = make_ways(name, {name: settings})
    return way.change(X, AXIS)


def test_the_mask_leaves_peaks_alone_and_fills_the_rest_with_the_training_mean() -> None:
    other = nested_cohort(seed=1).spectra
    before = other.copy()
    masked = fitted("mask_off_peak").transform(other)
    assert 0.1 < MASK.is_peak.mean() < 0.9
    assert np.array_equal(other, before)
    assert np.array_equal(masked[:, MASK.is_peak], other[:, MASK.is_peak])
    assert np.array_equal(
        masked[:, MASK.off_peak],
        np.tile(MEAN.astype(np.float32), (len(other), 1))[:, MASK.off_peak],
    )


def test_a_peak_list_holds_each_peaks_area_in_the_shape_of_the_mean_and_nothing_else() -> None:
    other = nested_cohort(seed=1).spectra[:5].astype(np.float64)
    found = fitted("peak_list").transform(other)
    expected = np.zeros_like(other)
    peaks = find_mean_peaks(MEAN, AXIS, MASK)
    for spot in range(5):
        for start, stop in zip(peaks.start, peaks.stop, strict=True):
            area = other[spot, start:stop].sum()
            expected[spot, start:stop] = area * MEAN[start:stop] / MEAN[start:stop].sum()
    assert len(peaks) >= len(CENTRES)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)
    turned = other.copy()
    start, stop = int(peaks.start[4]), int(peaks.stop[4])
    turned[:, start:stop] = turned[:, start:stop][:, ::-1]
    turned[:, MASK.off_peak] += 7
    np.testing.assert_allclose(fitted("peak_list").transform(turned), found, rtol=1e-9)


def test_the_projection_is_a_weighted_ridge_regression_on_the_artifact_directions() -> None:
    ridge = 0.02
    projection = fitted("artifact_projection", ridge=ridge, mask=False)
    other = nested_cohort(seed=1).spectra[:3].astype(np.float64)
    shapes = np.concatenate(list(artifact_directions(MEAN, AXIS, RESOLUTION).values()))
    assert len(shapes) == 8
    d = shapes[:, MASK.is_peak]
    sd = X.astype(np.float64).std(axis=0)[MASK.is_peak]
    root = 1 / np.maximum(sd, 1e-2 * np.median(sd))
    for spot in other:
        # Ridge as rows that are added to an ordinary least-squares problem.
        size = np.sqrt(ridge * np.sum((d * root) ** 2, axis=1))
        lines = np.concatenate([(d * root).T, np.diag(size)])
        aim = np.concatenate([(spot - MEAN)[MASK.is_peak] * root, np.zeros(8)])
        c = np.linalg.lstsq(lines, aim, rcond=None)[0]
        expected = spot.copy()
        expected[MASK.is_peak] -= c @ d
        found = projection.transform(spot[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * MEAN.max())


def test_the_projection_takes_planted_artifacts_away_and_leaves_a_marker() -> None:
    def seen(areas: Any, **how: Any) -> Any:
        return rendered(areas, axis=FINE, **how) + 0.05

    rng = np.random.default_rng(0)
    training = seen(np.exp(0.3 * rng.normal(size=(200, len(CENTRES)))))
    training += 0.05 * rng.normal(size=training.shape)
    on_peak = peak_mask(training.mean(axis=0), FINE).is_peak
    (way,) = make_ways("artifact_projection")
    change = way.change(training.astype(np.float32), FINE)
    areas = np.ones((1, len(CENTRES)))
    marked = areas.copy()
    marked[0, 10] *= 2
    usual = seen(areas)
    for moved in (
        seen(areas, ppm=5),
        seen(areas, width=1.03),
        usual * np.exp(0.05 * np.linspace(-1, 1, FINE.n_bins)),
    ):
        before = np.linalg.norm((moved - usual)[:, on_peak])
        after = np.linalg.norm(change.transform(moved) - change.transform(usual))
        assert after < 0.5 * before
    kept = change.transform(seen(marked)) - change.transform(usual)
    assert np.linalg.norm(kept) > 0.7 * np.linalg.norm(seen(marked) - usual)


def test_a_shift_moves_peaks_by_so_many_ppm() -> None:
    # On bins a fifth of a peak's width; at the 1.5 bins of AXIS interpolation blurs.
    axis = MzAxis.tof(1000, 1020, 800)
    peak = np.exp(-0.5 * ((axis.mz - 1010) / 0.1) ** 2)[None].astype(np.float32)
    found = shifted(peak, axis, np.full((1, 800), 40.0))[0]
    expected = np.exp(-0.5 * ((axis.mz - 1010 * (1 + 40e-6)) / 0.1) ** 2)
    assert np.abs(found - expected).max() < 0.01
    assert np.abs(peak[0] - expected).max() > 0.2


@pytest.mark.parametrize("log_factor", [-0.1, 0.1, 0.3])
def test_widening_changes_the_variance_of_a_peak_and_not_its_area(log_factor: float) -> None:
    axis = MzAxis.equidistant(1000, 1020, 400)
    sd = 1010 / RESOLUTION / 2.354820045
    peak = np.exp(-0.5 * ((axis.mz - 1010) / sd) ** 2)[None].astype(np.float32)
    found = widened(peak, axis, np.array([log_factor]), RESOLUTION)[0]
    variance = [np.sum(y * (axis.mz - 1010) ** 2) / y.sum() for y in (peak[0].astype(float), found)]
    assert found.sum() == pytest.approx(peak.sum(), rel=1e-5)
    assert variance[1] / variance[0] == pytest.approx(np.exp(2 * log_factor), rel=0.01)


NOTHING = dict.fromkeys(
    ("gain", "calibration_ppm", "width", "baseline", "pattern", "ripple", "noise", "matrix"), 0.0
)


def test_copies_without_strength_are_the_spectra_and_each_strength_changes_them() -> None:
    def copies(**settings: float) -> Any:
        (way,) = make_ways("augmentation", {"augmentation": {**NOTHING, **settings}})
        return way.copies(X[:10], AXIS, 3)

    np.testing.assert_allclose(copies(), np.tile(X[:10], (2, 1)), rtol=1e-4, atol=1e-5)
    strengths = {"gain": 0.2, "calibration_ppm": 20, "width": 0.1, "baseline": 0.3, "pattern": 0.3}
    for name, value in {**strengths, "noise": 1.0, "ripple_from": 1100, "ripple": 1.0}.items():
        if name == "ripple_from":
            continue
        more = {"ripple_from": 1100.0} if name == "ripple" else {}
        changed = copies(**{name: value}, **more)
        assert changed.dtype == np.float32 and changed.shape == (20, AXIS.n_bins)
        np.testing.assert_allclose(changed.sum(1), np.tile(X[:10].sum(1), 2), rtol=1e-4)
        assert np.abs(changed - np.tile(X[:10], (2, 1))).max() > 1e-3, name
        assert not np.array_equal(changed[:10], changed[10:])
        assert np.array_equal(changed, copies(**{name: value}, **more))


def test_a_copys_gain_is_smooth_and_of_the_strength_asked_for() -> None:
    (way,) = make_ways("augmentation", {"augmentation": {**NOTHING, "gain": 0.2, "copies": 20}})
    ratio = np.log(way.copies(X[:20], AXIS, 1) / np.tile(X[:20], (20, 1)))
    z = (2 * AXIS.mz - AXIS.mz[0] - AXIS.mz[-1]) / (AXIS.mz[-1] - AXIS.mz[0])
    shapes = np.stack([np.ones_like(z), z, 1.5 * z**2 - 0.5])
    c, miss = np.linalg.lstsq(shapes.T, ratio.T.astype(np.float64), rcond=None)[:2]
    assert miss.max() < 1e-5
    np.testing.assert_allclose(c[1:].std(axis=1), 0.2, rtol=0.15)


@pytest.mark.parametrize("spread", [False, True])
def test_batch_correction_brings_every_tma_to_the_mean_of_the_training_tmas(spread: bool) -> None:
    (way,) = make_ways("batch_correction", {"batch_correction": {"spread": spread}})
    tma = COHORT.spots["tma"].to_numpy(dtype=str)
    train = np.isin(tma, ["T0", "T1"])
    means = {name: X[tma == name].mean(axis=0, dtype=np.float64) for name in np.unique(tma)}
    sds = {name: X[tma == name].astype(np.float64).std(axis=0) for name in np.unique(tma)}
    target = (means["T0"] + means["T1"]) / 2
    shift = way.batches().fit(X[train], tma[train])
    with pytest.raises(ModelError, match="T2"):
        shift.correct(X, tma)
    # Where folds part a TMA, its test spots are corrected by what was fitted on its others.
    again = shift.met(X[:5] + 1, tma[:5]).correct(X[train], tma[train])
    np.testing.assert_array_equal(again, shift.correct(X[train], tma[train]))
    corrected = shift.met(X[~train], tma[~train]).correct(X, tma)
    for name in np.unique(tma):
        np.testing.assert_allclose(corrected[tma == name].mean(axis=0), target, atol=2e-3)
    if spread:
        np.testing.assert_allclose(
            corrected[tma == "T3"].std(axis=0), (sds["T0"] + sds["T1"]) / 2, atol=2e-3, rtol=2e-3
        )
    else:
        expected = X[tma == "T3"] - means["T3"] + target
        np.testing.assert_allclose(corrected[tma == "T3"], expected, atol=2e-3)
    # What the docs warn of: under nesting the classes are the same afterwards.
    kind = COHORT.spots["kind"].to_numpy()
    gap = corrected[kind == "a"].mean(0) - corrected[kind == "b"].mean(0)
    assert np.abs(gap).max() < 5e-3


def test_the_penalty_of_a_linear_network_is_in_closed_form() -> None:
    rng = np.random.default_rng(0)
    w, d = rng.normal(size=(3, 6)), rng.normal(size=(2, 6))
    single = np.array([0.0, 1.0, 0.0, 2.0, 0.0, 0.0])
    network = torch.nn.Linear(6, 2)
    with torch.no_grad():
        network.weight.copy_(torch.from_numpy(w[:2]))
    x = torch.from_numpy(rng.normal(size=(5, 6))).float()
    slope = 0.5 * (w[0] - w[1])  # by the unscaled bins, scale 0.5
    expected = 3 * (np.sum((d @ slope) ** 2) + np.sum((single * slope) ** 2))
    penalty = DirectionPenalty(d, single, 3.0)
    value = penalty(network, x, 0.5)
    assert float(value.detach()) == pytest.approx(expected, rel=1e-5)
    value.backward()  # type: ignore[no-untyped-call]
    gradient = 2 * 3 * 0.5 * (d.T @ (d @ slope) + single**2 * slope)
    assert network.weight.grad is not None
    np.testing.assert_allclose(network.weight.grad[0].numpy(), gradient, rtol=1e-4)
    three = torch.nn.Linear(6, 3)
    assert float(penalty(three, x, 0.5).detach()) > 0
    assert penalty.fingerprint != DirectionPenalty(d, single, 2.0).fingerprint


def test_directions_have_their_natural_sizes() -> None:
    areas = np.ones((1, len(CENTRES)))
    mean = rendered(areas, axis=FINE)[0]
    shapes = artifact_directions(mean, FINE, RESOLUTION)
    expected = {
        "calibration": rendered(areas, ppm=1, axis=FINE)[0] - mean,
        # A Gaussian that is widened at its area; `rendered` keeps the area.
        "resolution": (rendered(areas, width=1.01, axis=FINE)[0] - mean) / 0.01,
    }
    for part, truth in expected.items():
        found = shapes[part][0]
        assert found @ truth / np.linalg.norm(found) / np.linalg.norm(truth) > 0.97
        assert np.linalg.norm(found) / np.linalg.norm(truth) == pytest.approx(1.0, abs=0.25)


def test_every_way_says_what_it_does_and_for_what() -> None:
    assert set(way_names()) == {
        "artifact_penalty",
        "artifact_projection",
        "augmentation",
        "batch_correction",
        "mask_off_peak",
        "peak_list",
    }
    for name in way_names():
        assert len(way_type(name).sentence) > 30
        assert all(
            field.description for field in way_type(name).settings_type.model_fields.values()
        )


def test_what_does_not_apply_is_refused_with_a_reason() -> None:
    for name in way_names():
        reason = why_not_for(name, "resnet_patch")
        assert reason is not None and "patch" in reason.reason
        assert (why_not_for(name, "logistic") is None) == (name != "artifact_penalty")
        assert why_not_for(name, "isotopenet") is None
    with pytest.raises(ParamsError, match="did you mean 'peak_list'"):
        make_ways("peak_lst")
    with pytest.raises(ParamsError, match="did you mean 'ridge'"):
        make_ways("artifact_projection", {"artifact_projection": {"rigde": 1}})
    with pytest.raises(ParamsError, match="no network"):
        make_ways(["peak_list", "artifact_penalty"], model="logistic")
    with pytest.raises(ParamsError, match="twice"):
        make_ways(["peak_list", "peak_list"])
    with pytest.raises(ParamsError, match="not among"):
        make_ways(["peak_list"], {"augmentation": {}})
    (way,) = make_ways("mask_off_peak")
    listed = MzAxis(np.cumsum(np.random.default_rng(0).uniform(0.5, 30, 60)) + 700)
    with pytest.raises(ModelError, match="list of 60 peaks"):
        way.change(np.ones((4, 60), dtype=np.float32), listed)
