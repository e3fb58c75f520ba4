"""The overview on a real small project: what it shows, filters, and hands on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from app_projects import Launch, html, run_ids
from streamlit.testing.v1 import AppTest

from corespot.review.decision import Decision
from corespot.tracking.decisions import tag_name

HOSTILE = "<script>alert('1')</script> \"*x*\" [y](http://z) ../../x 🧪"

pytestmark = pytest.mark.slow


def client_of(project: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")


def rows(test: AppTest) -> pd.DataFrame:
    return test.dataframe[0].value


def pick(test: AppTest, *places: int) -> AppTest:
    key = next(key for key in test.session_state if str(key).startswith("runs "))
    test.session_state[key] = {"selection": {"rows": list(places), "columns": [], "cells": []}}
    return test.run()


def button(test: AppTest, label: str):
    return next(one for one in test.button if one.label == label)


def test_every_run_is_a_row_with_its_verdict(small_project: Path, launched: Launch) -> None:
    test = launched(small_project, "overview")
    assert not test.exception and not test.error
    ids, table = run_ids(small_project), rows(test)
    assert sorted(table["run"]) == sorted(ids.values())
    by_run = table.set_index("run")
    assert by_run.loc[ids["LP roc_lda"], "verdict"] == "▲ confounded"
    metrics = client_of(small_project).get_run(ids["ADSQ logistic"]).data.metrics
    assert by_run.loc[ids["ADSQ logistic"], "spots"] == metrics["spot_balanced_accuracy"]
    assert by_run["remarks"].str.contains("mitigated").sum() == 1
    assert "flagged:" in html(test) and "LP roc_lda (confounded)" in html(test)


def test_filters_leave_what_they_say(small_project: Path, launched: Launch) -> None:
    test = launched(small_project, "overview")
    box = next(one for one in test.multiselect if one.label == "Task")
    box.set_value(["ADSQ"]).run()
    assert set(rows(test)["task"]) == {"ADSQ"}
    test.text_input[0].set_value("logistic").run()
    assert rows(test)["name"].tolist() == ["ADSQ logistic"]
    test.text_input[0].set_value("(").run()
    assert not test.exception and "No run passes" in test.info[0].value


def test_picked_runs_are_opened(small_project: Path, launched: Launch) -> None:
    test = launched(small_project, "overview")
    assert button(test, "Compare").disabled and button(test, "Decision").disabled
    pick(test, 0)
    assert button(test, "Compare").disabled and not button(test, "Decision").disabled
    wanted = rows(test)["run"].tolist()
    pick(test, 0, 2)
    assert button(test, "Decision").disabled
    button(test, "Compare").click().run()
    assert not test.exception
    assert test.title[0].value == "Compare"
    assert test.query_params["run"] == f"{wanted[0]},{wanted[2]}"


def test_picked_places_are_forgotten_when_other_runs_are_shown(
    small_project: Path, launched: Launch
) -> None:
    test = pick(launched(small_project, "overview"), 0)
    box = next(one for one in test.selectbox if one.label == "Order")
    box.set_value("task, then model").run()
    assert button(test, "Decision").disabled


def test_unfinished_hostile_and_decided_runs_are_rows_like_others(
    own_project: Path, launched: Launch
) -> None:
    client = client_of(own_project)
    experiment = client.get_run(run_ids(own_project)["LP roc_lda"]).info.experiment_id
    tags = {"level": "model", "task": HOSTILE, "model": "no_such_model"}
    running = client.create_run(experiment, run_name=HOSTILE, tags=tags)
    failed = client.create_run(experiment, run_name="failed", tags={"level": "model"})
    client.set_terminated(failed.info.run_id, "FAILED")
    at = datetime(2026, 11, 20, tzinfo=UTC)
    decision = Decision("Ada <b>Lovelace</b>", "reject", "it looks at the baseline", at)
    client.set_tag(failed.info.run_id, tag_name(at), decision.as_text())
    client.set_tag(running.info.run_id, "review.decision.zzz", "{garbage")
    test = launched(own_project, "overview")
    assert not test.exception and not test.error
    table = rows(test).set_index("run")
    assert table.loc[running.info.run_id, ["name", "task"]].tolist() == [HOSTILE, HOSTILE]
    assert table.loc[running.info.run_id, "remarks"] == "still running"
    assert table.loc[running.info.run_id, "decision"] == ""
    assert table.loc[failed.info.run_id, "remarks"] == "failed"
    assert table.loc[failed.info.run_id, "decision"] == "rejected by Ada <b>Lovelace</b>"
    client.set_tag(running.info.run_id, "audit.verdict", "confounded")
    client.set_terminated(running.info.run_id)
    shown = html(launched(own_project, "overview"))
    assert "&lt;script&gt;" in shown and "<script>" not in shown
