"""Runs side by side on a real small project: numbers, refusals, missing files."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from app_projects import Launch, html, run_ids
from streamlit.testing.v1 import AppTest

HOSTILE = "<script>alert('1')</script> \"*x*\" [y](http://z) ../../x 🧪"

pytestmark = pytest.mark.slow


def client_of(project: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")


def table_with(test: AppTest, column: str) -> pd.DataFrame:
    return next(one.value for one in test.dataframe if column in one.value)


def told(test: AppTest) -> str:
    shown = [*test.caption, *test.warning, *test.error, *test.info, *test.markdown]
    return " ".join(one.value for one in shown).replace("\\", "")


def copied(project: Path, name: str, tmp_path: Path, *, keep: bool = True) -> str:
    """A second run like one of the project, with files of its own."""
    client = client_of(project)
    source = client.get_run(run_ids(project)[name])
    tags = {k: v for k, v in source.data.tags.items() if not k.startswith("mlflow.")}
    experiment = client.create_experiment("own", artifact_location=str(tmp_path / "own"))
    made = client.create_run(experiment, run_name=HOSTILE, tags=tags)
    for key, value in source.data.params.items():
        client.log_param(made.info.run_id, key, value)
    if keep:
        files = Path(source.info.artifact_uri.removeprefix("file://"))
        shutil.copytree(files, tmp_path / "own" / made.info.run_id / "artifacts")
    return str(made.info.run_id)


def test_two_models_of_a_task_are_paired(small_project: Path, launched: Launch) -> None:
    ids = run_ids(small_project)
    test = launched(small_project, "compare", [ids["ADSQ roc_lda"], ids["ADSQ logistic"]])
    assert not test.exception and not test.error and not test.warning
    assert "paired over 64 patients (833 spots), in the same folds" in told(test)
    differences = table_with(test, "difference")
    assert differences["level"].tolist() == ["spot", "core", "core (mean p)", "patient"]
    assert set(differences["run"]) == {"B  ADSQ logistic"}
    metrics = table_with(test, "metric")
    client = client_of(small_project)
    expected = client.get_run(ids["ADSQ logistic"]).data.metrics["spot_auc"]
    line = metrics[(metrics["level"] == "spot") & (metrics["metric"] == "AUC")]
    assert line["B  ADSQ logistic"].tolist() == [expected]
    spot = differences[differences["level"] == "spot"].iloc[0]
    both = f"{spot['difference']} ({spot['95 % interval']})"
    first = (metrics["level"] == "spot") & (metrics["metric"] == "balanced accuracy")
    assert metrics[first]["B − A"].tolist() == [both]
    assert "train.k" in set(table_with(test, "parameter")["parameter"])
    assert "Correlation of the two profiles" in told(test)
    assert len(test.get("plotly_chart")) == 3


def test_other_metrics_and_references_can_be_chosen(small_project: Path, launched: Launch) -> None:
    ids = run_ids(small_project)
    test = launched(small_project, "compare", [ids["ADSQ roc_lda"], ids["ADSQ logistic"]])
    before = table_with(test, "difference")
    next(one for one in test.selectbox if one.label == "Reference").set_value(1).run()
    after = table_with(test, "difference")
    assert set(after["run"]) == {"A  ADSQ roc_lda"}
    signs = str.maketrans("+−", "−+")
    assert [text.translate(signs) for text in before["difference"]] == after["difference"].tolist()
    next(one for one in test.selectbox if one.label == "Metric").set_value("auc").run()
    assert table_with(test, "difference")["difference"].tolist() != after["difference"].tolist()


def test_different_tasks_are_refused_in_words_and_flags_stand_out(
    small_project: Path, launched: Launch
) -> None:
    ids = run_ids(small_project)
    test = launched(small_project, "compare", [ids["ADSQ roc_lda"], ids["LP roc_lda"]])
    assert not test.exception and not test.error
    assert "different tasks" in told(test) and "were not paired: the classes differ" in told(test)
    assert "B  LP roc_lda ▲" in html(test) and "▲ confounded" in html(test)
    assert "does not make it the better one" in told(test)


def test_one_run_alone_asks_for_another(small_project: Path, launched: Launch) -> None:
    test = launched(small_project, "compare", [run_ids(small_project)["LP roc_lda"]])
    assert not test.exception
    assert "two to six runs" in test.info[0].value


def test_an_empty_m_z_range_is_said(small_project: Path, launched: Launch) -> None:
    ids = run_ids(small_project)
    test = launched(small_project, "compare", [ids["ADSQ roc_lda"], ids["ADSQ logistic"]])
    low = next(one for one in test.number_input if one.label == "m/z from")
    low.set_value(low.max).run()
    assert not test.exception and "range is empty" in told(test)
    low.set_value(1400.0).run()
    high = next(one for one in test.number_input if one.label == "to")
    high.set_value(1420.0).run()
    assert not test.exception and len(test.get("plotly_chart")) == 3


def test_a_run_with_itself_copied_has_no_difference(
    own_project: Path, launched: Launch, tmp_path: Path
) -> None:
    twin = copied(own_project, "LP logistic", tmp_path)
    test = launched(own_project, "compare", [run_ids(own_project)["LP logistic"], twin])
    assert not test.exception and not test.error
    assert set(table_with(test, "difference")["95 % interval"]) == {"0.000 to 0.000"}
    assert "All logged parameters are the same" in told(test)
    assert "&lt;script&gt;" in html(test) and "<script>" not in html(test)


@pytest.mark.parametrize("torn", ["spots", "predictions", "fold_metrics"])
def test_a_torn_table_spoils_its_section_alone(
    own_project: Path, launched: Launch, tmp_path: Path, torn: str
) -> None:
    twin = copied(own_project, "LP logistic", tmp_path)
    (tmp_path / "own" / twin / "artifacts" / "tables" / f"{torn}.parquet").write_bytes(b"PAR1")
    test = launched(own_project, "compare", [run_ids(own_project)["LP logistic"], twin])
    assert not test.exception
    assert f"{torn}.parquet" in told(test)
    assert "Correlation of the two profiles: 1.00" in told(test)


def test_a_running_run_without_files_is_compared_as_far_as_it_goes(
    own_project: Path, launched: Launch, tmp_path: Path
) -> None:
    running = copied(own_project, "LP logistic", tmp_path, keep=False)
    client_of(own_project).set_tag(running, "model", "no_such_model")
    test = launched(own_project, "compare", [run_ids(own_project)["LP logistic"], running])
    assert not test.exception
    assert "still running" in told(test) and "were not paired" in told(test)
    assert "still running" in html(test)


def test_other_data_are_warned_of(own_project: Path, launched: Launch, tmp_path: Path) -> None:
    twin = copied(own_project, "LP logistic", tmp_path)
    client_of(own_project).set_tag(twin, "dvc.store", "f" * 32 + ".dir")
    test = launched(own_project, "compare", [run_ids(own_project)["LP logistic"], twin])
    assert not test.exception
    assert "different versions of the spectra" in told(test)
    assert "spectra store (DVC)" in set(table_with(test, "data")["data"])
    assert "paired over" in told(test)
