"""Quick rows of every benchmark in one table, beside the last recorded ratios.

    python -m benchmarks [PART_OF_A_NAME …] [--record] [--limit 120]

``make bench`` calls this; ``make bench ONLY=ingest RECORD=1`` records the rows of some scripts. A
ratio that is more than 15 % below the recorded one is marked; that is no failure. The exit code is
1 only if a script did not get as far as its rows.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.recorded import NOISE, Key, judged, read_recorded, record
from benchmarks.scripts import Outcome, find_scripts, run_script

from corespot.errors import told_plainly

HERE = Path(__file__).resolve().parent
_RED, _PLAIN = "\033[31m", "\033[0m"
_HEAD = ("work", "peer", "peer, s", "ours, s", "ratio", "last", "")


def main(arguments: Sequence[str] | None = None, *, folder: Path = HERE) -> int:
    """Run, print, record if asked; the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", help="parts of names, e.g. ingest; default: all")
    parser.add_argument("--record", action="store_true", help="write the ratios to recorded.json")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a script may take")
    given = parser.parse_args(arguments)
    scripts = [
        script
        for script in find_scripts(folder)
        if not given.only or any(part in script for part in given.only)
    ]
    if not scripts:
        parser.error(
            f"no benchmark is called like {' or '.join(given.only) or 'any'}; known: "
            f"{', '.join(find_scripts(folder)) or 'none'}"
        )
    known = read_recorded(folder / "recorded.json")
    outcomes = []
    for script in scripts:
        started = time.perf_counter()
        print(f"{script} …", end=" ", file=sys.stderr, flush=True)
        outcomes.append(run_script(script, root=folder.parent, limit_s=given.limit))
        print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(in_words(outcomes, known, red=sys.stdout.isatty() and "NO_COLOR" not in os.environ))
    if given.record:
        record(folder / "recorded.json", outcomes)
    return int(any(outcome.failed for outcome in outcomes))


def in_words(outcomes: Sequence[Outcome], known: dict[Key, dict[str, Any]], *, red: bool) -> str:
    """The table, a line for every failed script, and what the marks mean."""
    lines, slower = [_HEAD], set()
    for outcome in outcomes:
        for row in outcome.rows:
            last = known.get((outcome.script, row["work"], row["peer"]))
            mark = judged(row["ratio"], last, outcome.machine)
            if mark.startswith("slower"):
                slower.add(len(lines))
            lines.append(
                (
                    row["work"],
                    row["peer"],
                    f"{row['peer_s']:.3g}",
                    f"{row['ours_s']:.3g}",
                    f"{row['ratio']:.2f}",
                    "" if last is None else f"{last['ratio']:.2f}",
                    mark,
                )
            )
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEAD))]
    shown = []
    for number, line in enumerate(lines):
        # Words to the left, numbers to the right.
        cells = [
            cell.rjust(width) if at in (2, 3, 4, 5) else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        text = "  ".join(cells).rstrip()
        shown.append(f"{_RED}{text}{_PLAIN}" if red and number in slower else text)
    shown += [
        f"{outcome.script} failed: {outcome.failed}" for outcome in outcomes if outcome.failed
    ]
    if slower:
        shown.append(f"slower: more than {NOISE:.0%} below the recorded ratio".replace("%", " %"))
    return "\n".join(shown)


if __name__ == "__main__":
    with told_plainly():
        raise SystemExit(main())
