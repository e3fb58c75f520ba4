"""Verdicts stand beside the results: on the pages, in Markdown, in the terminal, for programs."""

from __future__ import annotations

import re

import pytest
from audit_folders import NOT, write_audit
from test_report_run import TASK, write_run

from corespot.errors import StoreError
from corespot.io.artifacts import read_json, write_json
from corespot.report.audit_page import write_audit_page
from corespot.report.audit_summary import audit_summary
from corespot.report.audit_view import read_audit
from corespot.report.collect import collect_run
from corespot.report.headline import headline_metrics
from corespot.report.overview import page_links, results_markdown, write_overview
from corespot.report.run_page import write_run_page
from corespot.report.tables import as_text, readable, result_table
from corespot.report.terminal import results_text

MODELS = ["roc_lda", "resnet_patch"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two models on one task: one confounded, with its page; one audited without a number."""
    root = tmp_path_factory.mktemp("project")
    write_run(root / "data", models=MODELS)
    folder = root / "data" / "audit" / "T"
    write_audit(folder / "roc_lda", model="roc_lda")
    write_audit_page(folder / "roc_lda", read_audit(folder / "roc_lda"))
    write_audit(folder / "resnet_patch", model="resnet_patch", applies=False, verdict="suspect")
    return root


@pytest.fixture(scope="module")
def run(project):
    return collect_run(project / "data", "data/raw/x", tasks=TASK, models=MODELS)


def test_the_terminal_shows_verdict_and_share(run):
    said = results_text(run.metrics)
    lines = said.splitlines()
    assert lines[2].split()[-1] == "verdict"
    assert lines[4].endswith("▲ confounded, 47 %") and lines[5].endswith("▲ suspect")
    assert "no verdict certifies one" in " ".join(said.split())


def test_a_run_that_was_not_audited_has_no_column_for_it():
    metrics = {"T": {"a": {"grouping": "tma"}}}
    assert "verdict" not in readable(result_table(metrics))
    assert "certifies" not in results_text(metrics)
    metrics["T"]["b"] = {"audit": {"verdict": "no_evidence", "artifact_share": 0.04}}
    lines = as_text(readable(result_table(metrics))).splitlines()
    assert lines[2].endswith("—") and lines[3].endswith("– no evidence, 4 %")


def test_markdown_sets_flags_in_bold_and_lets_no_markup_through(run):
    found = results_markdown(run)
    assert "| T | roc_lda | **▲ confounded** | 47 % | model on T: tied to &lt;AD&gt; |" in found
    assert "| **▲ suspect** | — |" in found and "<AD>" not in found


def test_the_overview_shows_badges_and_leads_to_the_page(run, project):
    folder = project / "reports" / "figures"
    folder.mkdir(parents=True)
    write_overview(folder, run)
    page = (folder / "index.html").read_text(encoding="utf-8")
    body = page[page.index("<body>") :]
    assert body.count('<span class="verdict confounded"') == 1
    assert body.count('<span class="verdict suspect"') == 1
    href = "../../data/audit/T/roc_lda/audit.html"
    assert f'href="{href}"' in body and (folder / href).is_file()
    assert "data/audit/T/resnet_patch" not in body, "there is no page"
    links = page_links(run, "../../data")["audit"].tolist()
    assert links[0].href == href and links[1] == "—"


def test_the_page_of_a_run_shows_the_card_and_leads_on(run, project):
    folder = project / "reports" / "figures" / "T" / "roc_lda"
    folder.mkdir(parents=True)
    write_run_page(folder, run, "T", "roc_lda")
    page = (folder / "performance.html").read_text(encoding="utf-8")
    assert "▲ confounded" in page and "it cannot say &lt;this&gt;" in page
    (href,) = re.findall(r'href="([^"]*audit.html)"', page)
    assert (folder / href).is_file()


def test_what_programs_read_is_all_there(run, project):
    found = audit_summary(run.audits)
    write_json(project / "audit.json", found)
    assert read_json(project / "audit.json") == found
    one = found["T"]["roc_lda"]
    assert (one["verdict"], one["artifact_share"], one["V"]) == ("confounded", 0.47, 0.8)
    assert one["parts"] == {
        **{"off_peak": 0.3, "gain": 0.1, "calibration": None, "resolution": None},
        "non_peptide": 0.04,
    }
    assert one["leakage"]["tma"]["by_class"]["AD"] == {"leakage": 0.2, "p": 0.01}
    assert one["leakage"]["scanner <x>"] == NOT
    assert one["negative_controls"][3] == {"model": 0.9, "off_peak": 0.73, "nuisance": 0.8}
    assert one["thresholds"]["non_peptide"] == 0.15 and one["error_rates"]["n"] == 50
    assert one["not_applicable"]["resolution"] == NOT["not_applicable"]
    assert one["run_id"] == "0123abc"
    other = found["T"]["resnet_patch"]
    assert other["artifact_share"] is None and other["negative_controls"][0]["off_peak"] == NOT


def test_the_headline_has_the_share_where_it_is_known(run):
    found = headline_metrics(run)["T"]
    assert found["roc_lda"]["artifact_share"] == 0.47
    assert "artifact_share" not in found["resnet_patch"]


def test_a_damaged_audit_stops_the_report(tmp_path):
    write_run(tmp_path, models=["roc_lda"])
    (tmp_path / "audit" / "T" / "roc_lda").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"audit.json is missing"):
        collect_run(tmp_path, "x", tasks=TASK, models=["roc_lda"])
