"""What was tuned is told wherever its figures stand, and optimistic tuning is called so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from test_report_run import TASK, write_run

from corespot.io.artifacts import write_json
from corespot.report.collect import collect_run
from corespot.report.design_parts import associations
from corespot.report.overview import results_markdown, write_overview
from corespot.report.run_page import about
from corespot.report.run_sections import ModelRun
from corespot.report.tables import readable, result_table
from corespot.report.terminal import results_text
from corespot.report.tuning_page import gains_table, write_tuning_page
from corespot.report.tuning_summary import tuning_summary

FOLD = {
    "repeat": 0,
    "fold": 1,
    "study": "T roc_lda repeat0-fold1 abc",
    "run_id": "r",
    "inner_folds": 6,
    "inner_grouping": "tma",
    "trials": 12,
    "pruned": 1,
    "pruned_early": 3,
    "failed": 0,
    "inner_fits": 50,
    "seconds": 3.5,
    "best_value": 0.912,
    "published_value": 0.9,
    "published_adapted": {},
    "configured_value": None,
    "gain": 0.012,
    "settings": {"k": 20},
}
TUNED = {
    "task": "T",
    "model": "roc_lda",
    "trials": 12,
    "nested": True,
    "metric": "spot balanced accuracy",
    "sampler": "tpe",
    "pruner": "wilcoxon",
    "note": "tuned inside the training part of each fold",
    "folds": [FOLD],
}
METRICS = {"spot": {"balanced_accuracy": {"median": 0.9}}, "run_id": "r"}


def test_the_summary_holds_what_was_promised_and_leaves_out_what_was_not_tuned(tmp_path):
    write_run(tmp_path / "data")
    write_json(tmp_path / "data/tune/T/roc_lda/tuned.json", TUNED)
    summary = tuning_summary(tmp_path / "data", ["T"], ["roc_lda", "resnet_patch"])
    assert list(summary["T"]) == ["roc_lda"]
    (fold,) = summary["T"]["roc_lda"]["folds"]
    assert {"trials", "pruned", "best_value", "published_value", "gain"} <= set(fold)


def test_overview_and_markdown_show_gains(tmp_path):
    write_run(tmp_path / "data")
    write_json(tmp_path / "data/tune/T/roc_lda/tuned.json", TUNED)
    run = collect_run(tmp_path / "data", "c", tasks=TASK, models=["roc_lda", "resnet_patch"])
    write_overview(tmp_path, run)
    page = (tmp_path / "index.html").read_text()
    assert "+0.012" in page and "tune/T/roc_lda/tuning.html" in page
    assert "| T | roc_lda | repeat 0, fold 1 | 12 | 4 | .900 | .912 | +0.012 |" in results_markdown(
        run
    )


@pytest.mark.parametrize(
    ("kind", "mark", "warned"), [("nested", " (tuned)", False), ("hold-in", " (tuned ‡)", True)]
)
def test_the_result_table_marks_tuned_models(kind, mark, warned):
    metrics = {"T": {"roc_lda": {**METRICS, "tuning": {"kind": kind}}, "plain": METRICS}}
    shown = readable(result_table(metrics))
    assert shown["model"].tolist() == [f"roc_lda{mark}", "plain"]
    assert ("are optimistic" in " ".join(results_text(metrics).split())) == warned


def test_the_models_own_page_says_where_its_settings_come_from(tmp_path):
    write_run(tmp_path / "data")
    run = collect_run(tmp_path / "data", "c", tasks=TASK, models=["roc_lda", "resnet_patch"])
    told = about(ModelRun(run, "T", "roc_lda")).set_index("")["value"]
    assert told["settings"] == "as in params.yaml"


def test_the_page_of_a_study_tells_gains_reasons_and_optimism(tmp_path):
    trials = pd.DataFrame(
        {
            "study": FOLD["study"],
            "number": [0, 1],
            "state": ["complete", "pruned early"],
            "value": [0.9, np.nan],
            "inner_folds": ["{}", '{"0": 0.5}'],
            "reason": ["", "it <loses>"],
        }
    )
    figures = [{"history": go.Figure(go.Scatter(y=[1, 2]))}]
    write_tuning_page(tmp_path / "t.html", TUNED, trials, figures)
    page = (tmp_path / "t.html").read_text()
    assert "it &lt;loses&gt;" in page and "Optimistic:" not in page
    assert gains_table(TUNED)["gain"].tolist() == ["+0.012"]
    write_tuning_page(tmp_path / "t.html", {**TUNED, "nested": False}, trials, figures)
    assert "Optimistic:" in (tmp_path / "t.html").read_text()


def test_the_overview_tells_what_the_design_cannot_separate(tmp_path):
    write_run(tmp_path / "data")
    run = collect_run(tmp_path / "data", "c", tasks=TASK, models=["roc_lda", "resnet_patch"])
    write_overview(tmp_path, run)
    page = (tmp_path / "index.html").read_text()
    assert "Class SQ occurs on TMA2 only." in page and "Measure two cores of SQ on TMA1." in page
    assert "V): 0.94" in page
    assert associations(run.design["T"])["goes with the label"].tolist() == ["tma"]
