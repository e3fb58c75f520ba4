"""Training and evaluation on a CPU, against the same networks in plain eager PyTorch.

    python -m benchmarks.training.cpu [--quick] [--only WORDS]

The peer is what one writes down first (`plain_networks.py`): Conv1d, BatchNorm1d, Adam, float32,
spectra in memory, no DataLoader. It works in a process of its own, since the allocator settings
that a fit makes hold for a whole process; while one works the other waits. Ours is `fit` and
`decision_scores` as a user calls them. `--only` takes the rows that hold these words.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from benchmarks.side_by_side import Row, run, side_by_side, table

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
        training.evaluate() if work.evaluation else training.epoch()
        end.send(True)


@contextmanager
def peer(work: Work) -> Iterator[Any]:
    """A function that has the peer do the work, once warmed up."""
    context = multiprocessing.get_context("spawn")
    end, other = context.Pipe()
    process = context.Process(target=peer_at_work, args=(other, work), daemon=True)
    process.start()

    def act() -> None:
        end.send(True)
        end.recv()

    act()
    try:
        yield act
    finally:
        end.send(False)
        process.join()


def measured(work: Work, rounds: int) -> Row:
    """One row."""
    from corespot.train.estimator import IsotopeNetClassifier, ResidualNetClassifier

    kinds = {"isotopenet": IsotopeNetClassifier, "residualnet": ResidualNetClassifier}
    x, y = spectra(work.n, work.n_bins)
    model = kinds[work.name](epochs=1, batch_size=work.batch_size, device="cpu")
    model.fit(x[: work.batch_size], y[: work.batch_size])
    ours = (lambda: model.decision_scores(x)) if work.evaluation else (lambda: model.fit(x, y))
    share = 1.0 if work.peer_n is None else work.peer_n / work.n
    with peer(work) as act:
        row = side_by_side(
            work.title, ("eager PyTorch, conv1d, float32", act), ours,
            rounds=rounds, peer_share=share,
        )  # fmt: skip
    rate = f"{work.n / row.ours_s:,.0f} spectra/s, peer {work.n / row.peer_s:,.0f}"
    note = "; ".join(part for part in (rate, row.note) if part)
    return Row(row.work, row.peer, row.peer_s, row.ours_s, note)


def works(quick: bool) -> list[Work]:
    """What is measured."""
    if quick:
        return [
            Work("isotopenet", 128, 9_000, 64),
            Work("isotopenet", 256, 9_000, 64, evaluation=True),
            Work("residualnet", 16, 3_000, 16),
        ]
    return [
        Work("isotopenet", 512, N_BINS, 256),
        Work("isotopenet", 512, N_BINS, 64),
        Work("isotopenet", 512, N_BINS, 128, evaluation=True),
        Work("isotopenet", N_ADSQ, N_BINS, 256, peer_n=512),
        Work("residualnet", 32, N_BINS, 16),
        Work("residualnet", 64, N_BINS, 64, evaluation=True),
    ]


def rows(quick: bool) -> list[Row]:
    """IsotopeNet and ResidualNet, training and scoring."""
    return [measured(work, 2 if quick else 3) for work in works(quick)]


def main() -> None:
    """All rows, or some of them."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("--only", default="")
    only, _ = parser.parse_known_args()
    if not only.only:
        run(rows, __doc__)
        return
    chosen = [work for work in works(False) if only.only in work.title]
    print(table([measured(work, 3) for work in chosen]))


if __name__ == "__main__":
    main()
