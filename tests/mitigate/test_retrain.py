"""Training with ways out and auditing as before: on a tiny nested cohort, whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from retrained import FITTED, accuracy_on, asked, cohorts, plain, spots_of, stored

from corespot.audit.applicable import NotApplicable
from corespot.audit.model.regrouped import RegroupedScores
from corespot.errors import ParamsError, StoreError
from corespot.mitigate import written
from corespot.mitigate.offered import offered, offered_text
from corespot.mitigate.requested import read_settings
from corespot.mitigate.retrain import Mitigation, check_before, retrain
from corespot.mitigate.saved import load_mitigated
from corespot.mitigate.seen import as_seen
from corespot.train.tuned import Tuned

STORE, SECOND = cohorts()
PAIR = ("artifact_projection", "peak_list")


@pytest.fixture(scope="module")
def request_() -> Any:
    return plain(STORE, SECOND)


@pytest.fixture(scope="module")
def before(request_: Any) -> dict[str, Any]:
    return stored(request_)


@pytest.fixture(scope="module")
def made(request_: Any, before: dict[str, Any]) -> Mitigation:
    return retrain(asked(request_, before, PAIR))


def test_before_is_what_the_stored_audit_says(made: Mitigation, before: dict[str, Any]) -> None:
    standing = made.record.before
    there = before["counterfactual"]
    assert standing.counterfactual is not None
    assert standing.cross_validated == pytest.approx(there["balanced_accuracy"])
    second = standing.counterfactual
    assert second.balanced_accuracy == there["counterfactual_balanced_accuracy"]
    assert standing.drop == pytest.approx(there["drop"])
    assert list(second.interval or ()) == there["counterfactual_interval"]
    assert list(second.drop_interval or ()) == there["interval"]
    assert (standing.verdict, standing.sentence) == (before["verdict"], before["sentence"])
    assert standing.readings
    for name, value in standing.readings.items():
        assert value == before["readings"][name]
    # The truth, the long way round.
    assert second.balanced_accuracy == pytest.approx(accuracy_on(SECOND, FITTED["logistic"]))


def test_after_reads_less_of_the_measurement_and_loses_less_elsewhere(
    made: Mitigation, request_: Any
) -> None:
    before, after = made.record.before, made.record.after
    assert after.readings["artifact_share"] is not None
    assert after.readings["artifact_share"] < 0.5 * before.readings["artifact_share"]  # type: ignore[operator]
    assert after.counterfactual is not None and before.counterfactual is not None
    assert after.drop is not None and before.drop is not None
    assert after.drop < before.drop - 0.05
    assert after.counterfactual.balanced_accuracy > before.counterfactual.balanced_accuracy - 0.02
    models = {(one.fold.repeat, one.fold.index): one.estimator for one in made.folds}
    assert after.counterfactual.balanced_accuracy == pytest.approx(accuracy_on(SECOND, models))
    low, high = after.counterfactual.interval or (1.0, 0.0)
    assert low <= after.counterfactual.balanced_accuracy <= high
    assert after.sentence == made.audit.sentence != before.sentence
    # Patients were held out of training with the ways, too.
    held_out = made.audit.audit.regrouped
    assert isinstance(held_out, RegroupedScores) and after.readings["leakage"] is not None
    assert not np.allclose(held_out.scores, request_.regrouped.scores)


def test_it_is_the_same_again_and_without_ways_the_plain_model(
    request_: Any, before: dict[str, Any], made: Mitigation
) -> None:
    again = retrain(asked(request_, before, PAIR))
    assert again.record.as_dict() == made.record.as_dict()
    pd.testing.assert_frame_equal(again.predictions, made.predictions)
    none = retrain(asked(request_, before, ()))
    assert none.record.after == none.record.before
    pd.testing.assert_frame_equal(none.predictions, request_.predictions)


def test_settings_found_for_a_fold_are_used(request_: Any, before: dict[str, Any]) -> None:
    tuned = Tuned(by_fold={(0, 0): {"c": 0.01}, (0, 1): {"c": 1.0}}, kind="nested")
    request = replace(asked(request_, before, "mask_off_peak"), tuned=tuned)
    found = retrain(replace(request, patient_folds=None))
    assert [one.estimator.estimator.c for one in found.folds] == [0.01, 1.0]
    reason = found.audit.audit.regrouped
    assert isinstance(reason, NotApplicable) and "patients held out" in reason.reason


def test_a_correction_of_tmas_is_audited_on_corrected_spectra(
    request_: Any, before: dict[str, Any], tmp_path: Path
) -> None:
    request = replace(asked(request_, before, "batch_correction"), patient_folds=None)
    found = retrain(request)
    result = found.folds[0]
    seen = as_seen(result, STORE, STORE.spots.index.to_numpy()[:5])
    rows = result.fold.test_rows
    np.testing.assert_array_equal(seen.take(rows), result.prepared.spectra.take(rows))  # type: ignore[union-attr]
    assert not np.allclose(seen.take(rows), STORE.take(rows))
    task = spots_of(SECOND)
    there = as_seen(result, SECOND, task.rows).take(task.rows)
    np.testing.assert_array_equal(there, result.spectra_of(SECOND, task))
    # The accuracy of the audit is that of the predictions, which saw corrected spectra, too.
    accuracy = found.audit.readings.number("balanced_accuracy")
    assert accuracy == pytest.approx(found.record.after.cross_validated, abs=0.03)
    written.write_mitigation(tmp_path, request, found)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run_id": "other"}, "is of run other"),
        ({"thresholds": {"source": "mine.json"}}, "judged by other lines"),
    ],
)
def test_an_audit_that_cannot_be_compared_is_refused(
    request_: Any, before: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        check_before(asked(request_, {**before, **change}, "peak_list"))


def test_a_model_of_other_folds_is_refused(request_: Any, before: dict[str, Any]) -> None:
    moved = request_.predictions.assign(fold=1 - request_.predictions["fold"])
    with pytest.raises(StoreError, match="trained on other folds"):
        check_before(asked(replace(request_, predictions=moved), before, "peak_list"))


def test_files_are_whole_or_not_there(
    request_: Any,
    before: dict[str, Any],
    made: Mitigation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = asked(request_, before, PAIR)
    assert request.name == "artifact_projection+peak_list"
    monkeypatch.setattr(written, "retrain", lambda request: made)
    out = tmp_path / "LP" / "logistic" / request.name
    kept = written.mitigate_and_write(request, out, run_id="after")
    assert kept is made
    record = json.loads((out / "before_after.json").read_text())
    assert (record["run_id"], record["run_id_before"]) == ("after", "plain")
    assert record["ways"] == list(PAIR) and set(record["settings"]) == set(PAIR)
    audit = json.loads((out / "audit" / "audit.json").read_text())
    assert audit["verdict"] == record["after"]["verdict"] and audit["run_id"] == "after"
    assert (out / "audit" / "patients.parquet").is_file()
    assert len(pd.read_parquet(out / "predictions.parquet")) == len(request_.task)
    loaded = load_mitigated(out / "models" / "repeat0-fold1")
    np.testing.assert_allclose(
        loaded.estimator.predict_proba(STORE.spectra[:9]),
        made.folds[1].estimator.predict_proba(STORE.spectra[:9]),
        atol=1e-6,
    )

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(written, "save_mitigated", killed)
    with pytest.raises(KeyboardInterrupt):
        written.mitigate_and_write(request, out, run_id="later")
    assert json.loads((out / "before_after.json").read_text()) == record
    with pytest.raises(KeyboardInterrupt):
        written.mitigate_and_write(request, out.with_name("new"))
    assert [one.name for one in out.parent.iterdir()] == [out.name]


def test_the_table_says_all_of_it(made: Mitigation) -> None:
    text = made.record.table()
    before, after = made.record.before, made.record.after
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert before.verdict.replace("_", " ") in lines["verdict"]
    assert after.verdict.replace("_", " ") in lines["verdict"]
    assert f"{before.readings['artifact_share']:.3f}" in lines["artifact share"]
    assert f"{before.cross_validated:.3f}" in lines["balanced accuracy, cross-validated"]
    assert "second cohort, accuracy after: 95 % interval" in text
    assert after.sentence.split()[-1] in text


def test_what_is_offered_names_every_way(before: dict[str, Any]) -> None:
    found = offered(before)
    assert found["recommended"] == before["recommended"]
    of_networks = {one["way"] for one in found["ways"] if one["not_applicable"]}
    assert of_networks == {"artifact_penalty"} and len(found["ways"]) >= 6
    text = offered_text(found)
    for one in [*found["ways"], *before["recommended"]["ways"]]:
        assert one["way"] in text
    assert "corespot mitigate LP logistic --with" in text
    spatial = offered_text(offered({**before, "model": "resnet_patch"}))
    assert "patch of spots" in spatial and "--with" not in spatial


def test_settings_as_they_are_typed() -> None:
    typed = ["a.x=1e-3", "a.y = true", "b.z=word", "a.n=null", "b.s=k=v"]
    assert read_settings(typed) == {
        "a": {"x": 1e-3, "y": True, "n": None},
        "b": {"z": "word", "s": "k=v"},
    }
    for wrong in ("ridge=1", "a.ridge", "a.=1", ".x=1"):
        with pytest.raises(ParamsError, match=r"way\.setting=value"):
            read_settings([wrong])
    with pytest.raises(ParamsError, match="twice"):
        read_settings(["a.x=1", "a.x=2"])
