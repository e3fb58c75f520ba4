"""The audit of a trained run: from models on disk to a verdict and its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audited_cohorts import NOT, THRESHOLDS, folds_of, mixed, nested, spot_table, store_of, task_of

from corespot.audit.applicable import NotApplicable
from corespot.audit.model.audited_run import AuditRequest, audit_run, fold_accuracies
from corespot.audit.model.metadata import metadata_of
from corespot.audit.model.scored_rows import SecondCohort
from corespot.audit.model.written import write_audit
from corespot.axis import MzAxis
from corespot.errors import ModelError, StoreError
from corespot.io.store import SpectraStore
from corespot.train.checkpoint import save_model
from corespot.train.crossvalidate import cross_validate


def trained(folder: Path, store: SpectraStore, **settings: object) -> AuditRequest:
    """What training leaves, as a request."""
    task = task_of(store, "LP")
    folds = folds_of(task)
    tables = []
    results = cross_validate(
        store, task, folds, model="roc_lda", settings={"k": 5}, seed=1, device="cpu"
    )
    for one in results:
        where = folder / "models" / f"repeat{one.fold.repeat}-fold{one.fold.index}"
        save_model(where, one.estimator, axis=store.axis, classes=task.classes, recipe=[])
        at = np.searchsorted(task.rows, one.fold.test_rows)
        named = {"row": one.fold.test_rows, "repeat": 0, "fold": one.fold.index, "y": task.y[at]}
        probability = {f"prob_{c}": one.probabilities[:, k] for k, c in enumerate(task.classes)}
        tables.append(pd.DataFrame({**named, **probability}))
    return AuditRequest(
        store=store,
        task=task,
        folds=folds,
        model="roc_lda",
        models=folder / "models",
        run_id="abc",
        predictions=pd.concat(tables, ignore_index=True),
        thresholds=THRESHOLDS,
        regrouped=NOT,
        columns=metadata_of(task),
        n_bootstrap=100,
        **settings,
    )


def broken(marker: float, n_patients: int = 6) -> SecondCohort:
    spots = spot_table({f"C{at}": list("ab" * n_patients) for at in range(4)})
    store = store_of(spots, marker=marker, seed=9)
    return SecondCohort(store, task_of(store, "LP"))


def test_a_run_is_audited_from_its_files(tmp_path: Path):
    store = store_of(spot_table(nested(4, 8)), baseline={"T0": 0.3, "T2": 0.3})
    request = trained(tmp_path, store)
    result = audit_run(request)
    assert result.verdict.word == "confounded" and result.layout.nested
    content = write_audit(tmp_path, result, run_id="abc")
    assert json.loads((tmp_path / "audit.json").read_text()) == json.loads(json.dumps(content))
    assert (content["run_id"], content["task"], content["model"]) == ("abc", "LP", "roc_lda")
    assert content["sentence"] == result.sentence and content["limitation"]
    for name in ("verdict", "artifact_share", "parts", "V", "leakage", "negative_controls"):
        assert content[name], name
    for name in ("thresholds", "error_rates", "not_applicable"):
        assert content[name], name
    assert content["counterfactual"]["not_applicable"].startswith("no second cohort")
    counts = pd.read_csv(tmp_path / "label_by_tma.csv")
    assert counts.to_dict("list") == {
        "tma": ["T0", "T1", "T2", "T3"],
        "a": [8, 0, 8, 0],
        "b": [0, 8, 0, 8],
    }
    patients = pd.read_parquet(tmp_path / "patients.parquet")
    assert len(patients) == 32 and patients["regrouped_a"].isna().all()
    np.testing.assert_allclose(patients["score_a"], -patients["score_b"])
    spectrum = pd.read_parquet(tmp_path / "spectrum.parquet")
    np.testing.assert_array_equal(spectrum["mz"], store.axis.mz)
    assert {"sensitivity_a", "sensitivity_b", "tma_sensitivity"} <= set(spectrum)


def test_a_second_cohort_overrules_the_indicators(tmp_path: Path):
    """Models that read the baseline fall to chance where classes share it."""
    store = store_of(spot_table(nested(4, 8)), baseline={"T0": 0.3, "T2": 0.3})
    request = trained(tmp_path, store)
    result = audit_run(replace(request, second=broken(0.0)))
    assert (result.verdict.word, result.verdict.by_counterfactual) == ("confounded", True)
    drop = result.readings.number("counterfactual_drop")
    assert drop == pytest.approx(0.5, abs=0.15)
    after = result.readings.number("counterfactual_accuracy")
    assert f"from {after + drop:.2f} to {after:.2f}" in result.sentence
    assert result.as_dict()["error_rates"] is None


def test_a_second_cohort_clears_what_only_the_design_spoke_against(tmp_path: Path):
    store = store_of(spot_table(nested(4, 8)), marker=1.0)
    request = trained(tmp_path, store)
    assert audit_run(request).verdict.word in ("not_excluded", "suspect")
    cleared = audit_run(replace(request, second=broken(1.0)))
    assert (cleared.verdict.word, cleared.verdict.findings) == ("no_evidence", ())


def test_a_second_cohort_with_few_patients_decides_nothing(tmp_path: Path):
    store = store_of(spot_table(nested(4, 8)), marker=1.0)
    spots = spot_table({"C0": list("aabb"), "C1": list("aabb")})
    few = store_of(spots, marker=1.0)
    request = trained(tmp_path, store, second=SecondCohort(few, task_of(few, "LP")))
    result = audit_run(request)
    assert not result.verdict.by_counterfactual
    assert "at least 5 patients" in result.as_dict()["not_applicable"]["counterfactual_drop"]


def test_models_of_another_axis_are_refused(tmp_path: Path):
    store = store_of(spot_table(mixed()), marker=1.0)
    request = trained(tmp_path, store)
    shifted = MzAxis.equidistant(1001.0, 1101.0, 1000)
    moved = SpectraStore(store.path, store.spectra, shifted, store.spots, store.meta)
    with pytest.raises(StoreError, match="another m/z axis"):
        audit_run(replace(request, store=moved))
    with pytest.raises(ModelError, match="not a complete model"):
        audit_run(replace(request, models=tmp_path / "elsewhere"))


def test_metadata_that_leaks_is_measured_beside_the_tma(tmp_path: Path):
    from corespot.audit.model.regrouped import RegroupedScores

    spots = spot_table(mixed(4, 8))
    spots["operator"] = np.where(spots["patient"].str[-1].isin(list("0145")), "x", "y")
    store = store_of(spots, marker=1.0)
    request = trained(tmp_path, store)
    task = request.task
    told = (task.spots["operator"] == "x").to_numpy() + 0.01 * np.arange(len(task)) % 0.05
    scores = RegroupedScores("patient", np.stack([-told, told], axis=1).astype(float), 1.0)
    result = audit_run(replace(request, regrouped=scores))
    leakage = result.audit.leakage
    assert not isinstance(leakage["operator"], NotApplicable)
    assert leakage["operator"].leakage > 0.9 and leakage["operator"].p < 0.01
    assert not isinstance(leakage["tma"], NotApplicable) and leakage["tma"].p > 0.05
    assert result.verdict.word == "no_evidence"


def test_accuracy_is_that_of_all_held_out_spots():
    table = pd.DataFrame(
        {
            "repeat": 0,
            "fold": [0, 0, 0, 1, 1, 1],
            "y": [0, 1, 1, 0, 0, 1],
            "prob_a": [0.9, 0.2, 0.7, 0.6, 0.1, 0.3],
            "prob_b": [0.1, 0.8, 0.3, 0.4, 0.9, 0.7],
        }
    )
    assert fold_accuracies(table, ("a", "b")) == (0.75, 0.75)
