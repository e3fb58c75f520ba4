"""Commands and stages start quickly: what is heavy is imported by those alone that use it."""

from __future__ import annotations

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


def imported(start: str, argv: list[str], cwd: Path) -> set[str]:
    """Heavy modules in a process that has done `start`."""
    code = _CODE.format(start=start, argv=argv, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("--help", set()),
        ("cohort check --help", set()),
        ("tune --help", set()),
        ("relocate /old", set()),
        ("app --help", set()),
        ("results --metrics metrics.json", {"pandas"}),
        ("audit check", {"pandas"}),
        ("cohort check .", {"pandas"}),
    ],
)
def test_commands_import_what_they_need(command: str, allowed: set[str], tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    start = "from corespot.cli import main; main()"
    assert imported(start, ["corespot", *command.split()], tmp_path) <= allowed


#: By stage; those that are not here train, explain or audit models, and need torch.
STAGES = {
    "cohort": {"pandas"},
    "design": {"pandas"},
    "folds": {"pandas"},
    "ingest": {"pandas"},
    "preprocess": {"pandas", "plotly"},
    "report": {"pandas", "plotly"},
    "second": {"pandas"},
    "tune": {"pandas"},
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
