"""Permutation of labels over units: every arrangement where there are few, else random draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.seeding import generator

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
#: Takes orders of units, shape (b, n), and gives the statistic under each, shape (b,).
Statistic = Callable[[Ints], Floats]

#: Up to as many distinct arrangements are all looked at.
MOST_EXACT = 10_000
#: Random arrangements drawn where there are more.
N_DRAWS = 9_999
#: Arrangements whose statistic is computed at once.
_BLOCK = 512
#: Statistics that differ by less than this share are equal: sums taken in another order.
_EQUAL = 1e-9


@dataclass(frozen=True)
class PermutationTest:
    """What permuting the labels says of an observed statistic.

    Parameters
    ----------
    observed : float
        The statistic of the labels as they are.
    p : float
        Share of arrangements whose statistic is at least the observed one.
    exact : bool
        Whether every distinct arrangement was looked at.
    n_arrangements : int
        How many arrangements were looked at: all, or the random draws.
    null_mean : float
        Mean of the statistic over them.
    """

    observed: float
    p: float
    exact: bool
    n_arrangements: int
    null_mean: float


@dataclass(frozen=True, eq=False)
class Permutations:
    """Arrangements of labels over units that are exchangeable within strata.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        Label of each unit; units of one label are not told apart.
    strata : ndarray of int64, shape (n,), or None
        Labels change places within a stratum only. ``None``: all units are one stratum.
    seed : int
        Seed of the random draws.
    most_exact : int
        All distinct arrangements are looked at if there are no more than this.
    n_draws : int
        Random arrangements otherwise.

    References
    ----------
    Phipson & Smyth, "Permutation p-values should never be zero", Stat. Appl. Genet. Mol. Biol. 9,
    39 (2010), doi:10.2202/1544-6115.1585, eq. 2: p = (b + 1) / (m + 1) for random draws.
    """

    labels: Ints
    strata: Ints | None = None
    seed: int = 0
    most_exact: int = MOST_EXACT
    n_draws: int = N_DRAWS

    def __post_init__(self) -> None:
        if self.strata is not None and len(self.strata) != len(self.labels):
            raise ValueError(f"{len(self.labels)} labels, but {len(self.strata)} strata")
        if self.n_draws < 1:
            raise ValueError(f"n_draws must be 1 or more, got {self.n_draws}")

    @property
    def n_distinct(self) -> int:
        """Number of distinct arrangements: a product of multinomial coefficients."""
        total = 1
        for members in self._members():
            _, counts = np.unique(self.labels[members], return_counts=True)
            left = len(members)
            for count in counts:
                total *= comb(left, int(count))
                left -= int(count)
        return total

    @property
    def exact(self) -> bool:
        """Whether there are few enough arrangements to look at all of them."""
        return self.n_distinct <= self.most_exact

    def orders(self) -> Iterator[Ints]:
        """Blocks of orders, shape (b, n): ``labels[order]`` is an arrangement.

        Every distinct arrangement comes once if `exact`, the one as it is among them; otherwise
        `n_draws` random ones.
        """
        return self._every() if self.exact else self._drawn()

    def test(self, statistic: Statistic) -> PermutationTest:
        """Compare the statistic of the labels as they are with that of their arrangements.

        Parameters
        ----------
        statistic : callable
            Takes orders of shape (b, n) and returns values of shape (b,), larger where the labels
            matter more.
        """
        observed = float(statistic(np.arange(len(self.labels), dtype=np.int64)[None])[0])
        bar = observed - _EQUAL * max(1.0, abs(observed))
        exact = self.exact
        reached = looked_at = 0
        total = 0.0
        for order in self.orders():
            values = statistic(order)
            reached += int(np.count_nonzero(values >= bar))
            looked_at += len(values)
            total += float(values.sum())
        p = reached / looked_at if exact else (reached + 1) / (looked_at + 1)
        return PermutationTest(observed, p, exact, looked_at, total / looked_at)

    def _members(self) -> list[Ints]:
        """Units of each stratum."""
        if self.strata is None:
            return [np.arange(len(self.labels), dtype=np.int64)]
        return [np.flatnonzero(self.strata == one) for one in np.unique(self.strata)]

    def _every(self) -> Iterator[Ints]:
        members = self._members()
        parts = [_distinct(self.labels[at]) for at in members]
        choices = product(*parts)
        while block := list(islice(choices, _BLOCK)):
            orders = np.tile(np.arange(len(self.labels), dtype=np.int64), (len(block), 1))
            for row, choice in enumerate(block):
                for at, order in zip(members, choice, strict=True):
                    orders[row, at] = at[order]
            yield orders

    def _drawn(self) -> Iterator[Ints]:
        rng = generator(self.seed, "permutation")
        members = self._members()
        for start in range(0, self.n_draws, _BLOCK):
            size = min(_BLOCK, self.n_draws - start)
            orders = np.tile(np.arange(len(self.labels), dtype=np.int64), (size, 1))
            for at in members:
                if len(at) > 1:
                    orders[:, at] = rng.permuted(np.tile(at, (size, 1)), axis=1)
            yield orders


def code_rows(rows: npt.NDArray[Any]) -> Ints:
    """Number units by their row of values, equal rows alike, shape (n,)."""
    table = rows.reshape(len(rows), -1)
    return np.unique(table, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for their number, so that the chance of any false alarm is kept.

    The i-th smallest of m is multiplied by m - i + 1; none falls below a smaller one's.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6, 65 (1979).
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        running = max(running, min(1.0, p_values[at] * (len(p_values) - rank)))
        adjusted[at] = running
    return adjusted


def _distinct(labels: Ints) -> list[Ints]:
    """One order for each distinct arrangement of a few labels."""
    values, counts = np.unique(labels, return_counts=True)
    units_of = [np.flatnonzero(labels == value) for value in values]
    orders: list[Ints] = []

    def place(which: int, free: tuple[int, ...], order: Ints) -> None:
        if which == len(values):
            orders.append(order)
            return
        for places in combinations(free, int(counts[which])):
            filled = order.copy()
            filled[list(places)] = units_of[which]
            taken = set(places)
            place(which + 1, tuple(at for at in free if at not in taken), filled)

    place(0, tuple(range(len(labels))), np.zeros(len(labels), dtype=np.int64))
    return orders
