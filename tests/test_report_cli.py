"""``corespot report``: which run is meant, where the file goes, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from corespot.cli import main
from corespot.errors import TrackingError
from corespot.review.find_run import find_run
from corespot.review.project import Project
from corespot.tracking.store import prepare_store


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A project with two runs of models and one of a fold; the first trained T/conv1d."""
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text("cohort: data/raw/demo\n")
    # Named outright: MLflow leaves the store of other tests in the environment.
    uri = prepare_store(f"sqlite:///{root}/mlruns/mlflow.db")
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("demo", artifact_location=str(root / "mlruns/artifacts"))
    ids = []
    for model, level in (("conv1d", "model"), ("<b>x", "mitigated model"), ("conv1d", "fold")):
        tags = {"task": "T", "model": model, "level": level}
        run = client.create_run(experiment, run_name=f"T {model}", tags=tags)
        client.set_terminated(run.info.run_id)
        ids.append(str(run.info.run_id))
    trained = root / "data" / "train" / "T" / "conv1d"
    trained.mkdir(parents=True)
    (trained / "run_id.txt").write_text(ids[0] + "\n")
    return root, ids


def run_cli(monkeypatch: pytest.MonkeyPatch, root: Path, *arguments: str) -> int:
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr("sys.argv", ["corespot", "report", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_report_goes_where_it_is_said(
    project: tuple[Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, ids = project
    assert run_cli(monkeypatch, root, "T/conv1d") == 0
    written = root / "reports" / "review" / f"T-conv1d-{ids[0][:8]}.html"
    assert written.is_file() and str(written) in capsys.readouterr().out
    assert "Missing: " in written.read_text(encoding="utf-8")  # the run has no files at all
    both = root / "both.html"
    assert run_cli(monkeypatch, root, ids[0], ids[1][:12], "--out", str(both)) == 0
    page = both.read_text(encoding="utf-8")
    assert "Comparison of 2 runs" in page and "T &lt;b&gt;x" in page


@pytest.mark.parametrize("wanted", ["f" * 32, "T/none", "../../x", "abc", "<script>"])
def test_an_unknown_run_ends_with_code_2_and_suggestions(
    project: tuple[Path, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wanted: str,
) -> None:
    root, _ = project
    assert run_cli(monkeypatch, root, wanted, "--out", "no.html") == 2
    said = capsys.readouterr().err
    assert wanted in said and "Traceback" not in said
    assert not (root / "no.html").exists()


def test_a_run_is_found_by_identifier_beginning_or_task_and_model(
    project: tuple[Path, list[str]],
) -> None:
    root, ids = project
    found = Project(root)
    for text in (ids[0], ids[0][:6], ids[0][:9].upper(), "T/conv1d", f" {ids[0]} "):
        assert find_run(found, text).run_id == ids[0]
    with pytest.raises(TrackingError, match="too short"):
        find_run(found, ids[0][:5])
    with pytest.raises(TrackingError, match="is a fold"):
        find_run(found, ids[2])
    with pytest.raises(TrackingError, match="T/conv1d"):
        find_run(found, "T/conv2d")


def test_a_damaged_pointer_to_a_run_says_so(project: tuple[Path, list[str]]) -> None:
    root, _ = project
    folder = root / "data" / "train" / "T" / "broken"
    folder.mkdir(parents=True)
    (folder / "run_id.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(TrackingError, match="cannot be read"):
        find_run(Project(root), "T/broken")
    (folder / "run_id.txt").write_text("none")
    with pytest.raises(TrackingError, match="no identifier"):
        find_run(Project(root), "T/broken")
