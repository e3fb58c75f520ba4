"""The command line as a user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent


def corespot(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "corespot"), *arguments],
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_models_are_listed_with_their_published_sizes(tmp_path: Path) -> None:
    result = corespot("models", "--json", cwd=tmp_path)
    listed = {one["name"]: one for one in json.loads(result.stdout)}
    assert listed["isotopenet"]["n_parameters"] == 13_935
    assert listed["residualnet"]["n_parameters"] == 2_132_130
    assert "roc_lda" in listed
    assert all(one["source"] for one in listed.values())
    plain = corespot("models", "--n-bins", "6400", cwd=tmp_path)
    assert plain.returncode == 0 and "isotopenet" in plain.stdout


def test_an_axis_too_short_for_a_network_is_said(tmp_path: Path) -> None:
    result = corespot("models", "--n-bins", "3", cwd=tmp_path)
    assert "Traceback" not in result.stderr
    assert result.returncode in (0, 2)


def test_synth_then_check_then_break(tmp_path: Path) -> None:
    made = corespot("synth", "tiny", "cohort", "--seed", "5", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    checked = corespot("cohort", "check", "cohort", cwd=tmp_path)
    assert checked.returncode == 0 and "spots" in checked.stdout
    report = json.loads(corespot("cohort", "check", "cohort", "--json", cwd=tmp_path).stdout)
    assert report["ok"] and report["problems"] == []
    again = corespot("synth", "tiny", "cohort", cwd=tmp_path)
    assert again.returncode == 2 and "Traceback" not in again.stderr
    next((tmp_path / "cohort").glob("*.ibd")).unlink()
    broken = corespot("cohort", "check", "cohort", cwd=tmp_path)
    assert broken.returncode == 2 and "missing-ibd" in broken.stdout
    assert "Traceback" not in broken.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synth", "dmo", "x"], "did you mean 'demo'"),
        (["results"], "metrics.json is missing"),
        (["init"], "run this in a project"),
        (["transfer", "T", "m", "x"], "params.yaml"),
        (["relocate", "/old"], "mlflow.db does not exist"),
        (["cohort", "check", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_exit_2_and_a_message(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = corespot(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_help_does_not_import_torch(tmp_path: Path) -> None:
    code = "import sys, corespot.cli; print('torch' in sys.modules, 'pandas' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert result.stdout.split() == ["False", "False"]
