"""Links to the review app hold whatever identifier they are given."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from corespot.tracking.links import app_link, link_tags


def test_a_link_names_view_and_runs() -> None:
    parts = urlsplit(app_link(["a1", "b2"], "compare", "http://127.0.0.1:8600/"))
    assert (parts.netloc, parts.path) == ("127.0.0.1:8600", "/")
    assert parse_qs(parts.query) == {"run": ["a1,b2"], "view": ["compare"]}


def test_what_would_end_a_markdown_link_is_escaped() -> None:
    note = link_tags("x) [evil](http://e.org/")["mlflow.note.content"]
    assert "evil](http" not in note
