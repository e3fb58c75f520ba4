"""The scripts that offer rows, and running one of them in a process of its own."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Lines of a failed script's complaint that are repeated.
_LAST_WORDS = 1

#: `benchmarks` is a namespace: scripts of another folder find these modules beside their own.
_OWN_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Outcome:
    """What came of one script.

    Parameters
    ----------
    script : str
        Path below the folder of benchmarks, without its ending: ``ingest/index``.
    rows : list of dict
        Rows with ``work``, ``peer``, ``peer_s``, ``ours_s``, ``ratio`` and ``note``.
    machine : str
        What they were measured on.
    versions : dict
        Versions of Python and of the packages that took part.
    failed : str
        Why there are no rows; empty if there are.
    """

    script: str
    rows: Sequence[dict[str, Any]] = ()
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    failed: str = ""


def find_scripts(folder: Path) -> list[str]:
    """Every script below `folder` that defines ``rows(quick)``, sorted; none is imported."""
    found = [
        path.relative_to(folder).with_suffix("").as_posix()
        for path in folder.rglob("*.py")
        if _offers_rows(path)
    ]
    return sorted(found)


def run_script(script: str, *, root: Path, limit_s: float) -> Outcome:
    """Measure the quick rows of `script` in a process of its own.

    Parameters
    ----------
    script : str
        As `find_scripts` names it.
    root : Path
        Folder that holds the folder ``benchmarks``.
    limit_s : float
        Seconds after which the process, and what it started, is ended.
    """
    module = ".".join(["benchmarks", *script.split("/")])
    places = [str(root), str(_OWN_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "rows.json"
        # A session of its own, so that what a script starts can be ended with it.
        with (Path(folder) / "said").open("w+b") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.measured", module, str(out)],
                cwd=root,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                return Outcome(script, failed=f"not done within {limit_s:.0f} s")
            finally:
                _end(process)
            said.seek(0)
            words = said.read().decode("utf-8", errors="replace").strip().splitlines()
        if code or not out.is_file():
            last = " / ".join(words[-_LAST_WORDS:]) or "nothing said"
            return Outcome(script, failed=f"exit code {code}: {last}")
        content = json.loads(out.read_text(encoding="utf-8"))
    return Outcome(script, content["rows"], content["machine"], content["versions"])


def _offers_rows(path: Path) -> bool:
    """Whether a function ``rows`` that needs one argument stands at the top of the file."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        # Told when it is run.
        return "def rows(" in path.read_text(encoding="utf-8", errors="replace")
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == "rows"
        and len(node.args.args) - len(node.args.defaults) == 1
        for node in tree.body
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of the process and of those it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
