"""A stored audit is read whole, or it is said what is wrong with it."""

from __future__ import annotations

import pandas as pd
import pytest
from audit_folders import NOT, write_audit

from corespot.audit.applicable import NotApplicable
from corespot.audit.verdict.readings import MEANINGS
from corespot.errors import StoreError
from corespot.io.artifacts import write_json
from corespot.report.audit_view import read_audit


def test_everything_that_was_stored_is_there(tmp_path):
    content = write_audit(tmp_path)
    view = read_audit(tmp_path)
    assert (view.task, view.model, view.run_id) == ("T", "conv1d", "0123abc")
    assert view.verdict == "confounded"
    assert [one.indicator for one in view.findings] == ["artifact_share", "control_share"]
    assert view.error_rates.interval == (0.9, 0.99)
    assert view.thresholds.lines["non_peptide"] == 0.15 and not view.thresholds.is_own
    assert view.shares["SQ"].intervals["gain"] is None
    assert view.shares["SQ"].intervals["off_peak"] == pytest.approx((0.27, 0.34))
    assert view.shares["SQ"].missing["resolution"] == NotApplicable(NOT["not_applicable"])
    assert [fold.off_peak for fold in view.folds] == pytest.approx([0.7, 0.71, 0.72, 0.73])
    assert view.control_cores.interval == (0.4, 0.8)
    assert view.second_cohort.there == 0.65 and view.second_cohort.interval == (0.2, 0.3)
    assert view.patients_held_out
    # .5 + .6 · (.9 − .5)
    assert view.lines["negative_control"] == pytest.approx(0.74)
    content["readings"]["balanced_accuracy"] = 0.52
    write_json(tmp_path / "audit.json", content)
    # A model hardly above chance does not make chance suspicious: .5 + .6 · .1.
    assert read_audit(tmp_path).lines["negative_control"] == pytest.approx(0.56)


def test_what_does_not_apply_is_no_number_and_keeps_its_reason(tmp_path):
    write_audit(tmp_path, applies=False, verdict="not_excluded")
    view = read_audit(tmp_path)
    reason = NotApplicable(NOT["not_applicable"])
    assert view.shares == {"AD": reason, "SQ": reason}
    assert view.control_cores == view.overlap == view.second_cohort == reason
    assert view.folds[0].off_peak == view.folds[0].nuisance == reason
    assert view.windows is None and view.error_rates is None and not view.patients_held_out
    assert all(view.readings.number(n) is None for n in MEANINGS if n != "balanced_accuracy")


def test_readings_that_were_not_taken_say_why_as_far_as_that_is_known(tmp_path):
    content = write_audit(tmp_path, applies=False)
    for name in ("counterfactual_drop", "counterfactual_drop_low", "masking_drop"):
        del content["readings"][name]
        del content["not_applicable"][name]
    content["counterfactual"] = {"not_applicable": "no second cohort"}
    write_json(tmp_path / "audit.json", content)
    reasons = {
        n: read_audit(tmp_path).readings[n].reason for n in MEANINGS if n != "balanced_accuracy"
    }
    assert (
        reasons["counterfactual_drop"] == reasons["counterfactual_drop_low"] == "no second cohort"
    )
    assert reasons["masking_drop"] == "it was not measured"


def test_tmas_keep_their_names_and_natural_order(tmp_path):
    write_audit(tmp_path, tmas=("007", "TMA10", "TMA2"))
    table = read_audit(tmp_path).label_by_tma
    assert table.columns.tolist() == ["TMA2", "TMA10", "007"]
    assert table.loc["AD", "007"] == 5 and table.loc["SQ", "TMA10"] == 5
    assert table.to_numpy().sum() == 10
    write_audit(tmp_path, tmas=("007", "10", "9"))
    assert read_audit(tmp_path).label_by_tma.columns.tolist() == ["007", "9", "10"]


@pytest.mark.parametrize(
    "name", ["audit.json", "patients.parquet", "spectrum.parquet", "label_by_tma.csv"]
)
def test_a_missing_or_broken_file_is_told(tmp_path, name):
    write_audit(tmp_path)
    (tmp_path / name).write_bytes(b"\x00 no such thing")
    with pytest.raises(StoreError, match=name):
        read_audit(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(StoreError, match=f"{name} is missing"):
        read_audit(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format_version": 99}, "no audit of format 2"),
        ({"verdict": "fine"}, "'fine' is no verdict"),
        ({"thresholds": {}}, "damaged .*artifact_share"),
        ({"share": {"by_class": {"AD": NOT}}}, "damaged .*SQ"),
        ({"negative_controls": []}, "damaged"),
        ({"readings": [1]}, "damaged"),
        ({"V_p": "much"}, "damaged .*much"),
        ({"classes": ["AD", "other"]}, "damaged|no column"),
    ],
)
def test_damage_is_told_with_what_to_do(tmp_path, change, told):
    content = write_audit(tmp_path)
    write_json(tmp_path / "audit.json", content | change)
    with pytest.raises(StoreError, match=told) as error:
        read_audit(tmp_path)
    assert "dvc repro" in str(error.value)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"score": ' + "9" * 6000 + "}"])
def test_json_beyond_all_measure_is_told(tmp_path, text):
    write_audit(tmp_path)
    (tmp_path / "audit.json").write_text(text)
    with pytest.raises(StoreError, match="is not JSON"):
        read_audit(tmp_path)


def test_an_axis_that_is_none_is_told(tmp_path):
    write_audit(tmp_path)
    file = tmp_path / "spectrum.parquet"
    pd.read_parquet(file).assign(mz=float("nan")).to_parquet(file)
    with pytest.raises(StoreError, match="m/z axis must be finite"):
        read_audit(tmp_path)


def test_a_table_without_a_column_is_told(tmp_path):
    write_audit(tmp_path)
    table = pd.read_parquet(tmp_path / "patients.parquet").drop(columns="regrouped_SQ")
    table.to_parquet(tmp_path / "patients.parquet")
    with pytest.raises(StoreError, match="no column 'regrouped_SQ'"):
        read_audit(tmp_path)
