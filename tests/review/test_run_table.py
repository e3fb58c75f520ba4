"""The table of runs: what is taken from MLflow, filtered, ordered and counted."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from corespot.report.run_overview import overview_styles, overview_table
from corespot.review.decision import Decision
from corespot.review.run_table import (
    NOT_AUDITED,
    ORDERS,
    RunFilter,
    filtered,
    flag_count,
    latest_of_each,
    ordered,
    run_table,
)
from corespot.tracking.decisions import tag_name
from corespot.tracking.reading import LoggedRun

START = datetime(2026, 11, 1, tzinfo=UTC)
HOSTILE = "<script>alert('1')</script> \"*x*\" ../../x 🧪"


def logged(number: int, task="LP", model="roc_lda", verdict="confounded", **given) -> LoggedRun:
    tags = {
        "task": task,
        "model": model,
        "dvc.store": "0123456789abcdef.dir",
        "optimistic": "false",
    }
    if verdict:
        tags["audit.verdict"] = verdict
    metrics = {"spot_balanced_accuracy": 0.9, "audit.artifact_share": 0.5, "train_test_gap": 0.03}
    return LoggedRun(
        run_id=f"{number:032x}",
        name=given.get("name", f"{task} {model}"),
        experiment_id="1",
        experiment=given.get("cohort", "demo"),
        status=given.get("status", "FINISHED"),
        deleted=False,
        started=START + timedelta(hours=number),
        ended=None,
        artifact_uri="",
        tags={**tags, **given.get("tags", {})},
        metrics={**metrics, **given.get("metrics", {})},
    )


def test_every_figure_is_that_of_the_run() -> None:
    metrics = {
        "spot_balanced_accuracy": 0.81,
        "spot_balanced_accuracy_iqr_low": 0.7,
        "spot_balanced_accuracy_ci_high": 0.88,
        "core_balanced_accuracy": 0.9,
        "patient_balanced_accuracy": 0.95,
        "audit.grouping_gap": 0.02,
    }
    row = run_table([logged(1, metrics=metrics)]).iloc[0]
    assert (row["spot"], row["spot_q1"], row["spot_high"]) == (0.81, 0.7, 0.88)
    assert (row["core"], row["patient"], row["leakage_gap"]) == (0.9, 0.95, 0.02)
    assert (row["train_test_gap"], row["artifact_share"], row["data"]) == (0.03, 0.5, "01234567")
    assert row["started"] == START + timedelta(hours=1)
    assert np.isnan(row["spot_q3"]) and row["flagged"]


def test_a_run_that_logged_nothing_is_a_row_all_the_same() -> None:
    bare = LoggedRun("a", HOSTILE, "1", "", "RUNNING", False, None, None, "")
    row = run_table([bare]).iloc[0]
    assert (row["verdict"], row["flagged"], row["decision"]) == (NOT_AUDITED, False, "")
    assert np.isnan(row["spot"]) and row["name"] == HOSTILE
    assert overview_table(run_table([bare]))["remarks"].tolist() == ["still running"]
    unknown = logged(1, verdict="splendid", tags={"audit.verdict": "splendid"})
    assert run_table([unknown])["verdict"].tolist() == [NOT_AUDITED]


def test_the_latest_decision_counts_and_garbage_does_not() -> None:
    tags = {"review.decision.zzz": "{not json", "review.status": "approve"}
    for day, word in ((1, "approve"), (3, "reject"), (2, "needs_work")):
        at = datetime(2026, 11, day, tzinfo=UTC)
        tags[tag_name(at)] = Decision("Ada <b>", word, "well seen and said", at).as_text()
    table = run_table([logged(1, tags=tags)])
    assert overview_table(table)["decision"].tolist() == ["rejected by Ada <b>"]
    broken = {"review.decision.1": json.dumps({"decision": "approve"})}
    assert run_table([logged(1, tags=broken)])["decision"].tolist() == [""]


def test_standing_in_the_registry_is_that_of_the_run() -> None:
    table = run_table([logged(2), logged(1)], {logged(1).run_id: ("candidate", "champion")})
    assert table["registry"].tolist() == ["", "candidate, champion"]


def test_filters_pass_what_they_say_and_text_is_no_pattern() -> None:
    table = run_table(
        [
            logged(4, "LP", "roc_lda", name=HOSTILE),
            logged(3, "ADSQ", "conv1d", "no_evidence", cohort="other"),
            logged(2, "ADSQ", "roc_lda", ""),
        ]
    )

    def ids(**wanted):
        return [int(run, 16) for run in filtered(table, RunFilter(**wanted))["run_id"]]

    assert ids() == [4, 3, 2]
    assert ids(tasks=["ADSQ"]) == [3, 2]
    assert ids(tasks=["ADSQ"], models=["roc_lda"]) == [2]
    assert ids(verdicts=[NOT_AUDITED, "confounded"]) == [4, 2]
    assert ids(cohorts=["other"]) == [3]
    assert ids(data=["none"]) == []
    assert ids(text="../../X 🧪") == [4]
    assert ids(text="(") == [4]
    assert ids(text="CONV adsq") == [3]


def test_latest_of_each_prefers_what_finished_and_keeps_mitigated_runs_apart() -> None:
    table = run_table(
        [
            logged(5, status="RUNNING", verdict=""),
            logged(4),
            logged(3),
            logged(2, tags={"mitigation": "penalty"}),
            logged(1, "ADSQ", status="FAILED"),
        ]
    )
    assert [int(run, 16) for run in latest_of_each(table)["run_id"]] == [4, 2, 1]


def test_count_is_of_models_and_names_the_gravest_first() -> None:
    runs = [
        logged(4, "A", verdict="suspect"),
        logged(3, "B", verdict="confounded"),
        logged(2, "B", verdict="no_evidence"),
        logged(1, "C", verdict=""),
    ]
    count = flag_count(run_table(runs))
    assert (count.n_models, count.n_audited) == (3, 2)
    assert count.flagged == (("B roc_lda", "confounded"), ("A roc_lda", "suspect"))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("newest first", [3, 2, 1]),
        ("task, then model", [2, 3, 1]),
        ("gravest verdict first", [1, 2, 3]),
        ("highest accuracy first", [1, 3, 2]),
    ],
)
def test_orders(order: str, expected: list[int]) -> None:
    table = run_table(
        [
            logged(1, "LP", metrics={"spot_balanced_accuracy": 0.99}),
            logged(2, "ADSQ", verdict="suspect", metrics={"spot_balanced_accuracy": np.nan}),
            logged(3, "ADSQ", "xnet", "no_evidence"),
        ]
    )
    assert [int(run, 16) for run in ordered(table, order)["run_id"]] == expected
    assert order in ORDERS


def test_flagged_rows_are_toned_and_every_verdict_has_colour_and_word() -> None:
    rows = overview_table(
        run_table(
            [
                logged(1, tags={"optimistic": "true", "mitigation": "penalty"}),
                logged(2, verdict="no_evidence"),
                logged(3, verdict=""),
            ]
        )
    )
    styles = overview_styles(rows)
    assert rows["verdict"].tolist() == ["▲ confounded", "– no evidence", NOT_AUDITED]
    assert rows["remarks"].tolist() == ["optimistic folds; mitigated: penalty", "", ""]
    assert rows.columns.get_loc("remarks") < rows.columns.get_loc("spots")
    assert "background-color" in styles.loc[0, "name"] and styles.loc[1, "name"] == ""
    assert styles.loc[0, "verdict"] != styles.loc[1, "verdict"] != ""
    assert styles.loc[2, "verdict"] == ""


def test_an_empty_project_gives_an_empty_table() -> None:
    table = run_table([])
    assert len(filtered(table, RunFilter(text="x", latest=True))) == 0
    assert flag_count(table).n_models == 0
    assert len(overview_table(table)) == 0


def test_500_runs_take_less_than_a_quarter_of_a_second() -> None:
    runs = [logged(number, name=f"run {number}") for number in range(500)]
    start = time.process_time()
    table = filtered(run_table(runs), RunFilter(text="run"))
    overview_styles(overview_table(table))
    assert time.process_time() - start < 0.25
