"""Before and after a way out, and figures apart from their words."""

from __future__ import annotations

import copy

import plotly.graph_objects as go
import pytest
from audit_folders import write_audit

from corespot.errors import StoreError
from corespot.report.audit_card import VerdictCard, VerdictLimits
from corespot.report.audit_figures import audit_figures
from corespot.report.audit_view import read_audit
from corespot.report.captioned import captioned
from corespot.report.mitigation_figures import before_after_figure
from corespot.report.mitigation_record import MitigationRecord
from corespot.report.theme import apply_theme, in_lines, plain

RECORD = {
    "task": "LP",
    "model": "logistic",
    "ways": ["artifact_projection", "peak_list"],
    "before": {
        "cross_validated": 1.0,
        "counterfactual": {"balanced_accuracy": 0.51, "interval": [0.40, 0.61]},
        "readings": {"artifact_share": 0.70, "leakage": 0.36, "control_share": None},
        "verdict": "confounded",
        "sentence": "bad <b>before</b>",
        "drop": 0.49,
    },
    "after": {
        "cross_validated": 0.983,
        "counterfactual": {"balanced_accuracy": 0.551, "interval": None},
        "readings": {"artifact_share": -0.00001, "leakage": -0.0001, "control_share": None},
        "verdict": "not_excluded",
        "sentence": "better",
        "drop": 0.432,
    },
}


def record_with(**changes) -> MitigationRecord:
    plain_record = copy.deepcopy(RECORD)
    for side in ("before", "after"):
        plain_record[side].update(changes.pop(side, {}))
    return MitigationRecord.of({**plain_record, **changes})


def drawn_values(figure: go.Figure, axis: str) -> list[float]:
    return [
        trace.x[0]
        for trace in figure.data
        if trace.mode == "markers" and (trace.xaxis or "x") == axis
    ]


def test_the_table_says_before_after_and_change() -> None:
    table = record_with().table().set_index("")
    assert table.loc["verdict", ["before", "after"]].tolist() == ["▲ confounded", "○ not excluded"]
    accuracy = table.loc["balanced accuracy, cross-validated"]
    assert accuracy.tolist() == ["1.000", "0.983", "change -0.017"]
    assert table.loc["accuracy lost there", "after"] == "0.432"
    assert table.loc["artifact share", "before"] == "70.0 %"
    assert "control share" not in table.index


def test_no_number_is_shown_with_a_sign_of_nothing() -> None:
    table = record_with().table().set_index("")
    assert table.loc["artifact share", "after"] == "0.0 %"
    figure = before_after_figure([record_with()])
    assert "<b>0 %</b>" in [note.text for note in figure.layout.annotations]


def test_the_figure_shows_each_number_where_it_is() -> None:
    figure = before_after_figure([record_with()], chance=0.5, line=0.16)
    assert sorted(set(drawn_values(figure, "x"))) == [0.983, 1.0]
    assert sorted(set(drawn_values(figure, "x2"))) == [0.51, 0.551]
    assert sorted(set(drawn_values(figure, "x3"))) == [-0.00001, 0.70]
    bars = [trace.error_x for trace in figure.data if trace.error_x.array is not None]
    assert len(bars) == 1 and bars[0].array[0] == pytest.approx(0.10)
    rows = figure.layout.yaxis.ticktext
    assert "confounded" in rows[0] and "not excluded" in rows[1]
    notes = [note.text for note in figure.layout.annotations]
    assert "chance 0.50" in notes and "line 16 %" in notes


def test_several_ways_stand_beneath_each_other() -> None:
    other = record_with(ways=["<b>augmentation</b>"], after={"cross_validated": 0.9})
    figure = before_after_figure([record_with(), other])
    assert len(figure.layout.yaxis.ticktext) == 3
    assert "<b>augmentation" not in figure.to_json().replace("\\u003c", "<")
    assert 0.9 in drawn_values(figure, "x")


def test_what_was_not_measured_says_so() -> None:
    nothing = {"counterfactual": None, "readings": {}}
    record = record_with(before=nothing, after=nothing)
    figure = before_after_figure([record])
    said = [trace.text[0] for trace in figure.data if trace.mode == "text"]
    assert said == ["not measured"] * 4
    assert "balanced accuracy, second cohort" not in record.table()[""].tolist()
    half = record_with(before={"counterfactual": None}).table().set_index("")
    assert half.loc["balanced accuracy, second cohort", "before"] == "not measured"
    assert "not trained" in before_after_figure([]).layout.annotations[0].text


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {**RECORD, "before": None},
        {**RECORD, "ways": None},
        {**RECORD, "after": {**RECORD["after"], "cross_validated": "much"}},
        {**RECORD, "after": {**RECORD["after"], "readings": [1]}},
    ],
)
def test_a_damaged_record_is_told(damaged) -> None:
    with pytest.raises(StoreError, match="damaged"):
        MitigationRecord.of(damaged)


def test_words_are_taken_off_a_copy_of_the_figure() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1], showlegend=False))
    title = f"of {plain('<b>x</b> & y')}"
    apply_theme(figure, title=title, subtitle="one<br>two <i>m/z</i>", height=400, top=100)
    parts = captioned(figure)
    assert parts.title == "of <b>x</b> & y"
    assert parts.text == "one two m/z"
    assert not parts.figure.layout.title.text
    assert parts.figure.layout.height == 400 - (100 - parts.figure.layout.margin.t)
    assert figure.layout.title.text == title
    assert captioned(figure, height=320).figure.layout.height == 320


def test_every_exhibit_fits_a_tablet(tmp_path) -> None:
    write_audit(tmp_path)
    view = read_audit(tmp_path)
    for figure in audit_figures(view).values():
        assert captioned(figure).title
        for line in (figure.layout.title.subtitle.text or "").split("<br>"):
            assert len(line) <= 105
    assert in_lines("a " * 100).count("<br>") == 1
    assert "&lt;" * 50 in in_lines(f"word {'&lt;' * 50}")


def test_a_brief_card_leaves_out_what_the_limits_say(tmp_path) -> None:
    write_audit(tmp_path)
    view = read_audit(tmp_path)
    brief, whole = VerdictCard(view, brief=True).html, VerdictCard(view).html
    assert "tied to &lt;AD&gt;" in brief and "Error rates." not in brief
    assert "Error rates." in whole and "it cannot say &lt;this&gt;" in whole
    limits = VerdictLimits(view).html
    assert "it cannot say &lt;this&gt;" in limits and "Error rates." in limits


def test_commands_in_a_limitation_are_set_as_such(tmp_path) -> None:
    content = write_audit(tmp_path)
    from corespot.io.artifacts import write_json

    content["limitation"] = "run `corespot audit <x>` now"
    write_json(tmp_path / "audit.json", content)
    html = VerdictCard(read_audit(tmp_path)).html
    assert "run <code>corespot audit &lt;x&gt;</code> now" in html
    assert "`" not in html
