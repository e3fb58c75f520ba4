"""Time the review app on a generated project, in a real browser.

    python -m benchmarks.app.measure OUT [--rounds 3] [--only VIEW …]

OUT is what `large_project.py` made. A time goes from the click, or the key that takes a choice, to
the last change of the page, drawing included; the figure is the median of the rounds, each with a
fresh server and a fresh browser. Needs chromium and the dev dependencies.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.app.journeys import JOURNEYS, Project
from benchmarks.app.stopwatch import fresh_browser

from corespot.tracking.reading import find_runs, reading_client

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Serve, visit, click, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[one.__name__ for one in JOURNEYS])
    given = parser.parse_args()
    root = given.project.resolve()
    runs = find_runs(reading_client(f"sqlite:///{root}/mlruns/mlflow.db"))
    times: dict[str, list[float]] = {}
    for _ in range(given.rounds):
        with server(root) as address, fresh_browser(times) as watch:
            project = Project(address, runs[0].run_id, runs[1].run_id)
            for journey in JOURNEYS:
                if not given.only or journey.__name__ in given.only:
                    journey(watch, project)
    for what, seconds in times.items():
        print(f"| {what} | {statistics.median(seconds):.2f} | {max(seconds):.2f} |")


@contextmanager
def server(project: Path) -> Iterator[str]:
    """The app on a project, fresh; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "app.serve", "--port", str(port)]
    process = subprocess.Popen(
        command, cwd=project, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address: str) -> None:
    """Wait until the server answers."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the app did not come up")


if __name__ == "__main__":
    main()
