"""The confounding view: verdict, exhibits, design, before and after, what is missing in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from app_projects import Launch, html, run_ids
from run_copies import own_files, set_tag
from streamlit.testing.v1 import AppTest

from corespot.io.artifacts import read_json, write_json

pytestmark = pytest.mark.slow


def said(test: AppTest) -> str:
    parts = [*test.markdown, *test.caption, *test.text, *test.info, *test.error, *test.code]
    return "\n".join(part.value for part in parts).replace("\\", "")


def test_verdict_sentence_and_the_six_exhibits(small_project: Path, launched: Launch) -> None:
    run = run_ids(small_project)["LP logistic"]
    test = launched(small_project, "confounding", [run])
    assert not test.exception and not test.error
    card = html(test)
    assert "confounded" in card and "label and TMA are tied" in card
    assert "Error rates." in card and "What it cannot say." in card
    titles = said(test)
    for title in (
        "What the model looks at: lung against pancreas",
        "What the class gap is made of",
        "Scores of patients by TMA",
        "The model beside classifiers that see no peaks",
        "Patients of each class on each TMA: Cramér's V",
    ):
        assert title in titles
    assert "corespot mitigate LP logistic --with" in titles
    assert all(len(chart.proto.spec) < 500_000 for chart in test.get("plotly_chart"))


def test_tables_are_made_when_they_are_asked_for(small_project: Path, launched: Launch) -> None:
    run = run_ids(small_project)["LP logistic"]
    test = launched(small_project, "confounding", [run])

    before = len(test.dataframe)
    assert "Lines of this model" not in said(test)
    test.session_state["all measured"] = True
    test.run()
    assert not test.exception and not test.error
    assert len(test.dataframe) >= before + 2 and "Lines of this model" in said(test)


def test_a_plain_run_shows_what_a_way_out_changed(small_project: Path, launched: Launch) -> None:
    ids = run_ids(small_project)
    plain = launched(small_project, "confounding", [ids["LP logistic"]])
    mitigated = launched(small_project, "confounding", [ids["LP logistic with peak_list"]])
    for test in (plain, mitigated):
        assert not test.exception and not test.error
        assert "Before and after a way out" in [head.value for head in test.subheader]
        table = next(frame.value for frame in test.dataframe if "before" in frame.value)
        assert table["before"][0] == "▲ confounded"
        assert "With peak_list" in said(test)
    other = launched(small_project, "confounding", [ids["LP roc_lda"]])
    assert "Before and after a way out" not in [head.value for head in other.subheader]


def test_the_design_is_of_the_data_held_now(own_project: Path, launched: Launch) -> None:
    run = run_ids(own_project)["LP roc_lda"]
    assert "which this run has read" in said(launched(own_project, "confounding", [run]))
    set_tag(own_project, run, "dvc.store", "0" * 32)
    test = launched(own_project, "confounding", [run])
    assert not test.exception and "this run has read other data" in said(test)
    assert "No TMA holds both classes" in said(test)


def test_a_run_without_an_audit_says_what_to_run(own_project: Path, launched: Launch) -> None:
    run = run_ids(own_project)["LP roc_lda"]
    set_tag(own_project, run, "audit.verdict", None)
    test = launched(own_project, "confounding", [run])
    assert not test.exception and not test.error
    assert "was not audited" in said(test) and "dvc repro audit" in said(test)
    assert not test.get("plotly_chart")


def test_hostile_words_of_an_audit_stay_text(
    own_project: Path, launched: Launch, tmp_path: Path
) -> None:
    run = run_ids(own_project)["LP logistic"]
    path = own_files(own_project, run, tmp_path) / "audit" / "audit.json"
    audit = read_json(path)
    audit["sentence"] = "<script>alert(1)</script> & `x`"
    audit["recommended"] = {"ways": [{"way": "<b>w</b>", "why": "**bold**"}], "design": ["*d*"]}
    write_json(path, audit)
    test = launched(own_project, "confounding", [run])
    assert not test.exception and not test.error
    assert "<script>" not in html(test) and "&lt;script&gt;" in html(test)
    assert not any("<b>w</b>" in one.value or "**bold**" in one.value for one in test.markdown)
    assert any(one.value == "*d*" for one in test.text)


def test_damaged_and_missing_files_spoil_their_section_only(
    own_project: Path, launched: Launch, tmp_path: Path
) -> None:
    ids = run_ids(own_project)
    run = ids["LP logistic"]
    files = own_files(own_project, ids["LP logistic with peak_list"], tmp_path)
    (files / "before_after.json").write_text(json.dumps({"ways": []}))
    test = launched(own_project, "confounding", [run])
    assert not test.exception and "damaged" in test.error[0].value
    assert len(test.get("plotly_chart")) >= 5
    files = own_files(own_project, run, tmp_path)
    (files / "audit" / "audit.json").write_text("{")
    test = launched(own_project, "confounding", [run])
    assert not test.exception and len(test.error) == 1
    assert any("Design of the task" in head.value for head in test.subheader)


def test_an_unknown_task_and_model(own_project: Path, launched: Launch) -> None:
    run = run_ids(own_project)["LP roc_lda"]
    set_tag(own_project, run, "task", "../<b>x</b>")
    set_tag(own_project, run, "model", "nobody knows")
    test = launched(own_project, "confounding", [run])
    assert not test.exception
    assert "was not audited" in test.error[0].value
