"""The rules of approval and of the gate, without a store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from corespot.audit.verdict.verdict import VERDICTS
from corespot.review.checks import NEEDS_REASON, needs_reason
from corespot.review.decision import Decision, History, Unreadable
from corespot.review.evidence import AuditFound, Evidence, Unknown
from corespot.review.gate import Gate, approval_objections, champion_gate, told
from corespot.review.gate_shown import GateList, HistoryList
from corespot.review.told import standing_record, standing_text
from corespot.tracking.reading import LoggedRun
from corespot.tracking.registry import MODEL_SHA256, ModelVersion
from corespot.tracking.served import ServedModel

AT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
REASON = "control cores agree"
HOSTILE = "<script>alert(1)</script> **b** & 🧪"


def run(verdict: str = "no_evidence", **changed: Any) -> LoggedRun:
    tags = {"audit.verdict": verdict, "audit.sha256": "aa", "dvc.store": "d1", "task": "T"}
    values: dict[str, Any] = {
        **{"run_id": "r1", "name": "T m", "experiment_id": "1", "experiment": "demo"},
        **{"status": "FINISHED", "deleted": False, "started": AT, "ended": AT},
        **{"artifact_uri": "x", "tags": {**tags, "folds.fingerprint": "f1"}},
    }
    return LoggedRun(**{**values, **changed})


def evidence(verdict: str = "no_evidence", **changed: Any) -> Evidence:
    """A run that passes everything."""
    approval = Decision("Ann", "approve", REASON, AT, "aa", verdict)
    values: dict[str, Any] = {
        "run": run(verdict),
        "audit": AuditFound("r1", verdict, "a sentence", "a limit", "aa"),  # type: ignore[arg-type]
        "history": History((approval,)),
        **{"data_hash": "d1", "folds": "f1", "model": ServedModel("models:/m", "m", "mm")},
        "version": ModelVersion("demo-T", "1", "r1", "models:/m", {MODEL_SHA256: "mm"}),
    }
    return Evidence(**{**values, **changed})


def retagged(**tags: str) -> LoggedRun:
    one = run()
    return replace(one, tags={**one.tags, **{k.replace("_", "."): v for k, v in tags.items()}})


def failed(one: Evidence) -> dict[str, str]:
    return {check.name: told([check]) for check in champion_gate(one).refused}


def test_what_is_as_it_must_be_passes() -> None:
    gate = champion_gate(evidence())
    assert gate.passed and not gate.refused
    names = [check.name for check in gate.checks]
    assert names == ["run", "audit", "verdict", "approval", "data", "folds", "model"]
    assert not Gate(()).passed  # nothing checked is nothing passed


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("comment", ["", " \n ", "ok", REASON])
def test_approval_by_verdict_and_comment(verdict: str, comment: str) -> None:
    refused = [check.name for check in approval_objections(evidence(verdict), comment)]
    if verdict == "confounded":
        assert refused == ["verdict"]
    elif verdict in NEEDS_REASON and comment != REASON:
        assert refused == ["reason"]
    else:
        assert refused == []


def test_only_two_verdicts_ask_for_a_reason() -> None:
    assert [v for v in VERDICTS if needs_reason(evidence(v))] == ["suspect", "not_excluded"]
    assert not needs_reason(evidence(audit=Unknown("gone")))


AUDIT = evidence().audit
assert isinstance(AUDIT, AuditFound)
BROKEN: list[tuple[dict[str, Any], str, str]] = [
    ({"run": run(deleted=True)}, "run", "was deleted"),
    *(
        ({"run": run(status=status)}, "run", f"{status.lower()}, not finished")
        for status in ("RUNNING", "FAILED", "KILLED", "SCHEDULED")
    ),
    ({"audit": Unknown("audit/audit.json is no JSON")}, "audit", "is no JSON"),
    ({"audit": replace(AUDIT, run_id="r2")}, "audit", "is of r2"),
    ({"audit": replace(AUDIT, run_id="")}, "audit", "is of no run"),
    ({"run": retagged(audit_verdict="suspect")}, "audit", "the run's tag says suspect"),
    ({"run": run(tags={})}, "audit", "the run's tag says none"),
    ({"run": retagged(audit_sha256="bb")}, "audit", "not the one that the run was tagged with"),
]


@pytest.mark.parametrize(("changed", "name", "why"), BROKEN)
def test_neither_approved_nor_promoted(changed: dict[str, Any], name: str, why: str) -> None:
    one = evidence(**changed)
    objections = {check.name: check.found for check in approval_objections(one, REASON)}
    assert why in objections[name]
    assert why in failed(one)[name]
    assert all(check.remedy for check in champion_gate(one).refused)


def decided(*entries: Decision | Unreadable) -> History:
    return History(entries)


APPROVED = Decision("Ann", "approve", "", AT, "aa", "no_evidence")


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (decided(), "nobody has decided"),
        (decided(replace(APPROVED, word="reject"), APPROVED), "latest decision is reject (Ann"),
        (decided(replace(APPROVED, word="needs_work"), APPROVED), "latest decision is needs work"),
        (decided(APPROVED, Unreadable("review.decision.x", "it is not JSON", "{")), "not JSON"),
        (decided(replace(APPROVED, audit_sha256="old")), "on another audit (old"),
        (decided(replace(APPROVED, audit_sha256=None)), "on another audit"),
        (decided(replace(APPROVED, verdict="suspect")), "on another audit"),
    ],
)
def test_approvals_that_do_not_hold(history: History, why: str) -> None:
    found = failed(evidence(history=history))
    assert list(found) == ["approval"] and why in found["approval"]


def test_a_later_approval_counts_again() -> None:
    rejected = replace(APPROVED, word="reject")
    assert champion_gate(evidence(history=decided(APPROVED, rejected))).passed


@pytest.mark.parametrize("verdict", NEEDS_REASON)
def test_a_reason_written_past_the_form_is_missed(verdict: str) -> None:
    bare = replace(APPROVED, verdict=verdict, comment="ok")
    found = failed(evidence(verdict, history=decided(bare)))
    assert list(found) == ["approval"] and "no reason is given" in found["approval"]
    assert champion_gate(evidence(verdict)).passed


def test_a_forged_approval_of_a_confounded_run_is_no_use() -> None:
    assert list(failed(evidence("confounded"))) == ["verdict"]


@pytest.mark.parametrize(
    ("changed", "name", "why"),
    [
        ({"data_hash": "d2"}, "data", "the run has read d1, here is d2"),
        ({"data_hash": "unknown"}, "data", "which spectra the project holds"),
        ({"data_hash": Unknown("dvc.lock cannot be read")}, "data", "dvc.lock cannot be read"),
        ({"run": retagged(dvc_store="unknown")}, "data", "which spectra the run holds"),
        ({"run": retagged(dvc_store="unknown"), "data_hash": "unknown"}, "data", "not known"),
        ({"folds": "f2"}, "folds", "the run used f1, here is f2"),
        ({"folds": Unknown("no folds")}, "folds", "no folds"),
        ({"run": retagged(folds_fingerprint="")}, "folds", "does not say which folds"),
        ({"model": Unknown("the run logs none")}, "model", "the run logs none"),
        ({"version": None}, "model", "no version is registered"),
        ({"version": Unknown("no registry")}, "model", "no registry"),
        ({"model": ServedModel("models:/m", "m", "other")}, "model", "not those that were reg"),
        ({"version": ModelVersion("demo-T", "1", "r1", "models:/m")}, "model", "not those"),
    ],
)
def test_the_gate_asks_for_more(changed: dict[str, Any], name: str, why: str) -> None:
    one = evidence(**changed)
    found = failed(one)
    assert list(found) == [name] and why in found[name]
    # None of it is in the way of an approval, but files that are not those approved before.
    objections = approval_objections(one, REASON)
    assert [check.name for check in objections] == (["model"] if "not those" in why else [])


def test_a_run_that_lacks_everything_is_told_all_of_it() -> None:
    gone = Unknown("gone")
    nothing = evidence(
        run=run(tags={}, status="FAILED"),
        history=History(),
        **dict.fromkeys(("audit", "data_hash", "folds", "model", "version"), gone),
    )
    assert len(failed(nothing)) == 7


def test_what_is_shown_is_escaped_and_says_it_in_words() -> None:
    hostile = replace(APPROVED, reviewer=HOSTILE, comment=HOSTILE, audit_sha256="old")
    bad = Unreadable("review.decision.<b>", HOSTILE, HOSTILE)
    one = evidence(history=decided(hostile, bad), data_hash="d2")
    shown = HistoryList(one).html + GateList(champion_gate(one)).html
    assert "<script" not in shown and "&lt;script&gt;" in shown and "🧪" in shown
    assert "review.decision.<b>" not in shown
    for words in ("✓ approved", "cannot be read", "another audit than now", "✕ refused"):
        assert words in shown
    assert "on this audit (no evidence)" in HistoryList(evidence()).html
    assert "<code>dvc repro</code>" in shown


def test_the_command_line_says_the_same() -> None:
    one = evidence(history=decided(APPROVED, Unreadable("review.decision.x", "why", "{")))
    text, record = standing_text(one), standing_record(one)
    for words in ("verdict: no evidence", "a sentence", "a limit", "approve, Ann", "cannot be"):
        assert words in text
    assert record["decisions"][1] == {"unreadable": "review.decision.x", "why": "why"}
    assert record["gate"]["passed"] is False and record["verdict"] == "no_evidence"
    assert "verdict: none; gone" in standing_text(evidence(audit=Unknown("gone")))
