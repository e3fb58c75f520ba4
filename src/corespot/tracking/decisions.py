"""Decisions as tags of a run: one new tag each, so that nothing is overwritten."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from corespot.tracking.reading import mlflow_told

#: What the names of these tags begin with, and the tag with the latest word, to filter by.
PREFIX, STATUS = "review.decision.", "review.status"
#: Most characters that MLflow keeps in a tag of a run.
LONGEST_TAG = 8000
_TIME = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-[0-9a-f]{16}")


def tag_name(at: datetime, prefix: str = PREFIX) -> str:
    """A name that no other tag has, even of the same microsecond; sorts by time.

    Parameters
    ----------
    at : datetime
        When it was taken, in UTC.
    prefix : str
        What it begins with.
    """
    return f"{prefix}{at.astimezone(UTC).strftime(_TIME)}-{secrets.token_hex(8)}"


def time_in(name: str) -> datetime | None:
    """When a decision was taken, as the name of its tag says; ``None`` if it is no such name."""
    found = _NAME.fullmatch(name.removeprefix(PREFIX))
    try:
        return datetime.strptime(found[1], _TIME).replace(tzinfo=UTC) if found else None
    except ValueError:
        return None


def decision_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The decisions among the tags of a run, unread, oldest first."""
    return {name: tags[name] for name in sorted(tags) if name.startswith(PREFIX)}


def add_decision(client: Any, run_id: str, name: str, text: str, word: str) -> None:
    """Write a decision, together with the tag of the latest.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    run_id : str
        The run.
    name : str
        From `tag_name`.
    text : str
        The decision, at most `LONGEST_TAG` characters.
    word : str
        What was decided.

    Raises
    ------
    TrackingError
        If the store does not take it.
    """
    with mlflow_told(f"the decision on run {run_id} was not written"):
        from mlflow.entities import RunTag

        client.log_batch(run_id, tags=[RunTag(name, text), RunTag(STATUS, word)])
