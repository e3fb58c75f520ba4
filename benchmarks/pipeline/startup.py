"""Start-up of every stage and of commands: processor time until everything is imported.

    python -m benchmarks.pipeline.startup [--quick]

A stage is read without being run; a command prints its help or looks at a project that is not
there. Processor time, smallest of some rounds: a busy machine changes it least. The peer is
importing what is slow in the libraries it uses in any case: less than that cannot be reached.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.side_by_side import Row, run

_ROOT = Path(__file__).resolve().parents[2]
_STAGE = "import runpy; runpy.run_path({path!r}, run_name='imported')"
_COMMAND = "import sys; sys.argv = {argv!r}; from corespot.cli import main; main()"
#: Each with what it cannot do without and the folder it is run in; in `docs` there is no project.
_COMMANDS = {
    "--help": ("typer", "docs"),
    "cohort check --help": ("typer", "docs"),
    "models": ("settings", "docs"),
    "validate": ("settings", "."),
    "results": ("settings", "docs"),
    "audit show": ("settings", "docs"),
    "cohort check .": ("pandas", "docs"),
}
_QUICK_COMMANDS = ("--help", "cohort check --help", "validate")
_QUICK_STAGES = ("folds", "ingest", "preprocess", "train")
#: What a stage or command cannot do without.
_FLOORS = {
    "torch": "import torch, sklearn.base, pandas",
    "pandas": "import pandas, pydantic",
    "settings": "import numpy, pydantic, typer, yaml",
    "typer": "import typer",
}
_NEEDS_TORCH = ("audit", "leakage", "regroup", "sensitivity", "train")


def rows(quick: bool) -> list[Row]:
    """A row a stage and a command."""
    rounds = 2 if quick else 5
    stages = sorted(path.stem for path in (_ROOT / "pipelines").glob("*.py"))
    work: list[tuple[str, str, str, str]] = []
    for name in stages:
        if not quick or name in _QUICK_STAGES:
            path = str(_ROOT / "pipelines" / f"{name}.py")
            needs = "torch" if name in _NEEDS_TORCH else "pandas"
            work.append((f"start of stage {name}", needs, _STAGE.format(path=path), "docs"))
    for command in _QUICK_COMMANDS if quick else _COMMANDS:
        needs, folder = _COMMANDS[command]
        code = _COMMAND.format(argv=["corespot", *command.split()])
        work.append((f"corespot {command}", needs, code, folder))
    floors = {name: cpu_seconds(code, rounds) for name, code in _FLOORS.items()}
    return [
        Row(
            what, _FLOORS[needs], floors[needs], cpu_seconds(code, rounds, folder), "processor time"
        )
        for what, needs, code, folder in work
    ]


def cpu_seconds(code: str, rounds: int, folder: str = "docs") -> float:
    """Smallest processor time, user and system, of a Python process that runs `code`."""
    found = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=_ROOT / folder)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(found)


if __name__ == "__main__":
    run(rows, __doc__)
