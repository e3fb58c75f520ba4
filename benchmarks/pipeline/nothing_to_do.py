"""`dvc repro` where nothing has to be done: as it is, and with its YAML parsed in Python.

    python -m benchmarks.pipeline.nothing_to_do [--quick] [--project FOLDER]

FOLDER is a finished project (`make run`); without one, a project of small stages is made, whose
lock file is as long. DVC reads params.yaml once a stage and the lock file twice, so that parsing
is most of what it does; `ruamel.yaml.clib` does it in C.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.side_by_side import Row, side_by_side, table

_N_STAGES = 28
_DEPS_A_STAGE = 10
_REPRO = "from dvc.cli import main; raise SystemExit(main(['repro', '--quiet']))"
#: What an environment without ruamel.yaml.clib does.
_IN_PYTHON = "import sys; sys.modules['_ruamel_yaml'] = None; "
_QUIET = {"DVC_NO_ANALYTICS": "1"}


def rows(quick: bool, project: Path | None = None) -> list[Row]:
    """One row: a finished project, or one of small stages."""
    if project is not None:
        return [_compared(project, project.name, 2 if quick else 5)]
    with tempfile.TemporaryDirectory() as folder:
        made = _small_project(Path(folder))
        return [_compared(made, f"{_N_STAGES} small stages", 2 if quick else 5)]


def _compared(project: Path, name: str, rounds: int) -> Row:
    return side_by_side(
        f"dvc repro with nothing to do, {name}",
        ("DVC with YAML in Python", lambda: _python(_IN_PYTHON + _REPRO, project)),
        lambda: _python(_REPRO, project),
        rounds=rounds,
    )


def _python(code: str, project: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", code], cwd=project, env={**os.environ, **_QUIET}, check=True
    )


def _small_project(folder: Path) -> Path:
    """Stages with as many dependencies and parameters as the real ones, all of them done."""
    deps = [f"dep{number}.txt" for number in range(_DEPS_A_STAGE)]
    for name in deps:
        (folder / name).write_text(name, encoding="utf-8")
    params = [f"  key{number}: {{a: {number}, b: [x, y]}}" for number in range(40)]
    (folder / "params.yaml").write_text("\n".join(["section:", *params]), encoding="utf-8")
    stages = ["stages:"]
    for number in range(_N_STAGES):
        stages += [
            f"  stage{number}:",
            f"    cmd: touch out{number}.txt",
            f"    deps: [{', '.join(deps)}]",
            f"    params: [section.key{number}]",
            f"    outs: [out{number}.txt: {{cache: false}}]",
        ]
    (folder / "dvc.yaml").write_text("\n".join(stages), encoding="utf-8")
    _python("from dvc.cli import main; raise SystemExit(main(['init', '--no-scm', '-q']))", folder)
    _python(_REPRO, folder)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--project", type=Path, help="a finished project")
    given = parser.parse_args()
    print(table(rows(given.quick, given.project)))
