"""Commands and stages start quickly: what is heavy is imported by those alone that use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

HEAVY = ("torch", "mlflow", "optuna", "plotly", "pandas", "scipy", "sklearn", "numba", "streamlit")

_CODE = """
import runpy, sys
sys.argv = {argv!r}
try:
    {start}
except SystemExit:
    pass
print("HEAVY", *sorted(set({heavy!r}) & set(sys.modules)))
"""
_COMMAND_LINE = "from corespot.cli import main; main()"
#: Every help there is, in one process.
_EVERY_HELP = """
import contextlib, io, sys
import typer
from corespot.cli import app
def helped(command, *path):
    for name, below in getattr(command, "commands", {{}}).items():
        helped(below, *path, name)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        typer.main.get_command(app)([*path, "--help"])
    print("helped", *path)
helped(typer.main.get_command(app))
print("HEAVY", *sorted(set({heavy!r}) & set(sys.modules)))
"""


def said(code: str, cwd: Path) -> list[str]:
    """Lines that a process says."""
    # MLflow leaves the store of an earlier test there, and its champions would be read.
    env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def imported(start: str, argv: list[str], cwd: Path, *, says: str = "") -> set[str]:
    """Heavy modules in a process that has done `start`, and has said `says`."""
    *lines, last = said(_CODE.format(start=start, argv=argv, heavy=HEAVY), cwd)
    assert says in "\n".join(lines)
    return set(last.split()[1:])


@pytest.mark.parametrize(
    ("command", "says", "allowed"),
    [
        ("--help", "Usage", set()),
        ("models", "isotopenet", set()),
        ("validate", "is sound", set()),
        ("results --metrics metrics.json", ".758 (.751–.763)", set()),
        ("audit show", "", set()),
        ("audit check", "", set()),
        ("relocate /old", "", set()),
        ("cohort check .", "", {"pandas"}),
        ("cohort audit .", "", {"pandas"}),
        ("review check", "", {"pandas", "mlflow"}),
    ],
)
def test_commands_import_what_they_need(
    command: str, says: str, allowed: set[str], tmp_path: Path
) -> None:
    spot = {"balanced_accuracy": {"median": 0.7584, "iqr": [0.751, 0.763]}}
    (tmp_path / "metrics.json").write_text(json.dumps({"ADSQ": {"roc_lda": {"spot": spot}}}))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    argv = ["corespot", *command.split()]
    assert imported(_COMMAND_LINE, argv, tmp_path, says=says) <= allowed


def test_no_help_imports_anything_heavy(tmp_path: Path) -> None:
    *helped, last = said(_EVERY_HELP.format(heavy=HEAVY), tmp_path)
    assert {"helped models", "helped audit calibrate", "helped promote"} <= set(helped)
    assert last == "HEAVY"


#: By stage; those that are not here train, explain or audit models, and need torch.
STAGES = {
    "cohort": {"pandas"},
    "design": {"pandas"},
    "folds": {"pandas"},
    "ingest": {"pandas"},
    "preprocess": {"pandas", "plotly"},
    "report": {"pandas", "plotly"},
    "second": {"pandas"},
    "tune": set(),
}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_stages_import_what_they_need(stage: str, tmp_path: Path) -> None:
    start = f"runpy.run_path({str(ROOT / 'pipelines' / f'{stage}.py')!r}, run_name='imported')"
    assert imported(start, [stage], tmp_path) <= STAGES[stage]


@pytest.mark.parametrize(
    "stage", sorted({path.stem for path in (ROOT / "pipelines").glob("*.py")} - set(STAGES))
)
def test_no_stage_imports_mlflow_or_the_kernels_before_it_works(stage: str, tmp_path: Path) -> None:
    start = f"runpy.run_path({str(ROOT / 'pipelines' / f'{stage}.py')!r}, run_name='imported')"
    assert not imported(start, [stage], tmp_path) & {"mlflow", "numba", "streamlit"}
