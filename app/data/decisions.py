"""Decisions on runs: read anew every time, and the only thing that the app writes."""

from __future__ import annotations

from app.data.runs import client, look_again, project
from corespot.review import decide as deciding
from corespot.review import promote as promoting
from corespot.review.decide import Decided
from corespot.review.evidence import Evidence, read_evidence
from corespot.review.promote import Promotion


def evidence(run_id: str) -> Evidence:
    """What a decision on a run rests on, as the store and the files are now; from no cache.

    Raises
    ------
    TrackingError
        If the store does not know the run.
    """
    return read_evidence(client(), project(), run_id)


def decide(run_id: str, word: str, reviewer: str, comment: str, seen: str) -> Decided:
    """Decide on a run; see `corespot.review.decide.decide`, which reads all anew first."""
    try:
        return deciding.decide(
            project(), run_id, word, reviewer=reviewer, comment=comment, seen=seen
        )
    finally:
        look_again(run_id)


def promote(run_id: str, by: str) -> Promotion:
    """Make a run's model champion, by the same function as ``corespot promote``."""
    try:
        return promoting.promote(project(), run_id, by=by)
    finally:
        look_again(run_id)
