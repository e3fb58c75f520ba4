"""Files of runs: in place on this disk, fetched from a server, and told where they are missing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from corespot.errors import StoreError, TrackingError
from corespot.tracking.reading import LoggedRun, child_runs, find_runs, read_run, reading_client
from corespot.tracking.run_files import RunFiles
from corespot.tracking.store import prepare_store, project_root


def make_run(uri: str, folder: Path, **tags: str) -> str:
    client = mlflow.MlflowClient(uri)
    known = client.get_experiment_by_name("study")
    experiment = known.experiment_id if known else client.create_experiment("study")
    run = client.create_run(experiment, run_name="<b>one</b>", tags={"level": "model", **tags})
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    (folder / "tables" / "a.txt").write_text("content")
    client.log_artifacts(run.info.run_id, str(folder))
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


@pytest.fixture
def local(tmp_path: Path) -> tuple[str, str]:
    uri = prepare_store(f"sqlite:///{tmp_path}/mlflow.db")
    client = mlflow.MlflowClient(uri)
    client.create_experiment("study", artifact_location=(tmp_path / "files").as_uri())
    return uri, make_run(uri, tmp_path / "logged", task="A", model="m")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    command += ["--artifacts-destination", str(tmp_path / "kept"), "--serve-artifacts"]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    address = f"http://127.0.0.1:{port}"
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            for _ in range(200):
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.3)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def test_files_on_this_disk_are_read_in_place(local: tuple[str, str], tmp_path: Path) -> None:
    client = reading_client(local[0])
    files = RunFiles(client, read_run(client, local[1]))
    assert files.file("tables/a.txt").read_text() == "content"
    assert files.file("tables/a.txt").is_relative_to(tmp_path / "files")
    assert files.folder("tables").is_dir()
    assert files.has("tables") and not files.has("tables/b.txt")


def test_a_missing_file_is_named_with_the_run_and_the_reason(local: tuple[str, str]) -> None:
    client = reading_client(local[0])
    run = read_run(client, local[1])
    with pytest.raises(StoreError, match=r"<b>one</b>.*has no metrics.json.*not logged"):
        RunFiles(client, run).file("metrics.json")
    client.delete_run(run.run_id)
    deleted = read_run(client, run.run_id)
    assert deleted.deleted
    with pytest.raises(StoreError, match="was deleted"):
        RunFiles(client, deleted).folder("audit")


@pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", "tables/../../../x"])
def test_no_path_leaves_the_run(local: tuple[str, str], path: str) -> None:
    client = reading_client(local[0])
    with pytest.raises(StoreError, match="not a path within a run"):
        RunFiles(client, read_run(client, local[1])).file(path)


def test_only_runs_of_whole_models_are_found_newest_first(
    local: tuple[str, str], tmp_path: Path
) -> None:
    uri, first = local
    second = make_run(uri, tmp_path / "logged", level="mitigated model", mitigation="way")
    make_run(uri, tmp_path / "logged", level="fold", **{"mlflow.parentRunId": first})
    client = reading_client(uri)
    found = find_runs(client)
    assert [run.run_id for run in found] == [second, first]
    assert found[1].task == "A" and found[1].experiment == "study"
    assert [child.tags["level"] for child in child_runs(client, found[1])] == ["fold"]


def test_a_name_stays_one_line_without_control_characters(local: tuple[str, str]) -> None:
    client = reading_client(local[0])
    client.update_run(local[1], name="ADSQ\n  passed   verdict\x1b[2J  x")
    assert read_run(client, local[1]).name == "ADSQ passed verdict [2J x"


@pytest.mark.parametrize("run_id", ["<script>", "0" * 32, "", "a'b"])
def test_a_run_that_is_not_there_is_told(local: tuple[str, str], run_id: str) -> None:
    with pytest.raises(TrackingError, match="there is no run"):
        read_run(reading_client(local[0]), run_id)


def test_reading_makes_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrackingError, match="make run"):
        reading_client()
    assert not list(project_root().iterdir())


@pytest.mark.slow
def test_files_of_a_server_are_fetched(server: str, tmp_path: Path) -> None:
    run_id = make_run(server, tmp_path / "logged", task="A", model="m")
    client = reading_client(server)
    run: LoggedRun = find_runs(client)[0]
    assert run.run_id == run_id and run.artifact_uri.startswith("mlflow-artifacts:")
    files = RunFiles(client, run)
    assert files.file("tables/a.txt").read_text() == "content"
    assert [file.name for file in files.folder("tables").iterdir()] == ["a.txt"]
    assert not files.has("audit")
    with pytest.raises(StoreError, match=r"metrics\.json"):
        files.file("metrics.json")
    with pytest.raises(StoreError):
        files.file("../../server.db")
