"""Training and evaluation on a CPU, against the same networks in plain eager PyTorch.

    python -m benchmarks.training.cpu [--quick | --one-step] [--only WORDS]

The peer is what one writes down first (`plain_networks.py`): Conv1d, BatchNorm1d, Adam, float32,
spectra in memory, no DataLoader. It works in a process of its own, since the allocator settings
that a fit makes hold for a whole process; while one works the other waits. Ours is `fit` and
`decision_scores` as a user calls them. `--only` takes the rows that hold these words;
`--one-step` measures a single step of each at full resolution, once. On a busy machine compare
CPU-seconds with `OMP_NUM_THREADS=1`: threads that wait for one another count as busy.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import median

import numpy as np
import numpy.typing as npt
import torch
from benchmarks.side_by_side import Row, side_by_side, table

#: Spectra of the paper's task ADSQ, bins of its axis.
N_ADSQ, N_BINS = 4_672, 27_286


@dataclass(frozen=True)
class Work:
    """What is timed.

    Parameters
    ----------
    name : str
        Model.
    n : int
        Spectra.
    n_bins : int
        Bins of the axis.
    batch_size : int
        Spectra a step.
    evaluation : bool
        Scores instead of an epoch of training.
    peer_n : int, optional
        Spectra that the peer is given, where all would take too long.
    """

    name: str
    n: int
    n_bins: int
    batch_size: int
    evaluation: bool = False
    peer_n: int | None = None

    @property
    def title(self) -> str:
        """What the row is called."""
        what = "scores" if self.evaluation else f"an epoch, batch {self.batch_size}"
        adsq = " (ADSQ)" if self.n == N_ADSQ else ""
        return f"{self.name}: {what}, {self.n:,} spectra{adsq}, {self.n_bins:,} bins"


def spectra(n: int, n_bins: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Log-normal intensities and two classes by turns."""
    block = np.random.default_rng(0).lognormal(0.0, 0.8, (min(n, 256), n_bins)).astype(np.float32)
    return np.resize(block, (n, n_bins)), np.arange(n) % 2


def peer_at_work(end: Connection, work: Work) -> None:
    """The peer's process: does the work once whenever it is told to."""
    from benchmarks.training.plain_networks import PlainTraining

    x, y = spectra(work.peer_n or work.n, work.n_bins)
    training = PlainTraining(work.name, torch.from_numpy(x), torch.from_numpy(y), work.batch_size)
    while end.recv():
        before = time.process_time()
        training.evaluate() if work.evaluation else training.epoch()
        end.send(time.process_time() - before)


@contextmanager
def peer(work: Work) -> Iterator[Callable[[], float]]:
    """A function that has the peer do the work, once warmed up, and gives its CPU-seconds."""
    context = multiprocessing.get_context("spawn")
    end, other = context.Pipe()
    process = context.Process(target=peer_at_work, args=(other, work), daemon=True)
    process.start()

    def act() -> float:
        end.send(True)
        return float(end.recv())

    act()
    try:
        yield act
    finally:
        end.send(False)
        process.join()


def measured(work: Work, rounds: int) -> Row:
    """One row; its note tells the rates, and the CPU-seconds, which a busy machine spoils less."""
    from corespot.train.estimator import IsotopeNetClassifier, ResidualNetClassifier

    kinds = {"isotopenet": IsotopeNetClassifier, "residualnet": ResidualNetClassifier}
    x, y = spectra(work.n, work.n_bins)
    model = kinds[work.name](epochs=1, batch_size=work.batch_size, device="cpu")
    model.fit(x[: work.batch_size], y[: work.batch_size])
    share = 1.0 if work.peer_n is None else work.peer_n / work.n
    cpu: dict[str, list[float]] = {"peer": [], "ours": []}

    def ours() -> None:
        before = time.process_time()
        model.decision_scores(x) if work.evaluation else model.fit(x, y)
        cpu["ours"].append(time.process_time() - before)

    with peer(work) as act:
        name = "eager PyTorch, conv1d, float32"
        row = side_by_side(
            work.title, (name, lambda: cpu["peer"].append(act())), ours,
            rounds=rounds, peer_share=share,
        )  # fmt: skip
    theirs, own = median(cpu["peer"]) / share, median(cpu["ours"])
    rate = f"{work.n / row.ours_s:,.0f} spectra/s, peer {work.n / row.peer_s:,.0f}"
    spent = f"CPU-seconds {own:.3g}, peer {theirs:.3g}: {theirs / own:.2f} times"
    note = "; ".join(part for part in (rate, spent, row.note) if part)
    return Row(row.work, row.peer, row.peer_s, row.ours_s, note)


#: What is measured: all of it, single steps, seconds' worth.
FULL = [
    Work("isotopenet", 512, N_BINS, 256),
    Work("isotopenet", 512, N_BINS, 64),
    Work("isotopenet", 512, N_BINS, 128, evaluation=True),
    Work("isotopenet", N_ADSQ, N_BINS, 256, peer_n=512),
    Work("residualnet", 32, N_BINS, 16),
    Work("residualnet", 64, N_BINS, 64, evaluation=True),
]
ONE_STEP = [
    Work("isotopenet", 256, N_BINS, 256),
    Work("isotopenet", 64, N_BINS, 64),
    Work("isotopenet", 128, N_BINS, 128, evaluation=True),
    Work("residualnet", 16, N_BINS, 16),
    Work("residualnet", 32, N_BINS, 16, evaluation=True),
]
QUICK = [
    Work("isotopenet", 128, 9_000, 64),
    Work("isotopenet", 256, 9_000, 64, evaluation=True),
    Work("residualnet", 16, 3_000, 16),
]


def rows(quick: bool) -> list[Row]:
    """IsotopeNet and ResidualNet, training and scoring."""
    return [measured(work, 2 if quick else 3) for work in (QUICK if quick else FULL)]


def main() -> None:
    """All rows, or some of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--one-step", action="store_true", help="one step of each, once")
    parser.add_argument("--only", default="", help="words that a row must hold")
    args = parser.parse_args()
    chosen = QUICK if args.quick else ONE_STEP if args.one_step else FULL
    rounds = 1 if args.one_step else 2 if args.quick else 3
    print(table([measured(work, rounds) for work in chosen if args.only in work.title]))


if __name__ == "__main__":
    main()
