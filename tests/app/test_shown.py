"""Text from outside stays text."""

from __future__ import annotations

import re

import pytest

from app.parts.shown import literal

#: What GitHub's Markdown makes a link of by itself; backslashes are gone by then.
_LINKS = re.compile(r"(?i)https?://|www\.|[-.\w+]@\w")


@pytest.mark.parametrize(
    "text",
    ["http://e.org/p", "HTTPS://e.org", "x www.e.org", "a@e.org", "![x](http://e.org/p.png)"],
)
def test_an_address_in_a_name_becomes_no_link(text: str) -> None:
    shown = literal(text).replace("\\", "")
    assert _LINKS.search(text) and not _LINKS.search(shown)
    assert shown.replace("\u2060", "") == text
