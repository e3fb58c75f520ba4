"""Decide on a run: check what may be decided, write it down, and let the registry follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from filelock import Timeout

from corespot.errors import CorespotError, RefusedError, TrackingError
from corespot.review.decision import (
    Decision,
    History,
    checked_comment,
    checked_name,
    checked_word,
    history_of,
)
from corespot.review.evidence import Evidence, Unknown, read_evidence
from corespot.review.gate import approval_objections, told
from corespot.review.project import Project
from corespot.tracking.decisions import add_decision, decision_tags, tag_name, time_in
from corespot.tracking.reading import read_run, reading_client
from corespot.tracking.registry import CANDIDATE, register, set_candidate, withdraw
from corespot.tracking.store import store_lock

_PATIENCE_SECONDS = 60
_TRIES = 3


@dataclass(frozen=True)
class Decided:
    """A decision, and what followed.

    Parameters
    ----------
    decision : Decision
        As it is written.
    told : tuple of str
        What became of the registry.
    """

    decision: Decision
    told: tuple[str, ...]


def decide(
    project: Project,
    run_id: str,
    word: str,
    *,
    reviewer: str,
    comment: str = "",
    seen: str | None = None,
) -> Decided:
    """Decide on a run; everything is read anew first.

    Approval registers the run's model, once, and makes it ``candidate``. Any other decision takes
    ``candidate`` and ``champion`` from it.

    Parameters
    ----------
    project : Project
        The project.
    run_id : str
        The run.
    word : str
        ``approve``, ``reject`` or ``needs_work``.
    reviewer : str
        Who decides.
    comment : str
        Why; a reason where the verdict asks for one.
    seen : str, optional
        SHA-256 of the audit that was shown to the reviewer, empty where none could be read;
        without it, it is not asked whether that is still the audit.

    Raises
    ------
    ReviewError
        If something is not said as it must be.
    RefusedError
        If the run cannot be approved, or its audit is not the one that was seen.
    TrackingError
        If the store does not know the run, or does not take the decision.
    """
    chosen = checked_word(word)
    who, why = checked_name(reviewer), checked_comment(comment)
    client = reading_client(project.tracking_uri)
    with taking_turns(project):
        evidence = read_evidence(client, project, run_id)
        if seen is not None and seen != evidence.audit_sha256:
            raise RefusedError(
                f"nothing was recorded: the audit of run {run_id} ({evidence.run.name}) was made "
                "again or changed since it was shown; look at it as it is now, and decide again"
            )
        objections = approval_objections(evidence, why) if chosen == "approve" else ()
        if objections:
            raise RefusedError(
                f"run {run_id} ({evidence.run.name}) is not approved: {told(objections)}"
            )
        audit = None if isinstance(evidence.audit, Unknown) else evidence.audit
        decision = Decision(
            reviewer=who,
            word=chosen,
            comment=why,
            at=_now(evidence.run.tags),
            audit_sha256=audit.sha256 if audit else None,
            verdict=audit.verdict if audit else None,
        )
        add_decision(client, run_id, tag_name(decision.at), decision.as_text(), chosen)
        try:
            followed = _follow(client, evidence)
        except CorespotError as error:
            raise TrackingError(
                f"the decision is written, but the registry did not follow: {error}; decide again"
            ) from None
    return Decided(decision, followed)


@contextmanager
def taking_turns(project: Project) -> Iterator[None]:
    """Let one at a time of the processes on this machine decide or promote."""
    lock = store_lock(project.tracking_uri)
    try:
        lock.acquire(timeout=_PATIENCE_SECONDS)
    except Timeout:
        raise TrackingError(
            "somebody else has been writing to the store for a minute; try again"
        ) from None
    except OSError as error:
        raise TrackingError(
            f"the store cannot be written to ({error.strerror}: {lock.lock_file}); ask for the "
            "permission"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _now(tags: Any) -> datetime:
    """Now, but after all decisions so far: clocks differ, and the latest decision holds."""
    times = [time_in(name) for name in decision_tags(tags)]
    last = max((at for at in times if at is not None), default=None)
    now = datetime.now(UTC)
    try:
        return now if last is None or last < now else last + timedelta(microseconds=1)
    except OverflowError:
        raise TrackingError(
            f"a decision on this run is dated {last:%d %b %Y}, and none can follow it; delete its "
            "tag in MLflow"
        ) from None


def _follow(client: Any, evidence: Evidence) -> tuple[str, ...]:
    """Let the registry follow the latest decision, also one of somebody on another machine."""
    found: list[str] = []
    history = history_of(read_run(client, evidence.run.run_id).tags)
    for _ in range(_TRIES):
        latest = history.latest
        if latest is not None and latest.word == "approve":
            found += _register(client, evidence, latest)
        else:
            found += withdraw(client, evidence.run.run_id)
        before: History = history
        history = history_of(read_run(client, evidence.run.run_id).tags)
        if history.latest == before.latest:
            break
        found.append("somebody else decided at the same time; the latest decision holds")
    return tuple(found)


def _register(client: Any, evidence: Evidence, approval: Decision) -> list[str]:
    run, model = evidence.run, evidence.model
    if isinstance(model, Unknown):
        return [f"approved, but not registered: {model.why}"]
    # The approval may be of somebody on another machine, who saw other evidence.
    objections = approval_objections(evidence)
    if objections:
        return [f"approved by {approval.reviewer}, but not made {CANDIDATE}: {told(objections)}"]
    tags = {
        "run_id": run.run_id,
        "audit.sha256": str(approval.audit_sha256),
        "audit.verdict": str(approval.verdict),
        "dvc.store": run.tags.get("dvc.store", "unknown"),
        "folds.fingerprint": run.tags.get("folds.fingerprint", "unknown"),
        "review.reviewer": approval.reviewer,
    }
    version, is_new = register(client, run, model, tags)
    before = set_candidate(client, version)
    became = f"registered as {version}" if is_new else f"registered before as {version}"
    if before is None or before.key == version.key:
        return [became, f"{version} is {CANDIDATE}"]
    return [became, f"{version} is {CANDIDATE}, before it was version {before.version}"]
