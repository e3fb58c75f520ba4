"""A decision as it is written and read; what is garbled is told and never in the way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from corespot.errors import ReviewError
from corespot.review.decision import (
    DECISIONS,
    Decision,
    History,
    Unreadable,
    checked_comment,
    checked_name,
    checked_word,
    history_of,
    is_reason,
)
from corespot.tracking.decisions import LONGEST_TAG, PREFIX, tag_name, time_in

AT = datetime(2026, 11, 21, 12, 30, 15, 42, tzinfo=UTC)
HOSTILE = '<script>alert(1)</script> **bold** [x](http://e.org) "quotes" 🧪\nsecond line'


def made(word: str = "approve", at: datetime = AT, **changed: object) -> Decision:
    values = {"reviewer": "Ann", "comment": "looks right to me", "audit_sha256": "ab", "at": at}
    return Decision(word=checked_word(word), **{**values, "verdict": "no_evidence", **changed})


@pytest.mark.parametrize("word", DECISIONS)
def test_what_is_written_is_read(word: str) -> None:
    one = made(word, comment=HOSTILE, reviewer="Zoë <b>", audit_sha256=None, verdict=None)
    assert history_of({tag_name(one.at): one.as_text(), "task": "x"}).entries == (one,)
    assert "🧪" in one.as_text() and "\\n" in one.as_text()


def test_the_newest_is_first_and_holds() -> None:
    entries = [made("approve"), made("reject", AT + timedelta(microseconds=1))]
    tags = {tag_name(one.at): one.as_text() for one in entries}
    history = history_of(tags)
    assert [one.word for one in history.decisions] == ["reject", "approve"]
    assert history.latest == entries[1] and not history.unreadable
    assert History().latest is None


def test_decisions_of_one_microsecond_have_names_of_their_own() -> None:
    names = {tag_name(AT) for _ in range(100)}
    assert len(names) == 100 and {time_in(name) for name in names} == {AT}
    assert all(len(name) <= 250 for name in names)
    assert time_in(PREFIX + "yesterday") is None
    assert time_in(PREFIX + "20261399T000000.000000Z-" + "0" * 16) is None


def plain(**changed: object) -> str:
    return json.dumps({**json.loads(made().as_text()), **changed})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, ""),
        ("[]", "does not hold"),
        ("null", "does not hold"),
        ("{}", "does not hold"),
        (plain(extra=1), "does not hold"),
        (plain(format=2), "its format is 2"),
        (plain(decision="champion"), "no decision"),
        (plain(decision=["approve"]), "no decision"),
        (plain(at="2026-11-21T12:30:15.000043+00:00"), "not that in the name"),
        (plain(at="2026-11-21T12:30:15.000042"), "not that in the name"),
        (plain(at="soon"), ""),
        (plain(at=5), ""),
        (plain(reviewer=""), "no name of a reviewer"),
        (plain(reviewer=None), "reviewer is no text"),
        (plain(reviewer="x" * 101), "at most 100"),
        (plain(comment={}), "comment is no text"),
        (plain(comment="x\u202ey"), "202E"),
        (plain(audit_sha256=7), "audit_sha256 is no text"),
        (plain(verdict=[]), "verdict is no text"),
    ],
)
def test_garbled_tags_are_told(text: str, why: str) -> None:
    name = tag_name(AT)
    fine = made("reject", AT - timedelta(days=1))
    history = history_of({name: text, tag_name(fine.at): fine.as_text()})
    (bad,) = history.unreadable
    assert isinstance(bad, Unreadable) and bad.tag == name and why in bad.why and bad.why
    assert len(bad.text) <= 200 and history.latest == fine


def test_a_decision_under_another_name_is_unreadable() -> None:
    assert history_of({PREFIX + "latest": made().as_text()}).unreadable


@pytest.mark.parametrize(
    ("comment", "enough"),
    [
        ("", False),
        ("   \n\t ", False),
        ("ok", False),
        ("ok ok", False),
        (". . . . .", False),
        ("1 2 3 4 5", False),
        ("a b c d", False),
        ("control cores agree", True),
        ("Kontrollen sind gleich verteilt", True),
        ("対照は同じ", True),
    ],
)
def test_some_words_are_a_reason(comment: str, enough: bool) -> None:
    assert is_reason(comment) is enough


@pytest.mark.parametrize(
    "name", ["", "  ", "\n", "x" * 101, "a\x00b", "a\x1bb", "a\u202eb", "a\ud800b"]
)
def test_names_that_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(ReviewError):
        checked_name(name)


def test_names_and_comments_are_kept_as_written() -> None:
    assert checked_name("  Dr. Zoë\n O'Neil <b>  ") == "Dr. Zoë O'Neil <b>"
    assert checked_comment("\n one  \r\ntwo\n") == "one\ntwo"
    assert checked_comment("👩\u200d🔬 ok") == "👩\u200d🔬 ok"  # joined signs are fine
    with pytest.raises(ReviewError, match="2001 characters, at most 2000"):
        checked_comment("x" * 2001)
    with pytest.raises(ReviewError, match=r"U\+2066"):
        checked_comment("\u2066")


def test_what_mlflow_would_not_keep_is_refused() -> None:
    longest = made(comment='"' * 2000, reviewer="\\" * 100)
    assert len(longest.as_text()) <= LONGEST_TAG
    with pytest.raises(ReviewError, match="shorten the comment"):
        made(comment='"' * 4000).as_text()


def test_words_are_understood_or_suggested() -> None:
    assert checked_word(" Needs-Work ") == "needs_work"
    with pytest.raises(ReviewError, match="'approve'"):
        checked_word("aprove")
