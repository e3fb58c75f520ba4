"""Two ways to the same result, timed in turn in one process: what every benchmark is made of.

A script of `benchmarks/` offers ``rows(quick: bool) -> list[Row]`` and prints them when it is run
as ``python -m benchmarks.ROOM.NAME [--quick]``; ``make bench`` gathers the quick rows of all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    work : str
        What is done, with its size; names the row from one recording to the next.
    peer : str
        What a user would take instead.
    peer_s, ours_s : float
        Median seconds of the same work (or of the same share of it).
    note : str
        What else the reader must know, e.g. that the peer did a tenth of the work, multiplied.
    """

    work: str
    peer: str
    peer_s: float
    ours_s: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer."""
        return self.peer_s / self.ours_s


def side_by_side(
    work: str,
    peer: tuple[str, Callable[[], object]],
    ours: Callable[[], object],
    *,
    rounds: int = 3,
    peer_share: float = 1.0,
    note: str = "",
) -> Row:
    """Time both in turn after one run of ours that is not counted; medians over rounds.

    Parameters
    ----------
    work : str
        What is done.
    peer : (str, callable)
        Name of the peer, and the peer at work.
    ours : callable
        Ours at the same work.
    rounds : int
        How often each is timed; they take turns, so that a busy machine slows both.
    peer_share : float
        Part of the work that the peer does, where all of it would take too long; its time is
        divided by it and the note says so.
    note : str
        For the reader.
    """
    ours()  # compiles, opens, warms
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for kept, act in zip(times, (peer[1], ours), strict=True):
            started = time.perf_counter()
            act()
            kept.append(time.perf_counter() - started)
    if peer_share != 1.0:
        note = "; ".join([*([note] if note else []), f"peer timed on {peer_share:.1%} of the work"])
    return Row(work, peer[0], median(times[0]) / peer_share, median(times[1]), note)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| work | peer | peer, s | ours, s | ratio | |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.work} | {row.peer} | {row.peer_s:.3g} | {row.ours_s:.3g} | {row.ratio:.2f} "
        f"| {row.note} |"
        for row in rows
    ]
    return "\n".join(lines)


def run(rows: Callable[[bool], list[Row]], doc: str) -> None:
    """The ``main`` of a benchmark: measure, print."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    print(table(rows(parser.parse_args().quick)))
