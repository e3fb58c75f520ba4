"""The page of an audit: verdict first, everything escaped, offline."""

from __future__ import annotations

import re

import pytest
from audit_folders import THRESHOLDS, write_audit

from corespot.audit.verdict.readings import MEANINGS
from corespot.audit.verdict.verdict import VERDICTS
from corespot.io.artifacts import write_json
from corespot.report.audit_page import write_audit_page
from corespot.report.audit_tables import readings_table
from corespot.report.audit_view import read_audit
from corespot.report.html import load_figure_json
from corespot.report.verdict_badge import VERDICT_STYLES, VerdictBadge, verdict_text

EVIL = ("<script>alert('x')</script>", 'S"Q & <b>co</b>', "z</style><img src=x onerror=alert(1)>")


def written(folder, **options):
    write_audit(folder / "audit", **options)
    pages = folder / "pages"
    pages.mkdir()
    write_audit_page(pages, read_audit(folder / "audit"))
    return (pages / "audit.html").read_text(encoding="utf-8")


def without_plotly(page):
    """The page without plotly.js, which is 4 MB of other people's text."""
    return re.sub(r"<head>.*?</head>", "", page, flags=re.DOTALL)


def test_the_verdict_stands_above_everything_with_its_limits(tmp_path):
    body = without_plotly(written(tmp_path))
    card = body[: body.index("<nav>")]
    assert "▲ confounded" in card
    assert "model on T: tied to &lt;AD&gt;" in card
    assert "Of 50 simulated models" in card and "96 % (95 % interval 90 to 99 %)" in card
    assert "it cannot say &lt;this&gt;" in card
    assert "<td>off_peak_mask</td><td>30 % &lt;off&gt; peak</td>" in body
    assert "<p>Measure &lt;both&gt; on one TMA.</p>" in body


def test_no_name_becomes_markup(tmp_path):
    page = written(tmp_path, classes=EVIL, tmas=("<i>1</i>", "2", "3"), task="<u>", model="<s>")
    body = without_plotly(page)
    assert "<title>Audit for confounding: &lt;u&gt;, &lt;s&gt;</title>" in page
    for raw in (*EVIL[:1], "<b>", "<img", "<i>1", "<u>", "<s>", "<this>", "<x>", "<i>"):
        assert raw not in body.replace("<i>m/z</i>", ""), raw
    # Scripts hold figures as JSON, in which plotly writes < as an escape.
    assert body.count("<script") == body.count("Plotly.newPlot")
    assert body.count("</script") == body.count("<script")


@pytest.mark.parametrize("name", ["audit_shares", "audit_scores", "audit_windows"])
def test_text_inside_figures_is_safe_where_plotly_reads_tags(tmp_path, name):
    written(tmp_path, classes=EVIL, tmas=("<i>1</i>", "2", "3"))
    text = load_figure_json(tmp_path / "pages" / f"{name}.json").to_json()
    for raw in ("<script", "<b>", "<img", "<i>1"):
        assert raw not in text.replace("\\u003c", "<").replace("\\u003e", ">")


def test_every_reading_is_there_with_its_meaning_and_line(tmp_path):
    content = write_audit(tmp_path)
    content["readings"]["leakage_p"] = 0.2
    write_json(tmp_path / "audit.json", content)
    table = readings_table(read_audit(tmp_path)).set_index("indicator")
    assert len(table) == len(MEANINGS)
    assert table.loc["artifact share"].tolist() == [
        MEANINGS["artifact_share"],
        "47.0 %",
        f"{100 * THRESHOLDS['artifact_share']:.1f} %",
        "▲ the verdict rests on it",
    ]
    assert table.loc["negative control", "against the model"] == "above its line"
    # A p above its line speaks for the model, not against it.
    assert table.loc["leakage p", ["value", "line"]].tolist() == ["0.2", "0.05"]
    assert table.loc["leakage p", "against the model"] == ""
    assert table.loc["calibration", "value"] == "not applicable: a <b>reason</b>"


def test_with_nothing_applicable_every_section_says_why(tmp_path):
    body = without_plotly(written(tmp_path, applies=False, verdict="not_excluded"))
    assert "○ confounding not excluded" in body and "What may help" not in body
    assert body.count("Not applicable: a &lt;b&gt;reason&lt;/b&gt;.") == 3
    assert body.count("<td>not applicable: a &lt;b&gt;reason") >= len(MEANINGS) - 10
    assert "The calibration has no error rates for this verdict." in body


def test_a_page_reaches_for_nothing(tmp_path):
    body = without_plotly(written(tmp_path))
    assert not re.findall(r'(?:src|href)="(?!#)[^"]*"', body)
    assert "audit_sensitivity_0.json" in {path.name for path in (tmp_path / "pages").iterdir()}


@pytest.mark.parametrize("word", VERDICTS)
def test_every_verdict_has_a_word_a_mark_and_a_readable_colour(word):
    style = VERDICT_STYLES[word]
    assert style.text in VerdictBadge(word).html and style.mark in VerdictBadge(word).html
    assert contrast(style.ink, style.paper) >= 4.5
    assert verdict_text(word, 0.684) == f"{style.mark} {style.text}, 68 %"
    assert verdict_text(word, None) == f"{style.mark} {style.text}"


def test_what_was_not_audited_is_a_dash():
    assert verdict_text("", None) == "—"


def contrast(ink, paper):
    """Contrast by WCAG 2.1: 4.5 is what text needs."""

    def luminance(shade):
        parts = [int(shade[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(ink), luminance(paper)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
