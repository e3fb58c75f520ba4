"""Deal groups into folds: every class in every fold, as balanced as the groups allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from corespot.errors import FoldError

Counts = npt.NDArray[np.int64]
Parts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", np.int64, np.float64)

#: Cost of a fold that lacks a class; larger than any imbalance can be.
_LACKING = 1e6
#: Weight of an even number of groups beside an even number of spots: it only breaks ties.
_GROUP_WEIGHT = 0.2
#: Deals this much less balanced than the best (RMS of class shares) are as good as it.
_AS_GOOD = 0.05
#: Deals this much less balanced are still taken where every better one was used before.
_STILL_FAIR = 0.25
#: Above this many groups single moves suffice and all pairs would be slow.
_MANY_GROUPS = 200


@dataclass(frozen=True)
class Deal:
    """Groups dealt into folds.

    Parameters
    ----------
    parts : ndarray of int64, shape (n_groups,)
        Fold of each group.
    imbalance : float
        Root mean square over folds and classes of (spots / even share − 1).
    repeated : bool
        True if an earlier repeat was dealt the same way because no fair alternative was found.
    """

    parts: Parts
    imbalance: float
    repeated: bool


def class_counts(group_index: Counts, y: Counts, n_groups: int, n_classes: int) -> Counts:
    """Spots per group and class, shape (n_groups, n_classes)."""
    flat = np.bincount(group_index * n_classes + y, minlength=n_groups * n_classes)
    return flat.reshape(n_groups, n_classes).astype(np.int64)


def deal_groups(
    counts: Counts, k: int, *, rng: np.random.Generator, used: set[bytes]
) -> Deal | None:
    """Deal groups at random into `k` folds that each hold every class.

    Several random starts are improved by moving and swapping groups; one of the well balanced
    results is drawn, one that is not in `used` where there is a fair one.

    Parameters
    ----------
    counts : ndarray of int, shape (n_groups, n_classes)
        Spots per group and class.
    k : int
        Number of folds.
    rng : Generator
        Source of randomness.
    used : set of bytes
        Deals of earlier repeats; the new one is added.

    Returns
    -------
    Deal or None
        ``None`` if it is proven impossible to give every fold every class.
    """
    search = _Search(counts, k, rng)
    pool: dict[bytes, tuple[float, Parts]] = {}
    n_groups = len(counts)
    n_starts = 24 if n_groups <= 30 else 8 if n_groups <= _MANY_GROUPS else 2
    for _ in range(n_starts):
        first = search.greedy()
        # A plain shuffle widens the choice where there are so few groups that the search
        # always ends in the same deal.
        shuffled = rng.permutation(np.arange(n_groups) % k).astype(np.int64)
        for parts in (first, shuffled, search.improve(first)):
            if search.lacking(parts) == 0:
                pool[_canonical(parts)] = (search.imbalance(parts), parts)
    if not pool:
        exact = exact_cover(counts > 0, k, rng=rng)
        if exact is None:
            return None
        parts = search.improve(exact)
        pool[_canonical(parts)] = (search.imbalance(parts), parts)
    key, repeated = _choose(pool, used, rng)
    used.add(key)
    imbalance, parts = pool[key]
    return Deal(rng.permutation(k)[parts].astype(np.int64), imbalance, repeated)


def deal_spots(y: Counts, k: int, *, rng: np.random.Generator) -> Parts:
    """Deal single spots at random into `k` folds, class by class, shape (n,)."""
    parts = np.empty(len(y), dtype=np.int64)
    start = int(rng.integers(k))
    for index in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == index))
        parts[members] = (start + np.arange(len(members))) % k
        start += len(members)  # the next class goes on where this one ended: sizes stay even
    return parts


def largest_k(present: npt.NDArray[np.bool_]) -> int:
    """Largest number of folds that can each hold every class; 0 or 1 if none can be made.

    Parameters
    ----------
    present : ndarray of bool, shape (n_groups, n_classes)
        Which classes a group holds.
    """
    most = int(present.sum(axis=0).min())
    if present.shape[1] <= 2:  # then enough groups of each class always suffice
        return most
    rng = np.random.default_rng(0)
    for k in range(most, 1, -1):
        if exact_cover(present, k, rng=rng) is not None:
            return k
    return min(most, 1)


def exact_cover(
    present: npt.NDArray[np.bool_], k: int, *, rng: np.random.Generator
) -> Parts | None:
    """Decide exactly whether `k` folds can each hold every class, and give one way if so.

    With three or more classes enough groups of each class are not sufficient: of three groups
    {A, B}, {B, C}, {A, C} no two folds can be made. Groups that hold the same classes are
    interchangeable, so a small integer programme over kinds of groups decides it.

    Returns
    -------
    ndarray of int64, shape (n_groups,), or None
        Fold of each group; ``None`` if there is no way.

    Raises
    ------
    FoldError
        If a minute of search decides neither way.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    kinds, kind_of = np.unique(present, axis=0, return_inverse=True)
    kind_of = np.ravel(kind_of)
    available = np.bincount(kind_of)
    n_kinds, n_classes = kinds.shape
    all_dealt = np.kron(np.eye(n_kinds), np.ones((1, k)))
    covered = np.kron(kinds.T.astype(float), np.eye(k))
    answer = milp(
        c=np.zeros(n_kinds * k),
        integrality=np.ones(n_kinds * k),
        bounds=Bounds(0, np.repeat(available, k)),
        constraints=[
            LinearConstraint(all_dealt, available, available),
            LinearConstraint(covered, np.ones(n_classes * k), np.inf),
        ],
        options={"time_limit": 60.0},
    )
    if answer.status == 2:
        return None
    if answer.x is None:
        raise FoldError(
            f"whether {len(present)} groups can be dealt into {k} folds that each hold every class "
            "could not be decided in a minute: use a smaller k or fewer classes"
        )
    numbers = np.rint(answer.x).astype(np.int64).reshape(n_kinds, k)
    parts = np.empty(len(present), dtype=np.int64)
    for kind in range(n_kinds):
        members = rng.permutation(np.flatnonzero(kind_of == kind))
        parts[members] = np.repeat(np.arange(k), numbers[kind])
    return parts


def _choose(
    pool: dict[bytes, tuple[float, Parts]], used: set[bytes], rng: np.random.Generator
) -> tuple[bytes, bool]:
    """Draw a deal: a good unused one, else the fairest unused one, else a good one again."""
    best = min(loss for loss, _ in pool.values())
    good = sorted(key for key, (loss, _) in pool.items() if loss <= best + _AS_GOOD)
    fresh = [key for key in good if key not in used]
    if fresh:
        return fresh[int(rng.integers(len(fresh)))], False
    fair = sorted(
        (loss, key)
        for key, (loss, _) in pool.items()
        if key not in used and loss <= best + _STILL_FAIR
    )
    if fair:
        return fair[0][1], False
    return good[int(rng.integers(len(good)))], True


def _canonical(parts: Parts) -> bytes:
    """The same bytes for deals that differ only in the numbering of folds."""
    _, first, inverse = np.unique(parts, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[inverse], dtype=np.int32).tobytes()


class _Search:
    """Randomised greedy deal and local search over moves and swaps."""

    def __init__(self, counts: Counts, k: int, rng: np.random.Generator) -> None:
        self.k = k
        self.rng = rng
        self.present = (counts > 0).astype(np.int64)
        self.share = counts / (counts.sum(axis=0) / k)
        number = self.present / (self.present.sum(axis=0) / k)
        # The sum of |fold total|² over folds is least when all folds are alike, since the sum of
        # the fold totals is fixed.
        self.load: Floats = np.hstack([self.share, _GROUP_WEIGHT * number])

    def lacking(self, parts: Parts) -> int:
        """Number of (fold, class) pairs without a spot."""
        return int((self._totals(parts, self.present) == 0).sum())

    def imbalance(self, parts: Parts) -> float:
        return float(np.sqrt(np.mean((self._totals(parts, self.share) - 1.0) ** 2)))

    def greedy(self) -> Parts:
        """Place groups one by one, roughly the largest first, where they fit best."""
        size = np.linalg.norm(self.load, axis=1)
        order = np.argsort(-size * self.rng.uniform(0.5, 1.5, len(size)))
        parts = np.empty(len(size), dtype=np.int64)
        load = np.zeros((self.k, self.load.shape[1]))
        held = np.zeros((self.k, self.present.shape[1]), dtype=np.int64)
        for group in order:
            gained = ((held == 0) & (self.present[group] > 0)).sum(axis=1)
            cost = 2.0 * load @ self.load[group] - _LACKING * gained
            cost += 1e-9 * self.rng.random(self.k)
            fold = int(np.argmin(cost))
            parts[group] = fold
            load[fold] += self.load[group]
            held[fold] += self.present[group]
        return parts

    def improve(self, start: Parts) -> Parts:
        """Move and swap groups until nothing gets better."""
        parts = start.copy()
        n_groups, k = len(parts), self.k
        load = self._totals(parts, self.load)
        held = self._totals(parts, self.present)
        # k empty groups, one a fold: swapping with one of them is a move.
        loads = np.vstack([self.load, np.zeros((k, self.load.shape[1]))])
        holds = np.vstack([self.present, np.zeros((k, self.present.shape[1]), dtype=np.int64)])
        many = n_groups > _MANY_GROUPS
        for _ in range(3 if many else 50):
            better = False
            for group in self.rng.permutation(n_groups):
                real = self.rng.integers(n_groups, size=64) if many else np.arange(n_groups)
                partner = np.concatenate([real, n_groups + np.arange(k)])
                there = np.concatenate([parts[real], np.arange(k)])
                here = int(parts[group])
                change = loads[partner] - loads[group]
                exchange = holds[partner] - holds[group]
                cost = 2.0 * np.einsum("ij,ij->i", load[here] - load[there] + change, change)
                lack = (held[here] + exchange == 0).sum(1) + (held[there] - exchange == 0).sum(1)
                lack = lack - (held[here] == 0).sum() - (held[there] == 0).sum(1)
                cost = np.where(there == here, np.inf, cost + _LACKING * lack)
                best = int(np.argmin(cost))
                if cost[best] >= -1e-9:
                    continue
                better = True
                fold = int(there[best])
                load[here] += change[best]
                load[fold] -= change[best]
                held[here] += exchange[best]
                held[fold] -= exchange[best]
                parts[group] = fold
                if partner[best] < n_groups:
                    parts[partner[best]] = here
            if not better:
                break
        return parts

    def _totals(self, parts: Parts, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        total = np.zeros((self.k, values.shape[1]), dtype=values.dtype)
        np.add.at(total, parts, values)
        return total
