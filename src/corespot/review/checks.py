"""What is checked of a run before it is approved or promoted, each thing by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corespot.review.decision import LEAST_WORDS, is_reason
from corespot.review.evidence import Evidence, Unknown
from corespot.tracking.registry import MODEL_SHA256, ModelVersion
from corespot.tracking.served import LOGGED_SHA256

#: Verdicts with which approval needs a written reason.
NEEDS_REASON = ("suspect", "not_excluded")
#: What is said where a reason is missing.
REASON_RULE = f"a reason of at least {LEAST_WORDS} words in the comment"


@dataclass(frozen=True)
class Check:
    """One check.

    Parameters
    ----------
    name : str
        What is checked.
    passed : bool
        Whether it is as it must be.
    found : str
        What was found.
    remedy : str
        What to do; empty where it passed.
    """

    name: str
    passed: bool
    found: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain mapping for JSON."""
        return {
            "check": self.name,
            "passed": self.passed,
            "found": self.found,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        mark = "passed " if self.passed else "REFUSED"
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{mark}  {self.name:<10}  {self.found}{remedy}"


def needs_reason(evidence: Evidence) -> bool:
    """Whether approval needs a written reason."""
    audit = evidence.audit
    return not isinstance(audit, Unknown) and audit.verdict in NEEDS_REASON


def check_run(evidence: Evidence) -> Check:
    """The run has finished, and was not deleted."""
    run = evidence.run
    if run.deleted:
        return Check("run", False, "the run was deleted", "restore it in MLflow, or train again")
    if run.status != "FINISHED":
        ended = run.status in ("FAILED", "KILLED")
        return Check(
            "run",
            False,
            f"the run is {run.status.lower()}, not finished",
            "run `dvc repro` again" if ended else "wait for it, or run `dvc repro`",
        )
    return Check("run", True, "the run has finished")


def check_audit(evidence: Evidence) -> Check:
    """There is an audit of this very run, and the run's tags say the same."""
    audit, run = evidence.audit, evidence.run
    again = "run `dvc repro` to audit it again"
    if isinstance(audit, Unknown):
        return Check("audit", False, f"there is no audit that can be read: {audit.why}", again)
    if audit.run_id != run.run_id:
        of = audit.run_id or "no run"
        return Check("audit", False, f"the audit's file is of {of}, not of this run", again)
    tagged = run.tags.get("audit.verdict", "none")
    if tagged != audit.verdict:
        return Check(
            "audit",
            False,
            f"the audit's file says {audit.verdict}, the run's tag says {tagged}",
            f"one of them was changed; {again}",
        )
    if run.tags.get("audit.sha256", "") != audit.sha256:
        return Check(
            "audit",
            False,
            f"the audit's file ({audit.sha256[:12]}) is not the one that the run was tagged with "
            f"({run.tags.get('audit.sha256', 'none')[:12]})",
            f"one of them was changed; {again}",
        )
    return Check("audit", True, f"the audit {audit.sha256[:12]} is of this run and as it was made")


def check_verdict(evidence: Evidence) -> Check:
    """The verdict is not *confounded*."""
    audit = evidence.audit
    if isinstance(audit, Unknown):
        return Check("verdict", False, "there is no verdict", "see the audit")
    if audit.verdict == "confounded":
        return Check(
            "verdict",
            False,
            "the model is confounded, and a confounded model is never approved",
            "look at the evidence, then repair the design or `corespot mitigate`",
        )
    return Check("verdict", True, f"the verdict is {audit.verdict.replace('_', ' ')}")


def check_approval(evidence: Evidence) -> Check:
    """The latest decision approves, and was taken on the audit as it is now."""
    history, audit = evidence.history, evidence.audit
    if history.unreadable:
        first = history.unreadable[0]
        return Check(
            "approval",
            False,
            f"{len(history.unreadable)} decisions cannot be read; {first.tag}: {first.why}",
            "restore this tag of the run in MLflow, or delete it and decide anew",
        )
    latest = history.latest
    if latest is None:
        return Check("approval", False, "nobody has decided on this run", "review it")
    who = f"{latest.reviewer}, {latest.at:%d %b %Y %H:%M} UTC"
    if latest.word != "approve":
        return Check(
            "approval",
            False,
            f"the latest decision is {latest.word.replace('_', ' ')} ({who})",
            "settle what it asks for, then decide again",
        )
    if isinstance(audit, Unknown):
        return Check("approval", False, f"approved by {who}, but the audit is gone", "audit again")
    if (latest.audit_sha256, latest.verdict) != (audit.sha256, audit.verdict):
        return Check(
            "approval",
            False,
            f"approved by {who} on another audit ({str(latest.audit_sha256)[:12]}, "
            f"{latest.verdict}); it was made again or changed since",
            "look at the audit as it is now, and decide again",
        )
    reason = check_reason(evidence, latest.comment)
    if not reason.passed:
        return Check("approval", False, f"approved by {who}, but {reason.found}", reason.remedy)
    return Check("approval", True, f"approved by {who} on this audit")


def check_data(evidence: Evidence) -> Check:
    """The project holds the spectra that the run has read."""
    read, now = evidence.run.tags.get("dvc.store", "unknown"), evidence.data_hash
    remedy = "`dvc checkout` the run's commit, or `dvc repro` and review the new run"
    if isinstance(now, Unknown):
        return Check("data", False, now.why, "restore it")
    if "unknown" in (read, now):
        whose = "the run" if read == "unknown" else "the project"
        return Check("data", False, f"it is not known which spectra {whose} holds", remedy)
    if read != now:
        return Check("data", False, f"the run has read {read[:12]}, here is {now[:12]}", remedy)
    return Check("data", True, f"the spectra are those the run has read ({read[:12]})")


def check_folds(evidence: Evidence) -> Check:
    """The project holds the folds that the run was validated on."""
    used, now = evidence.run.tags.get("folds.fingerprint", ""), evidence.folds
    remedy = "`dvc checkout` the run's commit, or `dvc repro` and review the new run"
    if isinstance(now, Unknown):
        return Check("folds", False, now.why, remedy)
    if not used:
        return Check("folds", False, "the run does not say which folds it used", remedy)
    if used != now:
        return Check("folds", False, f"the run used {used[:12]}, here is {now[:12]}", remedy)
    return Check("folds", True, f"the folds are those the run was validated on ({used[:12]})")


def check_model(evidence: Evidence) -> Check:
    """Approval registered the run's model, and its files are the same."""
    version, model = evidence.version, evidence.model
    if isinstance(model, Unknown):
        return Check("model", False, model.why, "train again, with a model that can be served")
    if isinstance(version, Unknown):
        return Check("model", False, version.why, "look after the registry")
    if version is None:
        return Check("model", False, "no version is registered", "approval registers one")
    return check_files(evidence)


def check_files(evidence: Evidence) -> Check:
    """The files of a model are those that training logged, and as they were when registered."""
    version, model = evidence.version, evidence.model
    logged = evidence.run.tags.get(LOGGED_SHA256)
    if not isinstance(model, Unknown) and logged not in (None, model.sha256):
        return Check(
            "model",
            False,
            f"the files of the model ({model.sha256[:12]}) are not those that training logged "
            f"({str(logged)[:12]})",
            "restore them, or train again",
        )
    if not isinstance(version, ModelVersion) or isinstance(model, Unknown):
        return Check("model", True, "no files were registered that could differ")
    was = version.tags.get(MODEL_SHA256, "")
    if was != model.sha256:
        return Check(
            "model",
            False,
            f"the files of {version} ({model.sha256[:12]}) are not those that were registered "
            f"({was[:12] or 'unknown'})",
            "restore them, or train again",
        )
    return Check("model", True, f"registered as {version}, its files as they were then")


def check_reason(evidence: Evidence, comment: str) -> Check:
    """A comment gives a reason where the verdict asks for one."""
    if not needs_reason(evidence) or is_reason(comment):
        return Check("reason", True, "no reason is missing")
    assert not isinstance(evidence.audit, Unknown)
    verdict = evidence.audit.verdict.replace("_", " ")
    return Check(
        "reason", False, f"the verdict is {verdict}, and no reason is given", f"write {REASON_RULE}"
    )
