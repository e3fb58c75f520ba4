"""Pages work offline and escape what they show; figures and tables survive the way to disk."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from corespot.errors import StoreError
from corespot.report.html import (
    Link,
    Preformatted,
    Section,
    load_figure_json,
    save_figure_json,
    table_html,
    write_page,
)
from corespot.report.result_marks import NESTED_NOTE
from corespot.report.tables import (
    as_markdown,
    as_text,
    natural,
    readable,
    result_table,
)
from corespot.report.terminal import aligned, results_text, transfer_text
from corespot.report.theme import plain

EVIL = "<script>alert('x')</script>"


@pytest.fixture
def figure():
    trace = go.Scatter(x=np.linspace(0, 1, 5), y=np.arange(5.0), name=EVIL)
    return go.Figure(trace, layout={"height": 300, "title": {"text": EVIL}})


def outside_plotly(html):
    """The page without the plotly.js that it carries."""
    scripts = re.findall(r"<script[^>]*>.*?</script>", html, flags=re.DOTALL)
    longest = max(scripts, key=len)
    assert len(longest) > 1_000_000, "plotly.js must be inside"
    assert sum(len(script) > 1_000_000 for script in scripts) == 1, "plotly.js must be in once"
    return html.replace(longest, "")


def test_page_is_offline_and_escaped(tmp_path, figure):
    table = pd.DataFrame({EVIL: [EVIL, "b"], "value": [1.23456789, 1406.6]})
    sections = [
        Section(EVIL, [EVIL, table, figure, figure]),
        Section("two", [Preformatted(f"cat {EVIL}")]),
        Section("three", []),
    ]
    write_page(tmp_path / "sub" / "page.html", EVIL, sections, subtitle=EVIL)
    html = (tmp_path / "sub" / "page.html").read_text(encoding="utf-8")
    rest = outside_plotly(html)
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)\s*=", html)
    assert "http://" not in rest and "https://" not in rest and "cdn" not in rest.lower()
    assert "default-src 'none'" in html
    assert EVIL not in rest and "<script>alert" not in rest
    assert rest.count("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;") >= 6
    assert len(set(re.findall(r'id="(figure-[\d-]+)"', rest))) == 2
    assert 'href="#section-3"' in rest and 'id="section-3"' in rest
    assert "1406.60" in rest and "1.235" in rest
    assert not list((tmp_path / "sub").glob(".*")), "no part file stays behind"


def test_page_without_figures_carries_no_plotly(tmp_path):
    write_page(tmp_path / "page.html", "plain", [Section("one", ["text"])])
    assert (tmp_path / "page.html").stat().st_size < 10_000


def test_figure_json_round_trip(tmp_path, figure):
    save_figure_json(figure, tmp_path / "figure.json")
    back = load_figure_json(tmp_path / "figure.json")
    assert isinstance(back, go.Figure)
    assert back.data[0].name == EVIL and back.layout.height == 300
    np.testing.assert_array_equal(
        np.asarray(back.to_dict()["data"][0]["y"]["bdata"]),
        np.asarray(figure.to_dict()["data"][0]["y"]["bdata"]),
    )
    with pytest.raises(StoreError, match="missing"):
        load_figure_json(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{not json")
    with pytest.raises(StoreError, match="no plotly figure"):
        load_figure_json(tmp_path / "bad.json")


METRICS = {
    "ADSQ": {
        "roc_lda": {
            "spot": {"balanced_accuracy": {"median": 0.7584, "iqr": [0.751, 0.763]}},
            "core": {"balanced_accuracy": {"median": 1.0, "iqr": [0.998, 1.0]}},
            "patient": {"balanced_accuracy": {"median": 0.8, "iqr": None}},
            "run_id": "abc",
            "grouping": "tma",
            "n_spots": 4672,
            "nested_design": False,
        },
        "isotopenet": {"spot": {"balanced_accuracy": {"median": None, "iqr": None}}},
    },
    "LP": {"a|b": {"grouping": "spot", "nested_design": True}},
}


def test_result_table_has_numbers_and_says_what_is_missing():
    table = result_table(METRICS)
    assert list(table.columns[:6]) == [
        "task",
        "model",
        "grouping",
        "n_spots",
        "nested",
        "tuning",
    ]
    assert table.loc[0, ["spot", "spot_q1", "core"]].tolist() == [0.7584, 0.751, 1.0]
    shown = readable(table)
    assert shown.loc[0].tolist() == [
        *("ADSQ", "roc_lda", "TMA", "4,672", ".758 (.751–.763)", "1.000 (.998–1.000)", ".800")
    ]
    assert shown.loc[2, "task"] == "LP †" and shown.loc[2, "folds by"] == "spot (optimistic)"
    assert shown.loc[1, ["folds by", "spots", "spot"]].tolist() == ["—"] * 3
    assert (shown.loc[2, ["spot", "core", "patient"]] == "—").all()
    assert result_table({}).empty and list(readable(result_table({})).columns)[:2] == [
        "task",
        "model",
    ]


def test_text_and_markdown():
    shown = readable(result_table(METRICS))
    lines = as_text(shown).splitlines()
    assert lines[0].split() == ["task", "model", "folds", "by", "spots", "spot", "core", "patient"]
    start = lines[0].index("spot ")
    assert lines[2][start:].startswith(".758") and lines[3].startswith("    ")
    assert lines[4].startswith("LP")
    markdown = as_markdown(shown).splitlines()
    assert markdown[1] == "|" + " --- |" * 7
    assert "a\\|b" in markdown[4] and len(markdown) == 5
    said = results_text(METRICS)
    assert ".758 (.751–.763)" in said and NESTED_NOTE in " ".join(said.split())
    assert "†" not in results_text({"ADSQ": METRICS["ADSQ"]}), "no mark, no footnote"
    assert results_text({}) == "no model was evaluated"


def test_listing_and_transfer():
    text = aligned([{"name": "isotopenet", "n": 13935, "field": None}])
    assert "13,935" in text and "—" in text
    assert aligned([]) == "nothing to list"
    there = {"spot": {"balanced_accuracy": {"median": 0.5}}}
    lines = transfer_text("LP", "roc_lda", METRICS["ADSQ"]["roc_lda"], there).splitlines()
    assert lines[4].split() == ["spot", ".758", ".500", "−0.258"]
    assert lines[6].split() == ["patient", ".800", "—", "—"]


def test_natural_order_and_table_cells():
    assert sorted(["TMA10", "TMA2", "slide"], key=natural) == ["TMA2", "TMA10", "slide"]
    html = table_html(pd.DataFrame({"a": [None, "x"], "b": [np.nan, 2.0]}))
    assert "<td class=n></td>" in html and "nan" not in html and "None" not in html


def test_plotly_reads_the_entities_of_safe_text():
    # It knows these by name or number, and would show any other as it is typed.
    assert plain("a<b> & \"c\" 'd'") == "a&lt;b&gt; &amp; &#34;c&#34; &#x27;d&#x27;"


def test_links_stay_on_this_disk_and_are_escaped():
    table = pd.DataFrame({"page": [Link(EVIL, "a b/<x>'\".html"), "—"]})
    html = table_html(table)
    assert '<a href="a%20b/%3Cx%3E%27%22.html">&lt;script&gt;' in html and "—" in html
    for wrong in ("https://example.org", "javascript:alert(1)", "/etc/passwd", "//example.org"):
        with pytest.raises(ValueError, match="relative"):
            Link("x", wrong)
