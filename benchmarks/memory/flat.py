"""Peak memory of every step on cohorts that grow: flat, or so much a spot.

    python -m benchmarks.memory.flat --folder data/large --spots 20000 200000 [--steps NAME …]

A cohort of each size is written into FOLDER (a spot takes 109 KB twice: imzML and store), each
step is run on it in a process of its own, and the cohort is deleted. Counted is the step's own
memory (anonymous pages of its process, sampled) above what its imports and its model took; pages
of a memory-mapped file are the kernel's to drop, and are listed apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory.large_cohort import N_BINS, write_large_cohort
from benchmarks.memory.steps import STEPS

_EVERY_S = 0.01
_SPECTRUM_KB = N_BINS * 4 / 1e3


@dataclass(frozen=True)
class Memory:
    """Megabytes of one process.

    Parameters
    ----------
    before, peak : float
        Anonymous memory before the step, and at its peak.
    mapped : float
        Peak of everything resident, pages of mapped files included.
    seconds : float
        Time the step took.
    """

    before: float
    peak: float
    mapped: float
    seconds: float

    @property
    def own(self) -> float:
        """What the step itself took."""
        return self.peak - self.before


def measured(step: str, folder: Path) -> Memory:
    """Run a step in a process of its own and watch its memory."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.memory.steps", step, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit(f"{step}: did not get ready")
        before, _ = resident(process.pid)
        seen: list[tuple[float, float]] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(_EVERY_S):
                seen.append(resident(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        process.stdin.write("go\n")
        process.stdin.flush()
        said = process.stdout.readline()
        over.set()
        watcher.join()
        if not said:
            raise SystemExit(f"{step}: failed")
        anonymous, everything = (max(values) for values in zip(*seen, strict=True))
        return Memory(before, anonymous, everything, float(json.loads(said)["seconds"]))


def resident(pid: int) -> tuple[float, float]:
    """Megabytes of anonymous, and of all resident memory of a process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0, 0.0
    found = dict(line.split(":", 1) for line in lines if line.startswith(("RssAnon", "VmRSS")))
    if len(found) < 2:
        return 0.0, 0.0
    return tuple(int(found[name].split()[0]) / 1e3 for name in ("RssAnon", "VmRSS"))


def main() -> None:
    """Measure every step at every size, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--spots", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--steps", nargs="*", default=list(STEPS), choices=list(STEPS))
    given = parser.parse_args()
    found: dict[int, dict[str, Memory]] = {}
    for n_spots in given.spots:
        folder = given.folder / str(n_spots)
        started = time.perf_counter()
        write_large_cohort(folder / "cohort", n_spots)
        size = n_spots * _SPECTRUM_KB / 1e6
        print(f"{n_spots} spots, {size:.1f} GB: {time.perf_counter() - started:.0f} s", flush=True)
        try:
            found[n_spots] = {}
            for step in dict.fromkeys(["preprocess", *given.steps]):
                found[n_spots][step] = one = measured(step, folder)
                print(
                    f"{step}: {one.own:.0f} MB above {one.before:.0f} MB, mapped "
                    f"{one.mapped:.0f} MB, {one.seconds:.1f} s",
                    flush=True,
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(table(found))


def table(found: dict[int, dict[str, Memory]]) -> str:
    """Markdown: a line a step, a column a size, and what a spot more costs."""
    sizes = sorted(found)
    head = ["step", *(f"{n:,} spots, MB" for n in sizes), "KB a spot", "of a spectrum"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for step in found[sizes[0]]:
        own = [found[n][step].own for n in sizes]
        slope = 1e3 * (own[-1] - own[0]) / max(sizes[-1] - sizes[0], 1)
        cells = [step, *(f"{value:.0f}" for value in own), f"{slope:.2f}"]
        lines.append(f"| {' | '.join([*cells, f'{slope / _SPECTRUM_KB:.1%}'])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
