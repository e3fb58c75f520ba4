"""The report of runs: every section, numbers as logged, nothing loaded, no code from outside."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.report.audit_folders import write_audit
from tests.report.spot_tables import labelled_spots, predictions_of

from corespot.errors import TrackingError
from corespot.evaluate.summary import evaluate_predictions, fold_table
from corespot.io.artifacts import write_arrays, write_json, write_table
from corespot.review.decision import Decision
from corespot.review.lineage import data_differences, parameter_differences
from corespot.review.metric_tables import metric_table, three
from corespot.review.project import Project
from corespot.review.reported_run import ReportedRun
from corespot.review.run_record import RunRecord
from corespot.review.run_report import report_name, write_report, write_reported
from corespot.tracking.decisions import tag_name
from corespot.tracking.reading import LoggedRun
from corespot.tracking.run_files import RunFiles

HOSTILE = "<script>alert('1')</script>"
DECIDED = Decision(
    f"R{HOSTILE}", "needs_work", f"see {HOSTILE}", datetime(2026, 1, 2, tzinfo=UTC), "d" * 64
)
CLASSES = (f"A{HOSTILE}", 'B "quoted" 😀')
SECTIONS = (
    "Model card",
    "Performance",
    "Folds",
    "Confusion",
    "Calibration",
    "Sensitivity",
    "Audit for confounding",
    "Maps of the tissue",
    "Tuning",
    "Decisions",
    "Data lineage",
)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a whole run, with hostile class and core names."""
    folder = tmp_path_factory.mktemp("artifacts")
    labels = labelled_spots(CLASSES)
    labels["core"] = labels["core"] + "<img src=http://evil>"
    predictions = predictions_of(labels, CLASSES, repeats=1)
    y = labels.set_index("row")["class"].map({name: at for at, name in enumerate(CLASSES)})
    predictions = predictions.assign(y=y.loc[predictions["row"]].to_numpy())
    spots = labels.set_index("row").reindex(range(int(labels["row"].max()) + 1))
    metrics = evaluate_predictions(predictions, spots, CLASSES, n_bootstrap=50)
    write_json(folder / "metrics.json", {**metrics, "n_spots": len(labels), "run_id": "r"})
    tables = folder / "tables"
    write_table(tables / "fold_metrics.parquet", fold_table(predictions, spots, CLASSES))
    write_table(tables / "predictions.parquet", predictions)
    write_table(tables / "spots.parquet", labels)
    write_audit(folder / "audit", classes=CLASSES, task="T", model="conv1d")
    n_bins = 500
    curve = np.sin(np.arange(n_bins) / 9.0)
    arrays = {
        "mz": np.linspace(700.0, 1300.0, n_bins),
        "axis_kind": np.array("tof"),
        "classes": np.array(CLASSES),
        "probability": np.stack([curve, -curve]),
        "logit": np.stack([curve, -curve]),
        "sigma": np.ones(n_bins),
        "n_folds": np.array(2),
        "class_means": np.abs(np.stack([curve, curve])),
    }
    write_arrays(folder / "sensitivity" / "sensitivity.npz", arrays)
    window = {"rank": 1, "mz": 800.0, "low": 799.5, "high": 800.5, "sign": 1, "height": 0.5}
    window |= {"area": 0.5, "fold_sd": 0.1, "shape": "peak", "isotopes": "", "n_isotopes": 0}
    window |= {"marker": "", "marker_offset_da": np.nan, "class": CLASSES[0]}
    write_table(folder / "sensitivity" / "windows.csv", pd.DataFrame([window]))
    return folder


def run_in(folder: Path, run_id: str = "a" * 32, **changes: object) -> LoggedRun:
    tags = {
        "task": "T",
        "model": "conv1d",
        "dvc.store": "store-1.dir",
        "dvc.raw": "raw-1.dir",
        "folds.fingerprint": "f" * 64,
        "git_commit": "c" * 40,
        "git_dirty": "true",
        "tuning": "not tuned",
        tag_name(DECIDED.at): DECIDED.as_text(),
        "review.decision.2026-01-01T00:00:00-y": "no JSON at all",
    }
    known = {
        "run_id": run_id,
        "name": f"N{HOSTILE}",
        "experiment_id": "1",
        "experiment": "demo",
        "status": "FINISHED",
        "deleted": False,
        "started": datetime(2026, 1, 1, tzinfo=UTC),
        "ended": None,
        "artifact_uri": str(folder),
        "tags": {**tags, **dict(changes.pop("tags", {}))},  # type: ignore[call-overload]
        "params": {
            "classes": json.dumps(CLASSES),
            "n_bins": "500",
            "train.epochs": "3",
            **dict(changes.pop("params", {})),  # type: ignore[call-overload]
        },
    }
    return LoggedRun(**{**known, **changes})  # type: ignore[arg-type]


def page_of(tmp_path: Path, *runs: LoggedRun) -> str:
    project = Project(tmp_path)
    reported = [ReportedRun(RunRecord(run, RunFiles(None, run)), project) for run in runs]
    write_reported(tmp_path / "report.html", reported)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def without_plotly(page: str) -> str:
    """The page without the library inside it."""
    return re.sub(r"<script>/\*\*.*?</script>", "", page, count=1, flags=re.S)


def test_a_report_holds_every_section_in_order_and_loads_nothing(
    artifacts: Path, tmp_path: Path
) -> None:
    page = page_of(tmp_path, run_in(artifacts))
    assert re.findall(r"<h2>(.*?)</h2>", page) == list(SECTIONS)
    assert "Missing" not in without_plotly(page)
    assert "default-src 'none'" in page
    assert not re.search(r"<(?:link|iframe|img|object|embed)\b", without_plotly(page))
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", without_plotly(page))


def test_numbers_are_those_of_the_run(artifacts: Path, tmp_path: Path) -> None:
    page = page_of(tmp_path, run_in(artifacts))
    metrics = json.loads((artifacts / "metrics.json").read_text())
    for level in ("spot", "core", "patient"):
        one = metrics[level]["balanced_accuracy"]
        low, high = one["ci95"]
        assert f"{three(one['median'])} [{three(low)}–{three(high)}]" in page
    assert metric_table(metrics).loc[0, "n"] == f"{metrics['spot']['n_units']:,}"
    counts = metrics["spot"]["confusion"]["counts"]
    assert all(f"{value:,}" in page for row in counts for value in row)


def test_text_from_outside_is_shown_and_never_run(artifacts: Path, tmp_path: Path) -> None:
    page = without_plotly(page_of(tmp_path, run_in(artifacts)))
    assert "<script>alert" not in page and "<img" not in page
    for text in ("N&lt;script&gt;", "R&lt;script&gt;", "see &lt;script&gt;", "A&lt;script&gt;"):
        assert text in page
    assert "no JSON at all" in page and "cannot be read" in page
    assert "another than now" not in page  # the run names no audit to compare with


def test_a_decision_on_another_audit_says_so(artifacts: Path, tmp_path: Path) -> None:
    run = run_in(artifacts, tags={"audit.sha256": "e" * 64})
    assert "another than now" in page_of(tmp_path, run)


def test_missing_and_damaged_files_are_named_in_their_place(
    artifacts: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "partial"
    (folder / "audit").mkdir(parents=True)
    (folder / "audit" / "audit.json").write_text("{]")
    (folder / "metrics.json").write_text('{"spot": {"confusion": 3}}')
    run = run_in(folder, status="RUNNING", tags={"model": "unheard_of"})
    page = page_of(tmp_path, run)
    assert re.findall(r"<h2>(.*?)</h2>", page) == list(SECTIONS)
    assert page.count("Missing: ") >= 5
    assert "sensitivity/sensitivity.npz" in page and "still running" in page
    assert "Not audited for confounding" in page
    assert "knows no model of this name" in page


def test_a_run_without_metrics_file_shows_what_mlflow_lists(tmp_path: Path) -> None:
    metrics = {"spot_balanced_accuracy": 0.8125, "spot_balanced_accuracy_ci_low": 0.7}
    metrics |= {"spot_balanced_accuracy_ci_high": 0.9}
    run = run_in(tmp_path / "none", metrics=metrics)
    page = page_of(tmp_path, run)
    # Three decimals as Python rounds them, half to even.
    assert f"{three(0.8125)} [.700–.900]" in page and "metrics.json" in page


def test_a_comparison_tells_in_what_runs_differ(artifacts: Path, tmp_path: Path) -> None:
    first = run_in(artifacts, "a" * 32)
    second = run_in(
        artifacts, "b" * 32, tags={"dvc.store": "store-2.dir"}, params={"train.epochs": "9"}
    )
    page = page_of(tmp_path, first, second)
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings[:3] == ["Verdicts", "Side by side", "Differences"] and len(headings) == 10
    # The runs predict the same, so that nothing differs and the profiles are one.
    assert "paired over" in page and "0.000 to 0.000" in page
    assert "Difference of balanced accuracy" in page and "Sensitivity towards" in page
    assert "store-1.dir" in page and "did not read the same" in page
    assert list(data_differences([first, second])["data"]) == ["spectra store (DVC)"]
    assert list(parameter_differences([first, second])["parameter"]) == ["train.epochs"]
    assert data_differences([first, first]).empty
    assert "<script>alert" not in without_plotly(page)


def test_a_comparison_outlives_a_run_without_files(artifacts: Path, tmp_path: Path) -> None:
    page = page_of(tmp_path, run_in(artifacts), run_in(tmp_path / "gone", "b" * 32))
    assert "not audited" in page and "Missing: " in page


def test_too_many_runs_are_refused(artifacts: Path, tmp_path: Path) -> None:
    runs = [run_in(artifacts, f"{at:032x}") for at in range(7)]
    with pytest.raises(TrackingError, match="one to 6"):
        write_report(tmp_path / "x.html", Project(tmp_path), runs)
    assert not (tmp_path / "x.html").exists()


def test_a_file_name_is_no_path(artifacts: Path) -> None:
    run = run_in(artifacts, tags={"task": "../../x", "model": "a/b"})
    assert report_name([run]) == f"x-a_b-{'a' * 8}.html"
