"""A reviewer's decision on a run, and the history of all of them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from corespot.errors import ReviewError, suggestion
from corespot.tracking.decisions import LONGEST_TAG, decision_tags, time_in

DecisionWord = Literal["approve", "reject", "needs_work"]
DECISIONS: tuple[DecisionWord, ...] = get_args(DecisionWord)
FORMAT = 1
#: Most characters of a name and of a comment.
LONGEST_NAME, LONGEST_COMMENT = 100, 2000
#: Fewest words that count as a reason.
LEAST_WORDS = 3
# Signs of scripts that put no blanks between words count as a word each.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]{2,}")
_KEYS = {"reviewer", "decision", "comment", "at", "audit_sha256", "verdict", "format"}
_SHOWN = 200


@dataclass(frozen=True)
class Decision:
    """What somebody decided on a run.

    Parameters
    ----------
    reviewer : str
        Who; as they wrote it.
    word : {"approve", "reject", "needs_work"}
        What.
    comment : str
        Why.
    at : datetime
        When, in UTC.
    audit_sha256 : str or None
        Digest of the audit that lay before them; ``None`` where there was none to be read.
    verdict : str or None
        Its verdict.
    """

    reviewer: str
    word: DecisionWord
    comment: str
    at: datetime
    audit_sha256: str | None = None
    verdict: str | None = None

    def as_text(self) -> str:
        """As it is written.

        Raises
        ------
        ReviewError
            If it is longer than MLflow keeps.
        """
        content = {
            "reviewer": self.reviewer,
            "decision": self.word,
            "comment": self.comment,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "audit_sha256": self.audit_sha256,
            "verdict": self.verdict,
            "format": FORMAT,
        }
        text = json.dumps(content, ensure_ascii=False)
        if len(text) > LONGEST_TAG:
            raise ReviewError(
                f"the decision has {len(text)} characters as it is written, and MLflow keeps "
                f"{LONGEST_TAG}; shorten the comment"
            )
        return text


@dataclass(frozen=True)
class Unreadable:
    """A tag that is named like a decision and is none.

    Parameters
    ----------
    tag : str
        Its name.
    why : str
        What is wrong with it.
    text : str
        How it begins.
    """

    tag: str
    why: str
    text: str


@dataclass(frozen=True)
class History:
    """All decisions on a run.

    Parameters
    ----------
    entries : tuple of Decision or Unreadable
        The newest first.
    """

    entries: tuple[Decision | Unreadable, ...] = ()

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Those that can be read, the newest first."""
        return tuple(entry for entry in self.entries if isinstance(entry, Decision))

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Those that cannot."""
        return tuple(entry for entry in self.entries if isinstance(entry, Unreadable))

    @property
    def latest(self) -> Decision | None:
        """The one that holds, ``None`` before the first."""
        return self.decisions[0] if self.decisions else None


def history_of(tags: Mapping[str, str]) -> History:
    """All decisions among the tags of a run; what cannot be read is kept as such, and told."""
    read = [_read(name, text) for name, text in decision_tags(tags).items()]
    return History(tuple(reversed(read)))


def is_reason(comment: str) -> bool:
    """Whether a comment says something: three words of two letters or more."""
    return len(_WORD.findall(comment)) >= LEAST_WORDS


def checked_name(text: str) -> str:
    """A name as it is kept, in one line.

    Raises
    ------
    ReviewError
        If it is empty, too long, or holds signs that cannot be shown.
    """
    name = " ".join(text.split())
    if not name:
        raise ReviewError("there is no name of a reviewer; say who decides")
    return _checked(name, "the reviewer's name", LONGEST_NAME)


def checked_comment(text: str) -> str:
    """A comment as it is kept.

    Raises
    ------
    ReviewError
        If it is too long, or holds signs that cannot be shown.
    """
    lines = text.strip().splitlines()
    return _checked("\n".join(line.rstrip() for line in lines), "the comment", LONGEST_COMMENT)


def checked_word(text: str) -> DecisionWord:
    """A decision as it is kept; ``needs-work`` is understood.

    Raises
    ------
    ReviewError
        If it is none.
    """
    plain = text.strip().lower().replace("-", "_").replace(" ", "_")
    for word in DECISIONS:
        if plain == word:
            return word
    raise ReviewError(f"{text!r} is no decision; {suggestion(plain, DECISIONS)}")


def _checked(text: str, what: str, longest: int) -> str:
    if len(text) > longest:
        raise ReviewError(f"{what} has {len(text)} characters, at most {longest} are kept")
    # Control signs, halves of signs, and what turns the direction of the text around it.
    bad = next((sign for sign in text if sign not in "\n\t" and _is_hidden(sign)), None)
    if bad is not None:
        raise ReviewError(
            f"{what} holds the sign U+{ord(bad):04X}, which cannot be shown; leave it out"
        )
    return text


def _is_hidden(sign: str) -> bool:
    return (
        unicodedata.category(sign) in ("Cc", "Cs")
        or sign in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


def _read(name: str, text: str) -> Decision | Unreadable:
    try:
        return _decision(name, text)
    except (ValueError, TypeError, RecursionError, ReviewError) as error:
        return Unreadable(name, str(error) or type(error).__name__, text[:_SHOWN])


def _decision(name: str, text: str) -> Decision:
    try:
        plain = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError("it is not JSON") from None
    if not isinstance(plain, dict) or set(plain) != _KEYS:
        raise ValueError(f"it does not hold {', '.join(sorted(_KEYS))}, and these alone")
    if plain["format"] != FORMAT:
        raise ValueError(f"its format is {plain['format']!r}, this version reads {FORMAT}")
    if plain["decision"] not in DECISIONS:
        raise ValueError(f"{plain['decision']!r} is no decision")
    at = datetime.fromisoformat(plain["at"])
    if at.tzinfo is None or at != time_in(name):
        raise ValueError("its time is not that in the name of its tag")
    for key in ("reviewer", "comment"):
        if not isinstance(plain[key], str):
            raise ValueError(f"its {key} is no text")
    for key in ("audit_sha256", "verdict"):
        if not isinstance(plain[key], str | None):
            raise ValueError(f"its {key} is no text")
    return Decision(
        reviewer=checked_name(plain["reviewer"]),
        word=plain["decision"],
        comment=checked_comment(plain["comment"]),
        at=at.astimezone(UTC),
        audit_sha256=plain["audit_sha256"],
        verdict=plain["verdict"],
    )
