"""The MLflow store: made once, moved with its project."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from corespot.errors import TrackingError
from corespot.tracking.runs import reopen_run, start_run
from corespot.tracking.store import prepare_store, relocate, resolve_uri


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def test_uri_is_the_real_projects_store_even_in_a_copy(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("copy"))
    assert resolve_uri(None) == f"sqlite:///{root}/mlruns/mlflow.db"
    assert resolve_uri("http://127.0.0.1:5000") == "http://127.0.0.1:5000"


def test_a_run_with_children_is_stored_beside_the_database(root: Path) -> None:
    (root / "note.txt").write_text("kept")
    with start_run("ADSQ demo", experiment="demo", tags={"task": "ADSQ"}) as run:
        run.params({"folds": {"group": "tma", "k": 4}})
        run.metrics({"spot_balanced_accuracy": 0.8, "absent": None, "bad": float("nan")})
        run.artifact(root / "note.txt", "notes")
        with run.child("fold 0", {"level": "fold"}) as child:
            child.metric_rows([(epoch, {"loss": 1.0 / epoch}) for epoch in range(1, 6)])
    client = run.client
    stored = client.get_run(run.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"folds.group": "tma", "folds.k": "4"}
    assert stored.data.metrics == {"spot_balanced_accuracy": 0.8}
    assert (root / "mlruns/artifacts/demo" / run.run_id / "artifacts/notes/note.txt").is_file()
    children = client.search_runs([run.experiment], f"tags.`mlflow.parentRunId` = '{run.run_id}'")
    assert [one.info.status for one in children] == ["FINISHED"]
    assert len(client.get_metric_history(children[0].info.run_id, "loss")) == 5
    with sqlite3.connect(root / "mlruns/mlflow.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_failing_stage_leaves_a_failed_run(root: Path) -> None:
    with pytest.raises(ZeroDivisionError), start_run("x", experiment="demo", tags={}) as run:
        1 / 0  # noqa: B018
    assert run.client.get_run(run.run_id).info.status == "FAILED"


def test_an_unknown_run_is_not_reopened(root: Path) -> None:
    assert reopen_run("0" * 32) is None


def test_a_moved_project_finds_its_artifacts_again(root: Path, tmp_path: Path) -> None:
    with start_run("x", experiment="demo", tags={}) as run:
        pass
    database = root / "mlruns/mlflow.db"
    assert relocate(database, str(root), "/elsewhere") >= 2
    with sqlite3.connect(database) as connection:
        uri = connection.execute("SELECT artifact_uri FROM runs").fetchone()[0]
    assert uri == f"file:///elsewhere/mlruns/artifacts/demo/{run.run_id}/artifacts"
    assert relocate(database, "/else", "/wrong") == 0


def test_relocating_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match=r"mlflow\.db"):
        relocate(tmp_path / "mlflow.db", "/a", "/b")


def test_a_broken_database_is_named(root: Path) -> None:
    (root / "mlruns").mkdir()
    (root / "mlruns/mlflow.db").write_text("this is not a database, " * 100)
    with pytest.raises(TrackingError, match="cannot be opened"):
        prepare_store()


@pytest.mark.slow
def test_processes_that_start_at_once_share_a_sound_store(root: Path) -> None:
    code = (
        "from corespot.tracking.runs import start_run\n"
        "with start_run('r', experiment='demo', tags={}) as run: run.metrics({'m': 1.0})"
    )
    workers = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors.decode()[-2000:]
    import mlflow

    client = mlflow.MlflowClient(resolve_uri(None))
    demo = client.get_experiment_by_name("demo")
    assert demo is not None
    assert len(client.search_runs([demo.experiment_id])) == 3
