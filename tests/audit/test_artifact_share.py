"""Artifact shares in closed form, by a slow reference, and on cohorts whose truth is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import logsumexp
from simulated_spectra import AXIS, Simulated

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.artifact_share import artifact_share, combine_folds
from corespot.audit.shares.changed_spectra import log_odds
from corespot.audit.shares.class_shares import ArtifactShare, ClassShares
from corespot.audit.shares.gap_parts import ARTIFACT_PARTS, PARTS
from corespot.audit.shares.share_intervals import patient_readings
from corespot.audit.shares.split_gap import SplitGap, split_gap
from corespot.axis import MzAxis
from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.evaluate.intervals import draw_patients
from corespot.preprocess.recipe import Recipe
from corespot.synth import SynthSettings, make_cohort
from corespot.synth.biology import BiologySettings
from corespot.synth.confounds import ArtifactSettings
from corespot.synth.design import DesignSettings, OrganSettings
from corespot.synth.spectra import SpectraSettings
from corespot.synth.tissue import TissueSettings
from corespot.train.estimator import make_estimator

SIMULATED = Simulated()


class Linear:
    """Scores x W.T; log-odds and their gradient in closed form."""

    def __init__(self, weights, classes):
        self.weights = np.asarray(weights, dtype=float)
        self.classes_ = np.array(classes)

    def decision_scores(self, X):
        return np.asarray(X, dtype=float) @ self.weights.T

    def mean_gradient(self, X, *, of):
        assert of == "logit"
        difference = self.weights[1] - self.weights[0]
        return np.stack([-difference, difference])


class Curved:
    """Probabilities alone, of a bent reading, without a gradient."""

    def __init__(self, weights, classes, centre):
        self.weights, self.classes_ = np.asarray(weights, dtype=float), np.array(classes)
        self.centre = centre

    def predict_proba(self, X):
        grown = np.exp(np.tanh((np.asarray(X, dtype=float) - self.centre) @ self.weights.T))
        return grown / grown.sum(axis=1, keepdims=True)


class Neighbourly:
    """Scores a spot by the mean spectrum of its core."""

    def __init__(self, weights, classes):
        self.weights, self.classes_ = np.asarray(weights, dtype=float), np.array(classes)

    def decision_scores(self, X, *, positions):
        x = np.asarray(X, dtype=float)
        scores = np.empty((len(x), len(self.weights)))
        for spots in positions.by_core():
            scores[spots] = np.square(x[spots].mean(axis=0) @ self.weights.T)
        return scores


def spots(n_patients=12, per_patient=4, n_classes=2, seed=0):
    """Noisy spectra of patients, whose classes differ in markers, a shift and the baseline."""
    rng = np.random.default_rng(seed)
    mean = SIMULATED.spectrum() + SIMULATED.baseline
    marker = np.zeros_like(SIMULATED.areas).reshape(-1, 5)
    marker[10:14] = 0.6 * SIMULATED.areas.reshape(-1, 5)[10:14]
    gaps = np.stack(
        [
            np.zeros(AXIS.n_bins),
            SIMULATED.spectrum(areas=marker.ravel())
            + SIMULATED.spectrum(ppm=15.0)
            - SIMULATED.spectrum(),
            0.5 * SIMULATED.baseline,
        ]
    )[:n_classes]
    patient = np.repeat(np.arange(n_patients), per_patient)
    y = patient % n_classes
    own = 0.05 * rng.normal(size=(n_patients, AXIS.n_bins)) * np.sqrt(mean)
    x = mean + gaps[y] + own[patient]
    x += 0.05 * rng.normal(size=x.shape) * np.sqrt(mean)
    names = np.array([f"P{p:02d}" for p in patient])
    return x.astype(np.float32), y, names, mean


def split_of(x, y, names, mean) -> SplitGap:
    return split_gap(x, y, names, int(y.max()) + 1, mean_spectrum=mean, axis=AXIS)


@pytest.fixture(scope="module")
def two():
    x, y, names, mean = spots()
    return x, y, names, split_of(x, y, names, mean)


def slow_effect(f, delta, x, own, names):
    """The definition written out: patients count alike on either side."""

    def balanced(values, chosen):
        return np.mean([values[chosen & (names == p)].mean() for p in np.unique(names[chosen])])

    up, down = f(x + np.float32(delta)) - f(x), f(x) - f(x - np.float32(delta))
    return 0.5 * (balanced(up, ~own) + balanced(down, own))


def weights_for(split: SplitGap, **strength: float):
    """A direction that reads the named parts of the gap, each by its strength."""
    parts = split.parts[1].parts
    return sum(
        size * parts[name] / np.linalg.norm(parts[name]) ** 2 for name, size in strength.items()
    )


def test_shares_of_a_linear_model_are_its_reading_of_the_parts(two):
    x, y, names, split = two
    weight = weights_for(split, off_peak=1.0, calibration=2.0, peak=3.0)
    model = Linear([np.zeros_like(weight), weight], ["A", "B"])
    found = artifact_share(model, x, y, names, ("A", "B"), split).by_class["B"]
    assert isinstance(found, ClassShares)
    parts = split.parts[1]
    for name in PARTS:
        expected = weight @ parts.parts[name] / (weight @ parts.whole)
        assert found.shares[name] == pytest.approx(expected, abs=2e-4)
    assert sum(found.shares[name] for name in PARTS) == pytest.approx(1, abs=1e-3)
    assert found.shares["artifact"] == pytest.approx(
        sum(found.shares[name] for name in ARTIFACT_PARTS)
    )
    assert found.shares["artifact"] > 0.4 and found.is_complete


def test_a_model_that_reads_markers_alone_has_next_to_no_artifact_share(two):
    x, y, names, split = two
    marker = np.zeros(AXIS.n_bins)
    line = SIMULATED.lines.reshape(-1, 5)[11, 0]
    marker[AXIS.nearest(line)] = 1.0
    model = Linear([np.zeros_like(marker), 50 * marker], ["A", "B"])
    clean = artifact_share(model, x, y, names, ("A", "B"), split)
    outside = np.where(split.mask.off_peak, split.parts[1].parts["off_peak"], 0.0)
    confounded = Linear([np.zeros_like(marker), 1e4 * outside], ["A", "B"])
    reliant = artifact_share(confounded, x, y, names, ("A", "B"), split)
    assert abs(clean.largest()[1]) < 0.15
    assert reliant.largest()[1] > 0.95


def test_a_model_that_is_not_linear_agrees_with_the_definition_written_out(two):
    x, y, names, split = two
    weight = weights_for(split, peak=0.7, calibration=0.3, off_peak=-0.2)
    model = Curved([-0.5 * weight, weight], ["A", "B"], x.mean(axis=0))
    found = artifact_share(model, x, y, names, ("A", "B"), split)
    shares = found.by_class["A"]
    assert isinstance(shares, ClassShares)

    def f(spectra):
        p = model.predict_proba(spectra)[:, 1]
        return np.log(p / (1 - p))

    parts = split.parts[1]
    whole = slow_effect(f, parts.whole, x, y == 1, names)
    straight = weight @ parts.parts["peak"] / (weight @ parts.whole)
    assert abs(shares.shares["peak"] - straight) > 0.005, "the model is bent"
    for name in PARTS:
        expected = slow_effect(f, parts.parts[name], x, y == 1, names) / whole
        assert shares.shares[name] == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert shares.whole_effect == pytest.approx(whole, rel=1e-4)
    # Without a gradient the difference's own uncertainty is not known: no interval is made up.
    assert shares.interval("artifact") is None


def test_each_class_of_three_is_compared_with_the_others():
    x, y, names, mean = spots(n_patients=15, n_classes=3)
    split = split_of(x, y, names, mean)
    weights = np.stack([split.parts[k].parts[name] for k, name in enumerate(PARTS[:3])])
    weights += np.stack([0.02 * split.parts[k].whole for k in range(3)])
    weights *= 200

    class Three(Linear):
        def mean_gradient(self, X, *, of):
            return self.weights - self.weights.mean(axis=0)

    # Columns stand in another order than the task's classes: they have to be found by name.
    model = Three(weights[[2, 0, 1]], ["C", "A", "B"])
    found = artifact_share(model, x, y, names, ("A", "B", "C"), split)
    assert list(found.by_class) == ["A", "B", "C"]
    for k, shares in enumerate(found.by_class.values()):
        assert isinstance(shares, ClassShares)

        def f(spectra, k=k):
            scores = spectra.astype(float) @ weights.T
            return scores[:, k] - logsumexp(np.delete(scores, k, axis=1), axis=1)

        whole = slow_effect(f, split.parts[k].whole, x, y == k, names)
        for name in PARTS:
            expected = slow_effect(f, split.parts[k].parts[name], x, y == k, names) / whole
            assert shares.shares[name] == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert shares.interval("artifact") is not None
    name, share = found.largest()
    assert share == max(
        s.shares["artifact"] for s in found.by_class.values() if isinstance(s, ClassShares)
    )
    assert name in found.by_class


@pytest.mark.parametrize("n_classes", [2, 3])
def test_log_odds_are_those_of_the_probabilities(n_classes):
    rng = np.random.default_rng(0)
    model = Linear(rng.normal(size=(n_classes, 6)), list("CAB"[:n_classes]))
    x = rng.normal(size=(9, 6)).astype(np.float32)
    order = [model.classes_.tolist().index(name) for name in sorted(model.classes_)]
    scores = model.decision_scores(x)[:, order]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    found = log_odds(model, x, sorted(model.classes_))
    np.testing.assert_allclose(found, np.log(p / (1 - p)), rtol=1e-9)


def test_where_the_difference_moves_nothing_there_is_no_share(two):
    x, y, names, split = two
    noise = np.random.default_rng(1).normal(size=AXIS.n_bins)
    noise -= (
        (noise @ split.parts[1].whole) / np.sum(split.parts[1].whole ** 2) * split.parts[1].whole
    )
    for weight in (np.zeros(AXIS.n_bins), noise):
        found = artifact_share(
            Linear([0 * weight, weight], ["A", "B"]), x, y, names, ("A", "B"), split
        )
        reason = found.by_class["A"]
        assert isinstance(reason, NotApplicable) and "nothing to share out" in reason.reason
        assert found.largest() is reason


def test_interval_of_a_linear_model_is_that_of_patients_drawn_anew(two):
    """Slow reference: the difference is made again of every draw, split by the same weights."""
    x, y, names, split = two
    weight = weights_for(split, off_peak=1.0, calibration=1.0, peak=2.0)
    model = Linear([0 * weight, weight], ["A", "B"])
    readings = patient_readings(split, 1, weight)
    own, others = split.gap.sides(1)
    own_means, other_means = (
        np.stack(
            [x[(names == split.gap.names[p]) & (y == k)].mean(0, dtype=np.float64) for p in side]
        )
        for k, side in ((1, own.patients), (0, others.patients))
    )
    np.testing.assert_allclose(readings["whole"][0, own.patients], own_means @ weight, rtol=1e-6)
    np.testing.assert_allclose(others.mean(), other_means.mean(axis=0), rtol=1e-6, atol=1e-9)
    found = artifact_share(model, x, y, names, ("A", "B"), split, n_bootstrap=400, seed=3)
    shares = found.by_class["B"]
    assert isinstance(shares, ClassShares)
    carried = split.parts[1].carried(weight)
    drawn = draw_patients(np.arange(12) % 2, 4000, np.random.default_rng(0))
    w_own, w_others = drawn[:, own.patients], drawn[:, others.patients]
    delta = w_own @ own_means / 6 - w_others @ other_means / 6
    slow = sum(delta @ carried[name] for name in ARTIFACT_PARTS) / (delta @ weight)
    assert shares.draws["artifact"].mean() == pytest.approx(slow.mean(), abs=0.01)
    assert shares.draws["artifact"].std() == pytest.approx(slow.std(), rel=0.15)
    low, high = shares.interval("artifact") or (0, 0)
    assert low < shares.shares["artifact"] < high
    again = artifact_share(model, x, y, names, ("A", "B"), split, n_bootstrap=400, seed=3)
    assert again.as_dict() == found.as_dict()


def test_one_patient_of_a_class_allows_no_interval():
    x, y, names, mean = spots(n_patients=2)
    split = split_of(x, y, names, mean)
    weight = weights_for(split, peak=1.0)
    found = artifact_share(Linear([0 * weight, weight], ["A", "B"]), x, y, names, ("A", "B"), split)
    shares = found.by_class["A"]
    assert isinstance(shares, ClassShares) and shares.interval("peak") is None


def test_all_spots_change_at_once_for_a_model_that_sees_neighbours():
    x, y, names, mean = spots(n_patients=8, per_patient=6)
    split = split_of(x, y, names, mean)
    # Two patients of different classes share a core.
    core = np.array([f"C{int(name[1:]) // 2}" for name in names])
    places = {"positions": SpotPositions(core, np.arange(len(x)), np.zeros(len(x), dtype=np.int64))}
    weight = 20 * weights_for(split, off_peak=1.0, peak=2.0)
    model = Neighbourly([0 * weight, weight], ["A", "B"])
    found = artifact_share(model, x, y, names, ("A", "B"), split, places=places)
    shares = found.by_class["B"]
    assert isinstance(shares, ClassShares)

    def f(spectra):
        scores = model.decision_scores(spectra, **places)
        return scores[:, 1] - scores[:, 0]

    delta = np.float32(split.parts[1].parts["off_peak"])
    whole = np.float32(split.parts[1].whole)

    def effect(d):
        up, down = f(x + d) - f(x), f(x) - f(x - d)
        return 0.5 * (up[y == 0].mean() + down[y == 1].mean())

    assert shares.shares["off_peak"] == pytest.approx(effect(delta) / effect(whole), rel=1e-4)


def test_blocks_do_not_change_the_log_odds(two, monkeypatch):
    x, _, _, split = two
    weight = weights_for(split, peak=1.0)
    model = Linear([0 * weight, weight], ["A", "B"])
    at_once = log_odds(model, x, ("A", "B"))
    monkeypatch.setattr("corespot.audit.shares.changed_spectra._BLOCK_VALUES", 3 * AXIS.n_bins)
    np.testing.assert_allclose(log_odds(model, x, ("A", "B")), at_once, rtol=1e-10)
    before = x.copy()
    changed = log_odds(model, x, ("A", "B"), change=lambda block, rows: block * 0 + rows[:, None])
    np.testing.assert_allclose(
        changed[:, 1], np.arange(len(x)) * weight.sum(), rtol=1e-5, atol=1e-9
    )
    np.testing.assert_array_equal(x, before)


def test_log_odds_do_not_saturate_where_probabilities_do():
    model = Linear([[0.0], [500.0]], ["A", "B"])
    found = log_odds(model, np.array([[1.0], [2.0]], dtype=np.float32), ("A", "B"))
    np.testing.assert_allclose(found[:, 1], [500.0, 1000.0])


def test_classes_are_found_by_name_or_number_or_refused(two):
    x, _, _, split = two
    weight = weights_for(split, peak=1.0)
    by_name = log_odds(Linear([0 * weight, weight], ["A", "B"]), x, ("B", "A"))
    by_number = log_odds(Linear([0 * weight, weight], [0, 1]), x, ("A", "B"))
    np.testing.assert_allclose(by_name[:, 0], by_number[:, 1])
    with pytest.raises(ModelError, match="pass the task's classes"):
        log_odds(Linear([0 * weight, weight], ["A", "X"]), x, ("A", "B"))


def fold(share: float, seed: int = 0) -> ArtifactShare:
    draws = share + 0.05 * np.random.default_rng(seed).normal(size=200)
    shares = ClassShares(
        {"artifact": share}, {"artifact": draws}, {}, 2.0 + share, {"artifact": (share,)}
    )
    return ArtifactShare({"A": shares, "B": shares})


def test_folds_are_combined_by_their_median_and_all_kept():
    found = combine_folds([fold(0.1, 1), fold(0.5, 2), fold(0.2, 3)])
    shares = found.by_class["A"]
    assert isinstance(shares, ClassShares)
    assert shares.shares["artifact"] == 0.2 and shares.by_fold["artifact"] == (0.1, 0.5, 0.2)
    assert shares.whole_effect == 2.2 and found.n_folds == 3
    low, high = shares.interval("artifact") or (0, 0)
    assert low < 0.2 < high < 0.45


def test_folds_without_a_share_are_named_and_most_of_them_decide():
    none = ArtifactShare(dict.fromkeys(("A", "B"), NotApplicable("nothing moves")))
    kept = combine_folds([fold(0.3), none, fold(0.4)])
    assert kept.largest() == ("A", pytest.approx(0.35))
    assert kept.notes == ("fold 2, class A: nothing moves", "fold 2, class B: nothing moves")
    lost = combine_folds([none, fold(0.3), none]).largest()
    assert isinstance(lost, NotApplicable) and "in 2 of 3 folds" in lost.reason
    with pytest.raises(ModelError, match="same classes"):
        combine_folds([])


def test_a_list_of_peaks_gives_a_lower_bound_and_says_so():
    axis = MzAxis(np.sort(np.random.default_rng(1).uniform(600, 1500, 593)))
    rng = np.random.default_rng(2)
    mean = rng.gamma(1.0, 1.0, 593)
    y = np.arange(40) % 2
    x = (mean * (1 + 0.3 * y[:, None]) * (1 + 0.1 * rng.normal(size=(40, 593)))).astype(np.float32)
    names = np.array([f"P{i % 10}" for i in range(40)])
    split = split_gap(x, y, names, 2, mean_spectrum=mean, axis=axis)
    weight = split.parts[1].whole
    found = artifact_share(Linear([0 * weight, weight], ["A", "B"]), x, y, names, ("A", "B"), split)
    shares = found.by_class["B"]
    assert isinstance(shares, ClassShares) and not shares.is_complete
    assert shares.shares["gain"] > 0.9
    assert set(shares.missing) == {"off_peak", "calibration", "resolution"}
    assert json.loads(json.dumps(found.as_dict()))["by_class"]["A"]["artifact_is_complete"] is False


def test_numbers_that_do_not_fit_together_are_refused(two):
    x, y, names, split = two
    model = Linear(np.zeros((2, AXIS.n_bins)), ["A", "B"])
    with pytest.raises(ModelError, match="one difference for each class"):
        artifact_share(model, x, y[:-1], names, ("A", "B"), split)
    with pytest.raises(ModelError, match="patient nobody"):
        renamed = np.where(names == names[0], "nobody", names)
        artifact_share(model, x, y, renamed, ("A", "B"), split)


def cohort(amplitude: float):
    """A nested cohort of eight small TMAs, preprocessed as usual."""
    organ = OrganSettings(n_tmas=4, patients_per_tma=6, cores_per_patient=(1.0,))
    made = make_cohort(
        SynthSettings(
            design=DesignSettings(name="nested", lung=organ, pancreas=organ),
            spectra=SpectraSettings(low=900.0, high=2400.0, n_bins=5000, n_peptides=160),
            biology=BiologySettings(n_organ=10, organ_log_fold=(0.6, 1.2)),
            tissue=TissueSettings(core_radius=(1.5, 1.6), background_per_tma=0),
            artifacts=ArtifactSettings(amplitude=amplitude),
        ),
        seed=4,
    )
    raw = np.concatenate([np.concatenate(list(m.blocks)) for m in made.measurements()])
    table = made.spots.merge(made.cores, on="core", how="left", validate="many_to_one")
    x = Recipe.default().apply(raw, made.axis, made.axis)
    return made.axis, x, (table["organ"] == "pancreas").to_numpy(np.int64), table


@pytest.mark.parametrize(("name", "settings"), [("roc_lda", {"k": 50}), ("logistic", {})])
def test_models_reliant_on_artifacts_are_told_from_clean_ones(name, settings):
    """One fold of four: two TMAs, one of each organ, are held out."""
    share = {}
    for amplitude in (0.0, 1.0):
        axis, x, y, table = cohort(amplitude)
        test = table["tma"].isin(["TMA01", "TMA05"]).to_numpy()
        patients = table["patient"].to_numpy(dtype=str)
        model = make_estimator(name, settings, seed=0).fit(x[~test], y[~test])
        split = split_gap(
            x[test],
            y[test],
            patients[test],
            2,
            mean_spectrum=x[~test].mean(axis=0, dtype=np.float64),
            axis=axis,
        )
        found = artifact_share(
            model, x[test], y[test], patients[test], ("lung", "pancreas"), split
        ).by_class["lung"]
        assert isinstance(found, ClassShares)
        share[amplitude] = found
    assert share[0.0].shares["artifact"] < 0.2
    assert share[1.0].shares["artifact"] > share[0.0].shares["artifact"] + 0.2
    low, _ = share[1.0].interval("artifact") or (0, 0)
    assert low > (share[0.0].interval("artifact") or (1, 1))[1]
