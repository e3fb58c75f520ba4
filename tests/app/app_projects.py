"""A real small project for tests of the app: the demo's cohort with its two fast models."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
import yaml
from filelock import FileLock
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
ROUTER = ROOT / "app" / "router.py"

#: Every view of the app, by its place in an address.
VIEWS = (
    "overview",
    "compare",
    "sensitivity",
    "confounding",
    "tissue",
    "studies",
    "cohort",
    "decision",
)

#: The demo's settings; LP is nested and gets confounded, ADSQ is balanced and is not.
PARAMS = {
    **yaml.safe_load((ROOT / "params.yaml").read_text()),
    "models": ["roc_lda", "logistic"],
    "leakage": {"model": "roc_lda"},
    "train": {"seed": 1, "device": "cpu", "roc_lda": {}, "logistic": {}},
    "tune": {
        "inner": {"k": 3, "repeats": 1},
        "tasks": ["ADSQ"],
        "models": {"roc_lda": {"trials": 5, "space": {"k": ["inner", 5, 20]}}},
    },
    "evaluate": {"bootstrap": 200, "seed": 0},
}


#: ``launched(project, view, runs)`` of the fixture.
Launch = Callable[..., AppTest]


def html(test: AppTest) -> str:
    """All HTML that a page shows; what may hold scripts is ours, and is left out."""
    return "\n".join(
        part.proto.body for part in test.get("html") if not part.proto.unsafe_allow_javascript
    )


def run_ids(project: Path) -> dict[str, str]:
    """Identifier of each model's run, by its name."""
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.level LIKE '%model'")
    return {str(run.info.run_name): run.info.run_id for run in runs}


def small_project_in(shared: Path) -> Path:
    """The project in `shared`, made by whichever process comes first; read only."""
    root = shared / "small-project"
    with FileLock(str(root) + ".lock"):
        if not (root / "made").is_file():
            shutil.rmtree(root, ignore_errors=True)
            _make(root)
            (root / "made").touch()
    return root


def own_project_in(folder: Path, small: Path) -> Path:
    """A project whose runs may be written to; files of runs and stages are those of `small`."""
    for name in ("params.yaml", "dvc.yaml", "dvc.lock"):
        shutil.copy(small / name, folder / name)
    for name in ("data", ".streamlit"):
        (folder / name).symlink_to(small / name)
    (folder / "mlruns").mkdir()
    shutil.copy(small / "mlruns" / "mlflow.db", folder / "mlruns" / "mlflow.db")
    return folder


def command_in(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a project as its user does."""
    return subprocess.run(
        command, cwd=root, env=environment(root), text=True, capture_output=True, timeout=900
    )


def environment(root: Path) -> dict[str, str]:
    """Environment of a user in a project that is no copy of ours: it runs its own code."""
    env = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": f"{(root if (root / 'src').is_dir() else ROOT) / 'src'}{os.pathsep}{ROOT}",
    }
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
        env.pop(name, None)
    return env


def _make(root: Path) -> None:
    (root / "data/second").mkdir(parents=True)
    (root / "data/second/.gitkeep").touch()
    for name in ("dvc.yaml", ".dvcignore", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("src", "pipelines"):
        left = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, root / name, ignore=left)
    shutil.copytree(ROOT / ".streamlit", root / ".streamlit")
    (root / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", root / ".dvc/config")
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False))
    for command in (
        ("corespot", "init"),
        ("dvc", "repro", "report"),
        ("corespot", "mitigate", "LP", "logistic", "--with", "peak_list"),
    ):
        done = command_in(root, *command)
        if done.returncode != 0:
            pytest.fail(f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
