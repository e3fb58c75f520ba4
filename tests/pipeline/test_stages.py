"""``dvc.yaml`` names what its scripts use: an edit must never be silently skipped."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
#: Read by every stage, and checked by DVC through its sections of params.yaml.
EVERYWHERE = {"src/corespot/errors.py", "src/corespot/params.py", "src/corespot/io/artifacts.py"}


def definition(stage: str) -> dict[str, object]:
    found: dict[str, object] = STAGES[stage]
    return found.get("do", found)  # type: ignore[return-value]


def imported_files(script: Path) -> set[str]:
    files = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("corespot"):
            files.add("src/" + str(node.module).replace(".", "/") + ".py")
    return files


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_thin_script_of_its_name(stage: str) -> None:
    command = str(definition(stage)["cmd"]).split()
    assert command[:2] == ["python", f"pipelines/{stage}.py"]
    script = ROOT / "pipelines" / f"{stage}.py"
    assert len(script.read_text().splitlines()) <= 40


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_it_imports(stage: str) -> None:
    deps = [str(path) for path in definition(stage)["deps"]]  # type: ignore[attr-defined]
    for file in imported_files(ROOT / "pipelines" / f"{stage}.py") - EVERYWHERE:
        assert any(file == dep or file.startswith(dep + "/") for dep in deps), (
            f"dvc.yaml: {stage} imports {file}, which none of its deps covers"
        )


@pytest.mark.parametrize("stage", STAGES)
def test_named_code_exists(stage: str) -> None:
    for dep in definition(stage)["deps"]:  # type: ignore[attr-defined]
        if str(dep).startswith(("src/", "pipelines/")):
            assert (ROOT / str(dep)).exists(), dep


def test_every_script_is_a_stage() -> None:
    scripts = {path.stem for path in (ROOT / "pipelines").glob("*.py")}
    assert scripts == set(STAGES)


def test_dvc_sees_raw_data_that_was_added(tmp_path: Path) -> None:
    """What git ignores DVC ignores, by a matcher of its own: raw data must reach a push."""
    env = {**os.environ, "DVC_NO_ANALYTICS": "1"}

    def run(*command: str) -> str:
        return subprocess.run(
            command, cwd=tmp_path, env=env, check=True, capture_output=True, text=True
        ).stdout

    dvc = str(Path(sys.executable).parent / "dvc")
    run("git", "init", "-q")
    run(dvc, "init", "-q")
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "data/raw/mine").mkdir(parents=True)
    (tmp_path / "data/raw/mine/spots.csv").write_text("file,x,y,core\n")
    run(dvc, "add", "data/raw/mine")
    run("git", "add", "data/raw/mine.dvc")
    assert "data/raw/mine.dvc" in run(dvc, "dag", "--full")
    ignored = run("git", "status", "--porcelain", "--untracked-files=all")
    assert "spots.csv" not in ignored
