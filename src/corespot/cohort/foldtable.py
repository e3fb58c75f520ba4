"""Folds as checked records: neither a table nor a single fold can hold a leak."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corespot.cohort.groups import WORDS, Grouping, Names, levels_within, unit_ids
from corespot.cohort.tasks import TaskSpots, as_text
from corespot.errors import FoldError

if TYPE_CHECKING:
    import pandas as pd

Rows = npt.NDArray[np.int64]

#: Columns of an assignment, in their order.
COLUMNS = ("row", "group", "y", "repeat", "fold")


@dataclass(frozen=True, eq=False)
class Fold:
    """One training and test part of the spots of a task.

    Parameters
    ----------
    repeat, index : int
        Which repeat, and which fold of it.
    train_rows, test_rows : ndarray of int64
        Rows of the spectra store, increasing.
    train_groups, test_groups : ndarray of str
        Group of each of these rows, for inner folds and for the check.

    Raises
    ------
    FoldError
        If a row or a group is on both sides, or a side is empty.
    """

    repeat: int
    index: int
    train_rows: Rows
    test_rows: Rows
    train_groups: Names
    test_groups: Names

    def __post_init__(self) -> None:
        where = f"fold {self.index} of repeat {self.repeat}"
        if len(self.train_rows) == 0 or len(self.test_rows) == 0:
            raise FoldError(f"{where}: the training or the test part is empty")
        if len(self.train_rows) != len(self.train_groups) or len(self.test_rows) != len(
            self.test_groups
        ):
            raise FoldError(f"{where}: every row needs a group, the lengths differ")
        for word, train, test in (
            ("row", self.train_rows, self.test_rows),
            ("group", self.train_groups, self.test_groups),
        ):
            both = np.intersect1d(train, test)
            if len(both):
                raise FoldError(
                    f"{where}: {word} {both[0]} is in the training and in the test part "
                    f"({len(both)} such); make the folds again"
                )


@dataclass(frozen=True, eq=False)
class FoldTable:
    """Which spot is tested in which fold, for every repeat.

    Parameters
    ----------
    task : str
        Name of the task.
    classes : tuple of str
        Its classes; column ``y`` indexes them.
    grouping : {"tma", "patient", "core", "spot"}
        What is never split.
    k, repeats, seed : int
        As requested.
    assignment : DataFrame
        Columns ``row`` (of the store), ``group``, ``y``, ``repeat``, ``fold`` (where it is tested).
    spots_digest : str
        Digest of the spots the folds were made for; see `digest_of`. Empty: not checked.
    notes : tuple of str
        What a reader should know: merged groups, repeats that could not differ, split TMAs.

    Raises
    ------
    FoldError
        If a group is in two folds of a repeat, a row is missing or doubled, or a class is missing
        from a fold.
    """

    task: str
    classes: tuple[str, ...]
    grouping: Grouping
    k: int
    repeats: int
    seed: int
    assignment: pd.DataFrame
    spots_digest: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.grouping not in WORDS:
            raise FoldError(
                f"the fold table of {self.task} is grouped by {self.grouping!r}, expected one of "
                f"{', '.join(WORDS)}"
            )
        missing = [name for name in COLUMNS if name not in self.assignment.columns]
        if missing:
            raise FoldError(f"the fold table of {self.task} lacks the column {missing[0]!r}")
        table = self.assignment.loc[:, list(COLUMNS)]
        table = table.sort_values(["repeat", "row"], kind="stable").reset_index(drop=True)
        object.__setattr__(self, "assignment", table)
        row, y, repeat, fold = (
            table[name].to_numpy(np.int64) for name in COLUMNS if name != "group"
        )
        group = table["group"].to_numpy(dtype=str)
        n = len(row) // self.repeats if self.repeats > 0 else 0
        if n == 0 or not np.array_equal(repeat, np.repeat(np.arange(self.repeats), n)):
            raise FoldError(f"the fold table of {self.task}: the repeats do not hold equal spots")
        if len(np.unique(row[:n])) != n or np.any(row.reshape(-1, n) != row[:n]):
            raise FoldError(
                f"the fold table of {self.task}: a row is missing from or twice in a repeat"
            )
        if np.any((fold < 0) | (fold >= self.k)) or np.any((y < 0) | (y >= len(self.classes))):
            raise FoldError(
                f"the fold table of {self.task}: a fold or a class number is out of range"
            )
        for index in range(self.repeats):
            part = slice(index * n, (index + 1) * n)
            where = f"task {self.task}, repeat {index}"
            _refuse_split(group[part], fold[part], WORDS[self.grouping], where)
            held = np.bincount(
                fold[part] * len(self.classes) + y[part], minlength=self.k * len(self.classes)
            ).reshape(self.k, -1)
            if np.any(held == 0):
                empty, lacking = np.argwhere(held == 0)[0]
                raise FoldError(
                    f"{where}: the test part of fold {empty} holds no spot of class "
                    f"{self.classes[lacking]}; make the folds again"
                )

    @property
    def optimistic(self) -> bool:
        """True for random-spot folds: spots of one core are on both sides."""
        return self.grouping == "spot"

    @property
    def label(self) -> str:
        """Name for tables and figures; says so where the folds are optimistic."""
        return "random spots (optimistic)" if self.optimistic else f"by {WORDS[self.grouping]}"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the task, the settings and every assignment, as 64 hex digits."""
        digest = hashlib.sha256()
        head = (self.task, *self.classes, self.grouping, self.k, self.repeats, self.seed)
        digest.update("\x1f".join(map(str, (*head, self.spots_digest))).encode())
        for name in COLUMNS:
            column = self.assignment[name]
            if name == "group":
                digest.update("\x1f".join(column.astype(str).tolist()).encode())
            else:
                digest.update(np.ascontiguousarray(column.to_numpy("<i8")).tobytes())
        return digest.hexdigest()

    @property
    def rows(self) -> Rows:
        """Rows of the store that take part, increasing."""
        return self.assignment["row"].to_numpy(np.int64)[: len(self.assignment) // self.repeats]

    def __len__(self) -> int:
        return self.k * self.repeats

    def __iter__(self) -> Iterator[Fold]:
        for repeat in range(self.repeats):
            for index in range(self.k):
                yield self.fold(repeat, index)

    def fold(self, repeat: int, index: int) -> Fold:
        """Training and test part of one fold.

        Raises
        ------
        FoldError
            If there is no such fold.
        """
        if not (0 <= repeat < self.repeats and 0 <= index < self.k):
            raise FoldError(
                f"there is no fold {index} of repeat {repeat}: the table of {self.task} has "
                f"{self.repeats} repeats of {self.k} folds"
            )
        n = len(self.assignment) // self.repeats
        part = self.assignment.iloc[repeat * n : (repeat + 1) * n]
        row = part["row"].to_numpy(np.int64)
        group = part["group"].to_numpy(dtype=str)
        test = part["fold"].to_numpy(np.int64) == index
        return Fold(repeat, index, row[~test], row[test], group[~test], group[test])

    def counts(self) -> pd.DataFrame:
        """Spots and groups of every class in every test part.

        Returns
        -------
        DataFrame
            Columns ``repeat, fold, class, n_spots, n_groups``.
        """
        grouped = self.assignment.groupby(["repeat", "fold", "y"], sort=True)["group"]
        table = grouped.agg(n_spots="size", n_groups="nunique").reset_index()
        table.insert(2, "class", [self.classes[index] for index in table.pop("y")])
        return table

    def check_against(self, spots: pd.DataFrame) -> None:
        """Check the folds where they are used, against the spot table of the store.

        Parameters
        ----------
        spots : DataFrame
            Spot table of the store: row i describes row i of the spectra.

        Raises
        ------
        FoldError
            If a TMA, patient or core that the grouping promises to keep together is split, or the
            table was made for other spots.
        """
        rows = self.rows
        if rows[-1] >= len(spots):
            raise FoldError(
                f"the folds of {self.task} name row {rows[-1]}, but the store has {len(spots)} "
                "rows; run `dvc repro folds` again"
            )
        self._check_spots(spots.iloc[rows])

    def _check_spots(self, here: pd.DataFrame) -> None:
        if self.spots_digest and digest_of(here) != self.spots_digest:
            raise FoldError(
                f"the folds of {self.task} were made for other spots than this store holds (same "
                "rows, different file, spectrum or core); run `dvc repro folds` again"
            )
        folds = self.assignment["fold"].to_numpy(np.int64).reshape(self.repeats, -1)
        for level in levels_within(self.grouping):
            units = unit_ids(here, level)
            for repeat in range(self.repeats):
                where = f"task {self.task}, repeat {repeat}"
                _refuse_split(units, folds[repeat], WORDS[level], where)

    def check_task(self, task_spots: TaskSpots) -> None:
        """Check that the folds hold exactly the spots and classes of a task, and split no unit.

        Raises
        ------
        FoldError
            If a spot or its class differs, or as `check_against`.
        """
        y = self.assignment["y"].to_numpy(np.int64)[: len(self.rows)]
        if (
            self.classes != task_spots.classes
            or not np.array_equal(self.rows, task_spots.rows)
            or not np.array_equal(y, task_spots.y)
        ):
            raise FoldError(
                f"the folds of {self.task} hold other spots or classes than the task "
                f"{task_spots.name} has now; run `dvc repro folds` again"
            )
        self._check_spots(task_spots.spots)


def digest_of(spots: pd.DataFrame) -> str:
    """Digest of which spots these are: file, spectrum and core of each, in their order."""
    digest = hashlib.sha256()
    for name in ("file", "spectrum", "core"):
        if name in spots.columns:
            digest.update(("\x1e" + name + "\x1f".join(as_text(spots[name]))).encode())
    return digest.hexdigest()


def _refuse_split(units: Names, folds: Rows, word: str, where: str) -> None:
    """Refuse if a unit lies in two test parts: it would be trained on and tested on."""
    names, code = np.unique(units, return_inverse=True)
    low = np.full(len(names), np.iinfo(np.int64).max)
    high = np.full(len(names), -1)
    np.minimum.at(low, code, folds)
    np.maximum.at(high, code, folds)
    split = np.flatnonzero(low != high)
    if len(split):
        first = split[0]
        raise FoldError(
            f"{where}: {word} {names[first]} is in fold {low[first]} and in fold {high[first]}, so "
            f"it would be trained on and tested on ({len(split)} such); make the folds again"
        )
