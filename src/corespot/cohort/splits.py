"""Grouped, randomised folds of a task, and folds inside a training part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from corespot.cohort.dealing import class_counts, deal_groups, deal_spots, largest_k
from corespot.cohort.foldlimits import cannot_cover, refuse_too_few, split_outside
from corespot.cohort.foldtable import Fold, FoldTable, digest_of
from corespot.cohort.groups import GROUPINGS, Grouping, Names, group_spots
from corespot.cohort.tasks import TaskSpots
from corespot.errors import FoldError
from corespot.seeding import generator
from corespot.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Fold",
    "FoldSettings",
    "FoldTable",
    "Grouping",
    "LeakageGroupings",
    "inner_folds",
    "leakage_groupings",
    "make_folds",
    "strictest_groups",
]


class FoldSettings(Settings):
    """Section ``folds`` of ``params.yaml``.

    Parameters
    ----------
    group : {"tma", "patient", "core", "spot"}
        What is never split between training and test; ``spot`` gives optimistic random folds.
    k : int
        Number of folds.
    repeats : int
        Number of times the folds are dealt anew.
    seed : int
        Seed of the deal.
    """

    group: Grouping = "tma"
    k: int = Field(default=4, ge=2, le=1000)
    repeats: int = Field(default=1, ge=1, le=1000)
    seed: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class LeakageGroupings:
    """Folds of one task at every grouping, for the leakage gap.

    Parameters
    ----------
    tables : tuple of FoldTable
        The groupings that are possible, the most lenient (random spots) first.
    refused : dict of str to str
        The groupings that are not, with the reason.
    """

    tables: tuple[FoldTable, ...]
    refused: dict[str, str]

    def __iter__(self) -> Iterator[FoldTable]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)


def make_folds(task_spots: TaskSpots, settings: FoldSettings) -> FoldTable:
    """Deal the spots of a task into randomised folds that never split a group.

    Every class is in every training and every test part; the spots of each class are shared out
    as evenly as the groups allow; repeats differ where there is a fair alternative. TMAs that
    share a patient count as one group, and so do patients that share a core.

    Parameters
    ----------
    task_spots : TaskSpots
        Spots, classes and rows of the task.
    settings : FoldSettings
        Grouping, number of folds and repeats, seed.

    Raises
    ------
    FoldError
        If such folds do not exist; the message names the class and what would work.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, doi:10.1093/bioinformatics/btx724: randomised
    4-fold cross-validation on TMA level, four repeats.

    Notes
    -----
    A repeat depends on the seed, the task and its own number only, so asking for more repeats
    leaves the first ones as they were.
    """
    import pandas as pd

    groups = group_spots(task_spots.spots, settings.group)
    notes = list(groups.notes)
    n_classes = len(task_spots.classes)
    # Groups are numbered by first appearance, not by name: where every patient has one core,
    # patient folds and core folds are then the very same.
    index, names = pd.factorize(groups.names)
    counts = class_counts(index.astype(np.int64), task_spots.y, len(names), n_classes)
    refuse_too_few(task_spots, settings.group, settings.k, counts, groups)
    used: set[bytes] = set()
    tables: list[pd.DataFrame] = []
    n_repeated = 0
    for repeat in range(settings.repeats):
        rng = generator(settings.seed, "folds", task_spots.name, repeat)
        if settings.group == "spot":
            fold = deal_spots(task_spots.y, settings.k, rng=rng)
        else:
            deal = deal_groups(counts, settings.k, rng=rng, used=used)
            if deal is None:
                raise FoldError(cannot_cover(task_spots, settings.group, settings.k, counts))
            fold = deal.parts[index]
            n_repeated += deal.repeated
        tables.append(
            pd.DataFrame(
                {
                    "row": task_spots.rows,
                    "group": groups.names,
                    "y": task_spots.y,
                    "repeat": np.int64(repeat),
                    "fold": fold,
                }
            )
        )
    if n_repeated:
        notes.append(
            f"{n_repeated} of {settings.repeats} repeats deal the groups like an earlier one: "
            f"{len(names)} groups allow no other fair deal into {settings.k} folds"
        )
    table = FoldTable(
        task=task_spots.name,
        classes=task_spots.classes,
        grouping=settings.group,
        k=settings.k,
        repeats=settings.repeats,
        seed=settings.seed,
        assignment=pd.concat(tables, ignore_index=True),
        spots_digest=digest_of(task_spots.spots),
        notes=(*notes, *split_outside(task_spots, settings.group)),
    )
    table.check_task(task_spots)
    return table


def leakage_groupings(task_spots: TaskSpots, settings: FoldSettings) -> LeakageGroupings:
    """Fold one task at every grouping, from random spots to TMAs, for the leakage gap.

    Number of folds, repeats and seed stay the same, so that the training parts are equally large
    and only the grouping differs.

    Parameters
    ----------
    task_spots : TaskSpots
        Spots of the task.
    settings : FoldSettings
        As for `make_folds`; its `group` is ignored.
    """
    tables: list[FoldTable] = []
    refused: dict[str, str] = {}
    for grouping in reversed(GROUPINGS):
        try:
            tables.append(make_folds(task_spots, settings.model_copy(update={"group": grouping})))
        except FoldError as error:
            refused[grouping] = str(error)
    return LeakageGroupings(tuple(tables), refused)


def inner_folds(
    groups: npt.ArrayLike, y: npt.ArrayLike, k: int, seed: int, *, used: set[bytes] | None = None
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Deal a training part into folds of its own, for early stopping or for choosing K.

    Parameters
    ----------
    groups : array-like, shape (n,)
        Group of each spectrum; a group is never split.
    y : array-like, shape (n,)
        Class of each spectrum, of any type.
    k : int
        Number of folds, at least 2.
    seed : int
        Seed of the deal.
    used : set, optional
        Deals made so far, to be avoided while there are others; this one is added.

    Returns
    -------
    list of (ndarray of int64, ndarray of int64)
        Positions, not store rows, of the inner training and test spectra, increasing.

    Raises
    ------
    FoldError
        If `k` inner folds with every class on both sides do not exist.
    """
    group_names, index = np.unique(np.asarray(groups), return_inverse=True)
    classes, labels = np.unique(np.asarray(y), return_inverse=True)
    if k < 2 or len(index) != len(labels):
        raise FoldError(
            f"inner folds need k >= 2 and one group per spectrum, got k = {k}, {len(index)} groups "
            f"for {len(labels)} labels"
        )
    counts = class_counts(index, labels, len(group_names), len(classes))
    most = largest_k(counts > 0)
    deal = (
        deal_groups(
            counts,
            k,
            rng=generator(seed, "inner-folds"),
            used=set() if used is None else used,
        )
        if most >= k
        else None
    )
    if deal is None:
        rarest = int((counts > 0).sum(axis=0).argmin())
        found = int((counts > 0)[:, rarest].sum())
        raise FoldError(
            f"{k} inner folds need every class in each of them, but class {classes[rarest]} occurs "
            f"in {found} of {len(group_names)} groups of the training part: "
            + (f"use k = {most}" if most >= 2 else "use finer groups (patient or core)")
        )
    fold = deal.parts[index]
    return [(np.flatnonzero(fold != part), np.flatnonzero(fold == part)) for part in range(k)]


def strictest_groups(
    spots: pd.DataFrame, y: npt.NDArray[np.int64], k: int, *, start: Grouping = "tma"
) -> tuple[Grouping, Names]:
    """Groups for inner folds: the strictest grouping, from `start` down, that allows `k` of them.

    Parameters
    ----------
    spots : DataFrame
        Spot table of the training part.
    y : ndarray of int, shape (n,)
        Class of each spot.
    k : int
        Number of inner folds wanted.
    start : {"tma", "patient", "core", "spot"}
        Grouping of the outer folds.

    Returns
    -------
    grouping : str
        The one chosen.
    groups : ndarray of str, shape (n,)
        Group of each spot.

    Raises
    ------
    FoldError
        If not even single spots allow it.
    """
    classes, labels = np.unique(y, return_inverse=True)
    for grouping in GROUPINGS[GROUPINGS.index(start) :]:
        names = group_spots(spots, grouping).names
        found, index = np.unique(names, return_inverse=True)
        if largest_k(class_counts(index, labels, len(found), len(classes)) > 0) >= k:
            return grouping, names
    rarest = int(np.bincount(labels).argmin())
    raise FoldError(
        f"class {classes[rarest]} has {np.bincount(labels)[rarest]} spots in this training part, "
        f"too few for {k} inner folds: use fewer inner folds, or fix K"
    )
