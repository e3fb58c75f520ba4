"""Decide and promote on a real MLflow store; what is tampered with is refused, and why."""

from __future__ import annotations

import ast
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from corespot.errors import CorespotError, RefusedError, ReviewError, TrackingError
from corespot.review.champions import (
    Checked,
    check_candidates,
    check_champions,
    check_runs,
)
from corespot.review.decide import Decided, decide
from corespot.review.decision import history_of
from corespot.review.evidence import read_evidence
from corespot.review.promote import Promotion, promote
from corespot.tracking.decisions import PREFIX, STATUS, decision_tags
from corespot.tracking.reading import find_runs, read_run, reading_client
from corespot.tracking.registry import CANDIDATE, CHAMPION, PROMOTED, PROMOTIONS
from corespot.tracking.store import store_lock
from reviewed_project import Reviewed, folds_into

ROOT = Path(__file__).resolve().parents[2]
REASON = "control cores agree everywhere"
NAME = "demo-ADSQ"
#: Something done to the project past the gate.
Change = Callable[[Reviewed], object]


def decided(
    reviewed: Reviewed, run: str = "clean", word: str = "approve", comment: str = REASON
) -> Decided:
    return decide(reviewed.project, reviewed.ids[run], word, reviewer="Ann", comment=comment)


def promoted(reviewed: Reviewed, run: str = "clean") -> Promotion:
    return promote(reviewed.project, reviewed.ids[run], by="Bob")


def tags_of(reviewed: Reviewed, run: str = "clean") -> dict[str, str]:
    return dict(read_run(reviewed.client, reviewed.ids[run]).tags)


def aliases(reviewed: Reviewed) -> dict[str, str]:
    found = reviewed.client.get_registered_model(NAME).aliases
    return {name: str(version) for name, version in found.items()}


def refused(found: Promotion | Checked) -> dict[str, str]:
    return {check.name: check.found for check in found.gate.refused}


def test_from_review_to_champion_and_back(reviewed: Reviewed) -> None:
    made = decided(reviewed)
    assert made.told == (f"registered as {NAME} version 1", f"{NAME} version 1 is candidate")
    again = decided(reviewed, comment="still fine")
    assert again.told[0] == f"registered before as {NAME} version 1"
    assert aliases(reviewed) == {CANDIDATE: "1"}
    tags = tags_of(reviewed)
    assert tags[STATUS] == "approve" and len(decision_tags(tags)) == 2
    assert history_of(tags).entries == (again.decision, made.decision)
    version = reviewed.client.get_model_version(NAME, "1")
    assert version.run_id == version.tags["run_id"] == reviewed.ids["clean"]
    assert version.tags["audit.sha256"] == made.decision.audit_sha256 == tags["audit.sha256"]
    for name in ("dvc.store", "folds.fingerprint"):
        assert version.tags[name] == tags[name]
    assert version.tags["review.reviewer"] == "Ann"

    result = promoted(reviewed)
    assert result.version is not None and result.gate.passed and result.before is None
    assert aliases(reviewed) == {CANDIDATE: "1", CHAMPION: "1"}
    tags = reviewed.client.get_model_version(NAME, "1").tags
    assert '"by": "Bob"' in tags[PROMOTED]
    assert sum(name.startswith(PROMOTIONS) for name in tags) == 1
    (checked,) = check_champions(reviewed.project)
    assert checked.gate.passed and checked.run_id == reviewed.ids["clean"]

    back = decided(reviewed, word="needs_work", comment="")
    assert back.told == (
        f"{NAME} version 1 is no longer champion",
        f"{NAME} version 1 is no longer candidate",
    )
    assert aliases(reviewed) == {} and check_champions(reviewed.project) == []
    tags = reviewed.client.get_model_version(NAME, "1").tags
    assert PROMOTED not in tags and any(name.startswith(PROMOTIONS) for name in tags)
    assert "latest decision is needs work" in refused(promoted(reviewed))["approval"]
    assert aliases(reviewed) == {}


def test_a_second_run_takes_over(reviewed: Reviewed) -> None:
    decided(reviewed)
    promoted(reviewed)
    made = decided(reviewed, "suspect")
    assert made.told[-1] == f"{NAME} version 2 is candidate, before it was version 1"
    result = promoted(reviewed, "suspect")
    assert result.before is not None and result.before.version == "1"
    assert aliases(reviewed) == {CANDIDATE: "2", CHAMPION: "2"}
    # Whoever puts the old one back by hand has not gone through the gate.
    reviewed.client.set_registered_model_alias(NAME, CHAMPION, "1")
    (checked,) = check_champions(reviewed.project)
    assert refused(checked) == {"promotion": "the alias was set past the gate"}
    # A rejection of the first leaves the candidate of the second alone.
    assert decided(reviewed, word="reject").told == (f"{NAME} version 1 is no longer champion",)
    assert aliases(reviewed) == {CANDIDATE: "2"}


def test_what_cannot_be_approved(reviewed: Reviewed) -> None:
    with pytest.raises(RefusedError, match="a confounded model is never approved"):
        decided(reviewed, "confounded")
    with pytest.raises(RefusedError, match="no reason is given: write a reason of at least 3"):
        decided(reviewed, "suspect", comment="ok")
    for reviewer in ("", "  ", "x" * 200):
        with pytest.raises(ReviewError):
            decide(reviewed.project, reviewed.ids["clean"], "approve", reviewer=reviewer)
    with pytest.raises(ReviewError, match="is no decision"):
        decided(reviewed, word="champion")
    with pytest.raises(TrackingError, match="there is no run"):
        decide(reviewed.project, "0" * 32, "reject", reviewer="Ann")
    for run in reviewed.ids:
        assert not decision_tags(tags_of(reviewed, run))
    assert reviewed.client.search_registered_models() == []
    for word in ("reject", "needs_work"):
        assert decided(reviewed, "confounded", word, "").told == ()


def test_without_a_model_it_is_approved_and_not_registered(reviewed: Reviewed) -> None:
    reviewed.client.delete_tag(reviewed.ids["clean"], "model_uri")
    made = decided(reviewed)
    assert made.told == (
        "approved, but not registered: there is no model to serve: the run logs none",
    )
    assert list(refused(promoted(reviewed))) == ["model"]


def test_without_an_audit_one_can_only_send_back(reviewed: Reviewed) -> None:
    (reviewed.artifacts("clean") / "audit/audit.json").unlink()
    with pytest.raises(RefusedError, match="there is no audit that can be read"):
        decided(reviewed)
    assert decided(reviewed, word="needs_work").decision.audit_sha256 is None


def _tag(name: str, value: str) -> Change:
    return lambda reviewed: reviewed.client.set_tag(reviewed.ids["clean"], name, value)


def _model_file(reviewed: Reviewed) -> None:
    for file in (reviewed.root / "mlruns/artifacts").rglob("model.safetensors"):
        file.write_bytes(file.read_bytes() + b" ")


def _audit_file(text: str) -> Change:
    return lambda reviewed: (reviewed.artifacts("clean") / "audit/audit.json").write_text(text)


def _by_hand(reviewed: Reviewed) -> None:
    reviewed.client.delete_model_version_tag(NAME, "1", PROMOTED)


def _other_model(reviewed: Reviewed) -> None:
    other = tags_of(reviewed, "suspect")["model_uri"]
    made = reviewed.client.create_model_version(NAME, other, reviewed.ids["clean"])
    tag = reviewed.client.get_model_version(NAME, "1").tags[PROMOTED]
    reviewed.client.set_model_version_tag(NAME, made.version, PROMOTED, tag)
    reviewed.client.set_registered_model_alias(NAME, CHAMPION, made.version)


def _lock(text: str) -> Change:
    return lambda reviewed: (reviewed.root / "dvc.lock").write_text(text)


def _status(status: str) -> Change:
    return lambda reviewed: reviewed.client.set_terminated(reviewed.ids["clean"], status)


def _folds_gone(reviewed: Reviewed) -> None:
    for file in (reviewed.root / "data/folds/ADSQ").iterdir():
        file.unlink()


TAMPERED: dict[str, tuple[Change, str, str]] = {
    "audit's tag": (_tag("audit.verdict", "suspect"), "audit", "the run's tag says suspect"),
    "audit's digest": (_tag("audit.sha256", "0" * 64), "audit", "not the one"),
    "audit edited": (lambda r: r.audit("clean", score=9.0), "audit", "not the one"),
    "audit turned": (lambda r: r.audit("clean", verdict="suspect"), "audit", "says suspect"),
    "audit of another": (lambda r: r.audit("clean", run_id="r2"), "audit", "is of r2"),
    "audit garbled": (_audit_file("{"), "audit", "is not JSON"),
    "audit of nothing": (_audit_file("[]"), "audit", "no audit of format"),
    "audited again": (lambda r: r.audit_again("clean", "not_excluded"), "approval", "another"),
    "now confounded": (lambda r: r.audit_again("clean", "confounded"), "verdict", "confounded"),
    "a garbled decision": (_tag(f"{PREFIX}x", "{"), "approval", "1 decisions cannot be read"),
    "other data": (lambda r: r.lock("other.dir"), "data", "here is other.dir"),
    "no data": (lambda r: r.lock(None), "data", "it is not known"),
    "dvc.lock garbled": (_lock("- {"), "data", "cannot be read"),
    "dvc.lock of another kind": (_lock("- a"), "data", "cannot be read"),
    "data's tag": (_tag("dvc.store", "other"), "data", "the run has read other"),
    "other folds": (lambda r: folds_into(r.root, 5), "folds", "here is"),
    "no folds": (_folds_gone, "folds", "folds"),
    "folds' tag": (_tag("folds.fingerprint", "x"), "folds", "the run used x"),
    "failed": (_status("FAILED"), "run", "failed, not finished"),
    "deleted": (lambda r: r.client.delete_run(r.ids["clean"]), "run", "was deleted"),
    "other weights": (_model_file, "model", "not those that training logged"),
    "model's tag": (_tag("model_uri", "models:/m-0"), "model", "is not in this MLflow store"),
    "model's path": (_tag("model_uri", "models:/../x"), "model", "names no logged model"),
    "set by hand": (_by_hand, "promotion", "set past the gate"),
    "another model": (_other_model, "promotion", "not the version that approval registered"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_tampering_is_refused_with_its_reason(reviewed: Reviewed, what: str) -> None:
    decided(reviewed)
    assert promoted(reviewed).gate.passed
    change, name, why = TAMPERED[what]
    change(reviewed)
    (checked,) = check_champions(reviewed.project)
    assert not checked.gate.passed and why in refused(checked)[name]
    if name == "promotion":
        return
    before = aliases(reviewed)
    result = promoted(reviewed)
    assert result.version is None and why in refused(result)[name]
    assert aliases(reviewed) == before
    run = read_run(reviewed.client, reviewed.ids["clean"])
    (again,) = check_runs(reviewed.project, [run])
    assert not again.gate.passed


def test_a_model_changed_since_is_not_approved_again(reviewed: Reviewed) -> None:
    decided(reviewed)
    decided(reviewed, word="needs_work")
    _model_file(reviewed)
    with pytest.raises(RefusedError, match="are not those that training logged"):
        decided(reviewed)
    assert aliases(reviewed) == {}
    assert decided(reviewed, word="reject").decision.word == "reject"


def test_weights_exchanged_before_the_first_approval_are_refused(reviewed: Reviewed) -> None:
    _model_file(reviewed)
    with pytest.raises(RefusedError, match="not those that training logged"):
        decided(reviewed)
    assert not reviewed.client.search_registered_models()


def test_a_candidate_whose_audit_was_made_again_is_found(reviewed: Reviewed) -> None:
    decided(reviewed)
    (checked,) = check_candidates(reviewed.project)
    assert checked.gate.passed and checked.run_id == reviewed.ids["clean"]
    reviewed.audit_again("clean", "confounded")
    (checked,) = check_candidates(reviewed.project)
    found = refused(checked)
    assert "confounded" in found["verdict"] and "approval" in found


def test_a_version_registered_by_hand_is_not_that_of_the_approval(reviewed: Reviewed) -> None:
    client, run_id = reviewed.client, reviewed.ids["clean"]
    client.create_registered_model(NAME)
    source = tags_of(reviewed)["model_uri"]
    client.create_model_version(NAME, source, run_id)
    client.set_registered_model_alias(NAME, CHAMPION, "1")
    evidence = read_evidence(client, reviewed.project, run_id)
    assert evidence.version is None and evidence.aliases == (CHAMPION,)
    assert decided(reviewed).told[0] == f"registered as {NAME} version 2"
    assert promoted(reviewed).gate.passed and aliases(reviewed) == {CANDIDATE: "2", CHAMPION: "2"}


def test_an_approval_by_somebody_who_saw_other_evidence_makes_no_candidate(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(reviewed)
    approval = history_of(tags_of(reviewed)).latest
    reviewed.audit_again("clean", "confounded")
    # On another machine, whose clock is ahead, it is approved right after our rejection.
    monkeypatch.setattr(
        "corespot.review.decide.history_of", lambda _: SimpleNamespace(latest=approval)
    )
    told = decided(reviewed, word="reject").told
    assert "approved by Ann, but not made candidate" in told[0] and "confounded" in told[0]


def test_a_decision_on_an_audit_that_was_not_seen_is_refused(reviewed: Reviewed) -> None:
    run_id, seen = reviewed.ids["clean"], tags_of(reviewed)["audit.sha256"]
    reviewed.audit_again("clean", "not_excluded")
    for word in ("approve", "reject"):
        with pytest.raises(RefusedError, match="changed since it was shown"):
            decide(reviewed.project, run_id, word, reviewer="Ann", comment=REASON, seen=seen)
    assert not decision_tags(tags_of(reviewed))
    now = tags_of(reviewed)["audit.sha256"]
    decide(reviewed.project, run_id, "approve", reviewer="Ann", comment=REASON, seen=now)
    assert aliases(reviewed) == {CANDIDATE: "1"}


def test_a_run_without_a_date_of_our_calendar_hides_no_other(reviewed: Reviewed) -> None:
    with closing(sqlite3.connect(reviewed.root / "mlruns/mlflow.db")) as store, store:
        store.execute("UPDATE runs SET start_time = 99999999999999999")
    found = find_runs(reviewed.client)
    assert len(found) == len(reviewed.ids) and all(run.started is None for run in found)


def test_a_decision_of_the_last_day_of_all_is_told(reviewed: Reviewed) -> None:
    name = f"{PREFIX}99991231T235959.999999Z-0000000000000000"
    reviewed.client.set_tag(reviewed.ids["clean"], name, "{}")
    with pytest.raises(TrackingError, match="dated 31 Dec 9999"):
        decided(reviewed)


@pytest.mark.parametrize("uri", ["bogus://x", "garbage"])
def test_a_store_that_cannot_be_opened_is_told(tmp_path: Path, uri: str) -> None:
    if uri == "garbage":
        (tmp_path / "mlflow.db").write_bytes(b"garbage" * 100)
        uri = f"sqlite:///{tmp_path}/mlflow.db"
    with pytest.raises(TrackingError, match="cannot be opened"):
        reading_client(uri)


def test_another_runs_model_is_not_registered(reviewed: Reviewed) -> None:
    other = tags_of(reviewed, "suspect")["model_uri"]
    reviewed.client.set_tag(reviewed.ids["clean"], "model_uri", other)
    assert "not registered" in decided(reviewed).told[0]


def test_an_approval_on_an_audit_made_again_is_given_anew(reviewed: Reviewed) -> None:
    decided(reviewed)
    reviewed.audit_again("clean", "not_excluded")
    assert not promoted(reviewed).gate.passed
    with pytest.raises(RefusedError, match="no reason"):
        decided(reviewed, comment="")
    decided(reviewed)
    assert promoted(reviewed).gate.passed


def test_champions_of_no_run_and_of_a_run_that_is_gone(reviewed: Reviewed) -> None:
    client = reviewed.client
    client.create_registered_model("theirs")
    for run_id in (None, "0" * 32):
        made = client.create_model_version("theirs", str(reviewed.root), run_id)
        client.set_registered_model_alias("theirs", CHAMPION, made.version)
        (checked,) = check_champions(reviewed.project)
        assert set(refused(checked)) == {"run", "promotion"}


def test_what_follows_is_told_when_the_registry_fails(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TrackingError("no registry")

    monkeypatch.setattr("corespot.review.decide.register", broken)
    with pytest.raises(CorespotError, match="the decision is written, but the registry did not"):
        decided(reviewed)
    assert len(decision_tags(tags_of(reviewed))) == 1


def test_decisions_of_two_at_once_are_both_kept(reviewed: Reviewed) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from corespot.review.decide import decide; from corespot.review.project import Project\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "decide(Project(Path.cwd()), sys.argv[1], sys.argv[2], reviewer=sys.argv[2], "
        "comment='one two three')"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, reviewed.ids["clean"], word],
            **{"cwd": reviewed.root, "text": True, "stdin": subprocess.PIPE},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
        )
        for word in ("approve", "reject")
    ]
    for one in both:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    for one in both:
        _, errors = one.communicate(timeout=120)
        assert one.returncode == 0, errors[-2000:]
    history = history_of(tags_of(reviewed))
    assert {one.reviewer for one in history.decisions} == {"approve", "reject"}
    assert history.latest is not None
    found = reviewed.client.search_registered_models()
    held = CANDIDATE in found[0].aliases if found else False
    assert held == (history.latest.word == "approve")


def test_a_store_that_cannot_be_written_is_told(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = reviewed.root / "mlruns/mlflow.db.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    with pytest.raises(TrackingError, match="cannot be written to"):
        decided(reviewed)
    lock.rmdir()
    monkeypatch.setattr("corespot.review.decide._PATIENCE_SECONDS", 0.1)
    with store_lock(reviewed.uri), pytest.raises(TrackingError, match="somebody else"):
        decided(reviewed)
    assert decided(reviewed).told


def test_a_clock_that_is_behind_does_not_hide_a_decision(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = decided(reviewed).decision

    class Behind:
        @staticmethod
        def now(zone: object) -> object:
            return first.at.replace(year=2001)

    monkeypatch.setattr("corespot.review.decide.datetime", Behind)
    second = decided(reviewed, word="reject").decision
    assert second.at > first.at
    latest = history_of(tags_of(reviewed)).latest
    assert latest is not None and latest.word == "reject"


def _callers(names: set[str]) -> dict[str, set[tuple[str, str]]]:
    """File and function of every mention of these names in the code, imports aside."""
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in names}
    for folder in ("src", "app", "pipelines"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            # No way around the client: neither SQL nor another spelling of the alias.
            assert "registered_model_aliases" not in text, file
            if not any(name in text for name in names):
                continue
            for function in ast.walk(ast.parse(text)):
                if isinstance(function, ast.FunctionDef):
                    for node in ast.walk(function):
                        named = getattr(node, "id", None) or getattr(node, "attr", None)
                        if named in names:
                            found[named].add((file.relative_to(ROOT).as_posix(), function.name))
    return found


def test_one_function_alone_sets_the_alias_champion() -> None:
    names = {"set_registered_model_alias", "set_champion", "promote_run", "promoting"}
    found = _callers(names)
    registry = "src/corespot/tracking/registry.py"
    assert found == {
        "set_registered_model_alias": {(registry, "set_candidate"), (registry, "set_champion")},
        "set_champion": {("src/corespot/review/promote.py", "promote")},
        # What the command and the button call is that one function.
        "promote_run": {("src/corespot/cli/review.py", "promote")},
        "promoting": {("app/data/decisions.py", "promote")},
    }
