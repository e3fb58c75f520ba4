"""The audit of cross-validated models: what it says of cohorts whose truth was planted."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from audited_cohorts import (
    AXIS,
    SHORT,
    THRESHOLDS,
    audited,
    fits,
    folds_of,
    mixed,
    nested,
    result_of,
    spot_table,
    store_of,
    task_of,
)

from corespot.audit.applicable import NotApplicable
from corespot.audit.model.metadata import control_rows
from corespot.audit.model.model_audit import ModelAudit, audit_model
from corespot.audit.model.regrouped import RegroupedScores
from corespot.axis import MzAxis
from corespot.errors import FoldError, ModelError, StoreError
from corespot.io.store import SpectraStore
from corespot.models import registry

#: The TMAs of class a have a baseline six times as high.
HIGH = {"T0": 0.3, "T2": 0.3, "T4": 0.3, "T6": 0.3}


def word(audit: ModelAudit, axis: MzAxis = AXIS) -> str:
    result = result_of(audit, axis=axis)
    # Whatever was measured, it can be written.
    json.dumps(result.as_dict(), allow_nan=False)
    assert np.all(np.isfinite(result.spectrum().select_dtypes("number").to_numpy()))
    return result.verdict.word


@pytest.mark.parametrize("model", ["roc_lda", "logistic"])
def test_a_model_that_reads_the_baseline_is_confounded(model: str):
    audit = audited(store_of(spot_table(nested()), baseline=HIGH), model=model)
    assert audit.readings.number("artifact_share") > 0.8
    assert audit.readings.number("negative_control") == 1.0
    assert word(audit) == "confounded"


@pytest.mark.parametrize("model", ["roc_lda", "logistic"])
def test_a_model_that_reads_markers_is_not(model: str):
    audit = audited(store_of(spot_table(nested()), marker=1.0), model=model)
    assert audit.readings.number("balanced_accuracy") > 0.9
    assert audit.readings.number("artifact_share") < 0.2
    assert audit.readings.number("V") > 0.8
    assert word(audit) in ("not_excluded", "suspect")


def test_classes_that_share_every_tma_leave_no_evidence():
    audit = audited(store_of(spot_table(mixed()), marker=1.0))
    assert audit.readings.number("V") == 0.0 and word(audit) == "no_evidence"


def test_of_three_classes_the_one_that_leans_on_the_measurement_is_found():
    store = store_of(
        spot_table(nested(6, 4, "abc")), marker=1.0, baseline={"T1": 0.4, "T4": 0.4}, seed=2
    )
    audit = audited(store, model="logistic")
    assert list(audit.share.by_class) == ["a", "b", "c"]
    assert audit.folds[0].profile.shape == (3, AXIS.n_bins)
    name, share = audit.share.largest()
    assert (name, word(audit)) == ("b", "confounded") and share > 0.3
    clean = audited(store_of(spot_table(nested(6, 4, "abc")), marker=1.0), model="logistic")
    assert clean.readings.number("artifact_share") < share / 2


def test_twenty_classes():
    letters = "abcdefghijklmnopqrst"
    tmas = {f"T{at}": list(letters) for at in range(2)}
    store = store_of(spot_table(tmas, n_spots=2), marker=1.5, axis=SHORT)
    audit = audited(store, model="logistic", n_bootstrap=0)
    assert len(audit.share.by_class) == 20 and word(audit, SHORT) == "no_evidence"


def test_repeats_are_folds_like_others():
    store = store_of(spot_table(nested(8)), marker=1.0)
    audit = audited(store, repeats=2)
    assert len(audit.folds) == 4
    assert audit.share.n_folds == 4 and word(audit) != "no_evidence"
    patients = result_of(audit).patients()
    assert len(patients) == 32 and not patients["patient"].duplicated().any()


@pytest.mark.parametrize(
    ("tmas", "group", "reason"),
    [
        (mixed(1, 8), "patient", "all spots are on one TMA, T0"),
        (nested(8, 1), "tma", "no two patients share one"),
        ({**nested(15, 1), "T0": ["a", "a"]}, "tma", "chance alone can do that"),
    ],
)
def test_a_design_that_tells_nothing_of_the_tma_certifies_nothing(tmas, group, reason):
    audit = audited(store_of(spot_table(tmas), marker=1.0), group=group)
    tie = audit.readings["V"]
    assert isinstance(tie, NotApplicable) and reason in tie.reason
    assert word(audit) == "not_excluded"
    assert reason in result_of(audit).sentence


def test_a_model_at_chance_is_not_certified():
    store = store_of(spot_table(nested(4, 6)), noise=0.3)
    audit = audited(store, model="logistic")
    assert audit.readings.number("balanced_accuracy") < 0.7
    assert word(audit) == "not_excluded"


@pytest.mark.parametrize("value", [0.0, 0.001])
def test_constant_spectra_have_nothing_to_share_out(value: float):
    store = store_of(spot_table(nested()))
    store.spectra[:] = value
    audit = audited(store, model="logistic")
    assert audit.readings.number("artifact_share") is None
    assert audit.readings.number("spectral_entropy") is None
    assert word(audit) == "not_excluded"


def test_a_spectrum_that_is_not_finite_is_named():
    store = store_of(spot_table(nested()), marker=1.0)
    task, folds = task_of(store), folds_of(task_of(store))
    fitted = fits(store, task, folds)
    store.spectra[17, 5] = np.nan
    with pytest.raises(StoreError, match="spectrum 17 of the store"):
        audit_model(store, task, folds, lambda f: fitted[f.repeat, f.index], model="roc_lda")


def test_an_estimator_without_gradient_is_refused_plainly():
    store = store_of(spot_table(nested()), marker=1.0)
    task, folds = task_of(store), folds_of(task_of(store))
    fitted = fits(store, task, folds)

    class OnlyProbabilities:
        classes_ = np.array(task.classes)

        def predict_proba(self, x: Any) -> Any:
            return fitted[0, 0].predict_proba(x)

    with pytest.raises(ModelError, match="OnlyProbabilities has no mean_gradient"):
        audit_model(store, task, folds, lambda fold: OnlyProbabilities(), model="roc_lda")


def test_folds_of_other_spots_are_refused():
    store = store_of(spot_table(nested()), marker=1.0)
    other = task_of(store_of(spot_table(nested(4, 5))))
    with pytest.raises(FoldError):
        audit_model(store, task_of(store), folds_of(other), lambda fold: None, model="roc_lda")


def test_tma_names_of_any_characters():
    tmas = {'TMA "1", ä': ["a"] * 4, "../T2'": ["b"] * 4, "<b>": ["a"] * 4, "T\n4": ["b"] * 4}
    audit = audited(store_of(spot_table(tmas), marker=1.0))
    assert word(audit) != "no_evidence"
    assert set(result_of(audit).patients()["tma"]) == set(tmas)


def test_a_patient_on_two_tmas_counts_once():
    spots = spot_table(nested(6))
    spots.loc[spots["patient"] == "T2-P00", "patient"] = "T0-P00"
    audit = audited(store_of(spots, marker=1.0))
    assert word(audit) != "no_evidence" and audit.tie.n_units == 23
    assert len(result_of(audit).patients()) == 24


# Control cores ------------------------------------------------------------------------------


def with_controls(on: list[str], patient: str = "control", n_tmas: int = 8) -> ModelAudit:
    table = spot_table(nested(n_tmas), controls=on, control_patient=patient)
    store = store_of(table, baseline=HIGH)
    return audited(store, control_rows=control_rows(store, task_of(store)))


def test_control_cores_show_what_the_tma_does_to_one_tissue():
    audit = with_controls([f"T{at}" for at in range(8)])
    assert audit.readings.number("control_share") == pytest.approx(1.0, abs=0.1)
    assert audit.readings.number("control_p") == pytest.approx(1 / 70)
    named = {one.indicator for one in result_of(audit).verdict.findings}
    assert "control_share" in named


@pytest.mark.parametrize(
    ("on", "patient", "reason"),
    [
        ([], "control", "no control cores"),
        (["T0"], "control", "all control cores are on one TMA, T0"),
        ([f"T{at}" for at in range(8)], "K-{tma}", "put the same tissue on all TMAs"),
    ],
)
def test_control_cores_that_cannot_be_compared_do_not_apply(on, patient, reason):
    audit = with_controls(on, patient)
    share = audit.readings["control_share"]
    assert isinstance(share, NotApplicable) and reason in share.reason
    assert "digestion" in result_of(audit).limitation


def test_few_tmas_of_control_cores_are_owned_up_to():
    audit = with_controls([f"T{at}" for at in range(4)], n_tmas=4)
    assert audit.readings.number("control_p") == pytest.approx(1 / 6)
    assert "control_share" not in {one.indicator for one in result_of(audit).verdict.findings}
    assert "p = 0.17" in result_of(audit).limitation


# Data that cannot support everything ---------------------------------------------------------


def on_axis(axis: MzAxis) -> SpectraStore:
    store = store_of(spot_table(nested()))
    rng = np.random.default_rng(1)
    x = rng.normal(1.0, 0.1, (len(store.spots), axis.n_bins)).astype(np.float32)
    x[store.spots["label"] == "a", : max(axis.n_bins // 12, 1)] *= 2
    return SpectraStore(store.path, x, axis, store.spots, store.meta)


def test_a_peak_list_has_no_baseline_and_its_share_is_a_lower_bound():
    steps = 1 + np.random.default_rng(0).integers(1, 4, 80)
    audit = audited(on_axis(MzAxis(1000.5 + np.cumsum(steps) * 1.000495)), model="logistic")
    for name in ("off_peak", "calibration", "resolution", "negative_control", "masking_drop"):
        assert audit.readings.number(name) is None, name
    assert audit.readings.number("gain") is not None
    assert not audit.share.by_class["a"].is_complete
    assert "at least" in result_of(audit).sentence


@pytest.mark.parametrize("n_bins", [2, 3, 12])
def test_a_few_coarse_bins_support_no_share_at_all(n_bins: int):
    audit = audited(on_axis(MzAxis.equidistant(1000.0, 1100.0, n_bins)), model="logistic")
    for name in ("artifact_share", "off_peak", "gain", "non_peptide", "negative_control"):
        assert audit.readings.number(name) is None, name
    assert result_of(audit).verdict.word == "not_excluded"


@pytest.mark.parametrize("model", ["resnet_patch", "conv3d", "compsegnet"])
def test_models_of_patches_and_cores(model: str):
    small = {"patch": 4, "stride": 4, "stem": "small", "n_peaks": 24, "threshold": 0.5}
    small |= {"channels": 24} if model == "compsegnet" else {"width": 8, "depth": 2}
    config = registry.entry(model).config.model_fields
    settings = {name: value for name, value in small.items() if name in config}
    table = spot_table(nested(4, 2), n_spots=9, controls=["T0", "T1", "T2", "T3"])
    store = store_of(table, marker=1.0, axis=SHORT)
    audit = audited(
        store,
        model=model,
        settings={"epochs": 1, "batch_size": 16, **settings},
        n_bootstrap=10,
        control_rows=control_rows(store, task_of(store)),
    )
    assert word(audit, SHORT) != "no_evidence"
    for fold in audit.folds:
        held = task_of(store).y[np.searchsorted(task_of(store).rows, fold.rows)]
        assert set(held) == {0, 1}


# What the numbers depend on -------------------------------------------------------------------


def test_the_same_seed_gives_the_same_json():
    store = store_of(spot_table(nested()), marker=0.5, noise=0.2)
    first, second, other = (result_of(audited(store, seed=seed)) for seed in (1, 1, 2))
    assert json.dumps(first.as_dict()) == json.dumps(second.as_dict())
    pd.testing.assert_frame_equal(first.patients(), second.patients())
    assert json.dumps(first.as_dict()) != json.dumps(other.as_dict())
    assert first.verdict.word == other.verdict.word


@pytest.mark.parametrize("how", [{"marker": 1.0}, {"baseline": HIGH}])
def test_the_order_of_spots_does_not_matter(how):
    store = store_of(spot_table(nested()), **how)
    order = np.random.default_rng(5).permutation(len(store.spots))
    spots = store.spots.iloc[order].reset_index(drop=True)
    moved = SpectraStore(store.path, store.spectra[order], store.axis, spots, store.meta)
    one, other = audited(store, k=2), audited(moved, k=2)
    assert word(one) == word(other)
    assert one.readings.number("V") == pytest.approx(other.readings.number("V"))
    assert one.readings.number("artifact_share") == pytest.approx(
        other.readings.number("artifact_share"), abs=0.06
    )


def test_the_grouping_gap_compares_the_same_spots():
    store = store_of(spot_table(nested()), marker=1.0)
    task = task_of(store)
    exact = np.where(task.y[:, None] == [0, 1], 3.0, -3.0)
    wrong = exact.copy()
    wrong[task.group_of("tma") == "T0"] *= -1
    right_gap, gap = (
        audited(store, regrouped=RegroupedScores("patient", scores, 0.1)).readings.number(
            "grouping_gap"
        )
        for scores in (exact, wrong)
    )
    accuracy = audited(store).readings.number("balanced_accuracy")
    assert right_gap == pytest.approx(1 - accuracy)
    # T0 is half of the spots of a class in one of two folds, or all of them.
    assert gap in (pytest.approx(0.75 - accuracy), pytest.approx(0.875 - accuracy))


def test_lines_are_those_of_the_thresholds():
    audit = audited(store_of(spot_table(nested()), baseline=HIGH))
    plain = result_of(audit).as_dict()
    assert plain["thresholds"]["artifact_share"] == THRESHOLDS.lines["artifact_share"]
    assert plain["score"] == pytest.approx(plain["artifact_share"] / 0.2)
    assert plain["parts"]["off_peak"] == audit.readings.number("off_peak")
