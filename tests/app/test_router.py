"""Every view opens through the router, whatever the address asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit
from app_projects import VIEWS, Launch, html, run_ids


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_opens_on_a_real_project(small_project: Path, launched: Launch, view: str) -> None:
    ids = run_ids(small_project)
    test = launched(small_project, view, [ids["LP roc_lda"], ids["ADSQ roc_lda"]])
    assert not test.exception and not test.error
    assert len(test.title) == 1
    assert "view" not in test.query_params


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_an_empty_project_says_what_to_run(
    tmp_path: Path, launched: Launch, view: str
) -> None:
    test = launched(tmp_path, view)
    assert not test.exception
    shown = [*test.info, *test.error, *test.warning]
    assert any(re.search(r"make run|make\\? run|dvc repro", one.value) for one in shown) or any(
        re.search("make run|corespot tune", code.value) for code in test.code
    )


def test_an_unknown_view_is_said_and_the_overview_shown(tmp_path: Path, launched: Launch) -> None:
    test = launched(tmp_path, "<script>alert(1)</script>")
    assert not test.exception
    assert "no view of this name" in test.warning[0].value


def test_what_draws_figures_is_loaded_while_the_first_page_is_looked_at(
    tmp_path: Path, launched: Launch
) -> None:
    test = launched(tmp_path, "overview")
    (script,) = (one.proto.body for one in test.get("html") if one.proto.unsafe_allow_javascript)
    assert "<script>" not in html(test)
    for part in ("PlotlyChart", "StreamlitSyntaxHighlighter"):
        (name,) = re.findall(rf"'({part}\.[\w-]+\.js)'", script)
        assert (Path(streamlit.__file__).parent / "static/static/js" / name).is_file()
