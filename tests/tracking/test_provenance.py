"""Where a run came from, with and without git and DVC."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from corespot.errors import TrackingError
from corespot.tracking.project import initialise
from corespot.tracking.provenance import dvc_hashes, git_state


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True)


def test_outside_git_the_state_says_so(tmp_path: Path) -> None:
    assert git_state(tmp_path) == {"git_commit": "none", "git_dirty": "unknown"}


def test_a_changed_file_is_dirty_but_what_dvc_rewrites_is_not(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "x")
    (tmp_path / "dvc.lock").write_text("x")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/metrics.json").write_text("{}")
    clean = git_state(tmp_path)
    assert len(clean["git_commit"]) == 40 and clean["git_dirty"] == "false"
    (tmp_path / "code.py").write_text("2")
    assert git_state(tmp_path)["git_dirty"] == "true"


def test_hashes_come_from_the_lock_or_from_added_data(tmp_path: Path) -> None:
    lock = {
        "stages": {
            "old": {"deps": [{"path": "data/store", "md5": "stale"}]},
            "preprocess": {"outs": [{"path": "data/store", "md5": "fresh.dir"}]},
        }
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(lock))
    (tmp_path / "raw.dvc").write_text(yaml.safe_dump({"outs": [{"md5": "added.dir"}]}))
    wanted = {"store": "data/store", "raw": "raw", "other": "nowhere"}
    assert dvc_hashes(tmp_path, wanted) == {
        "store": "fresh.dir",
        "raw": "added.dir",
        "other": "unknown",
    }
    assert dvc_hashes(tmp_path / "empty", {"x": "y"}) == {"x": "unknown"}


def test_initialise_follows_git_both_ways_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(TrackingError, match="run this in a project"):
        initialise(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "params.yaml").write_text("{}")
    assert any("without" in line for line in initialise(tmp_path))
    assert "no_scm = true" in (tmp_path / ".dvc/config.local").read_text()
    assert (tmp_path / "mlruns/mlflow.db").is_file()
    assert initialise(tmp_path) == []
    git(tmp_path, "init", "-q")
    assert initialise(tmp_path) == ["DVC follows git"]
    assert "no_scm = false" in (tmp_path / ".dvc/config.local").read_text()
