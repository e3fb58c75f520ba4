"""All that a study may see: the training part of one outer fold, split again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import Fold, Grouping, inner_folds, strictest_groups
from corespot.cohort.tasks import TaskSpots
from corespot.errors import FoldError, TuneError
from corespot.io.store import SpectraStore
from corespot.seeding import derive_seed
from corespot.train.data import Held, Spectra, hold_on
from corespot.tune.settings import InnerSettings

Rows = npt.NDArray[np.int64]

#: Spectra that are hashed at a time.
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class TrainingPart:
    """Spectra and labels of the training spots of an outer fold, and of no other spot.

    Parameters
    ----------
    task : TaskSpots
        The task, restricted to the training spots.
    x : ndarray of float32 or SpectraRows, shape (n, n_bins)
        Their spectra; rows of the store are read when a fit asks for them.
    grouping : {"tma", "patient", "core", "spot"}
        What the outer folds keep together.
    repeat, index : int
        Which outer fold.
    """

    task: TaskSpots
    x: Spectra
    grouping: Grouping
    repeat: int
    index: int

    @property
    def labels(self) -> npt.NDArray[np.str_]:
        """Class name of every spot, shape (n,)."""
        return np.asarray(self.task.classes)[self.task.y]

    @property
    def positions(self) -> SpotPositions:
        """Where the spots lie."""
        return SpotPositions.of(self.task.spots)

    def held_on(self, device: torch.device) -> Held | None:
        """The spectra on a device, brought there once; ``None`` if they do not fit."""
        if str(device) not in self._held:
            self._held[str(device)] = hold_on(self.x, device)
        return self._held[str(device)]

    @cached_property
    def _held(self) -> dict[str, Held | None]:
        return {}

    @property
    def digest(self) -> str:
        """SHA-256 of spectra, labels, groups and positions: another part is another study."""
        digest = hashlib.sha256(repr((self.x.shape, self.task.classes, self.grouping)).encode())
        for start in range(0, len(self.x), _BLOCK):
            digest.update(np.ascontiguousarray(self.x[start : start + _BLOCK]).data)
        digest.update(self.task.y.tobytes())
        for column in ("tma", "patient", "core"):
            digest.update("\x1f".join(self.task.group_of(column)).encode())
        digest.update(self.positions.fingerprint.encode())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class InnerFold:
    """One split of a training part.

    Parameters
    ----------
    number : int
        Its number, the same in every trial.
    train, test : ndarray of int64
        Places in the training part.
    """

    number: int
    train: Rows
    test: Rows


@dataclass(frozen=True)
class InnerSplit:
    """The inner folds of a training part.

    Parameters
    ----------
    folds : tuple of InnerFold
        All folds of all repeats.
    grouping : {"tma", "patient", "core", "spot"}
        What they keep together: the outer grouping, or the next finer one that allows so many.
    """

    folds: tuple[InnerFold, ...]
    grouping: Grouping


def take_training_part(
    store: SpectraStore,
    task: TaskSpots,
    fold: Fold,
    grouping: Grouping,
    *,
    in_memory: bool = False,
) -> TrainingPart:
    """Point at the training spots of an outer fold; nothing of its test spots is ever read.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        All spots of the task.
    fold : Fold
        The outer fold.
    grouping : {"tma", "patient", "core", "spot"}
        What the outer folds keep together.
    in_memory : bool
        Copy the spectra now: models of patches and cores come back to each spot many times.
    """
    members = np.searchsorted(task.rows, fold.train_rows)
    # Rows of a store answer to all that is asked of an array here and by the estimators.
    read = store.take if in_memory else cast("Callable[[Rows], Spectra]", store.rows)
    return TrainingPart(
        # Without the spots' truth, which is for comparison only.
        task=TaskSpots(
            name=task.name,
            classes=task.classes,
            rows=fold.train_rows,
            y=task.y[members],
            spots=task.spots.iloc[members].reset_index(drop=True),
            label=task.label,
        ),
        x=read(fold.train_rows),
        grouping=grouping,
        repeat=fold.repeat,
        index=fold.index,
    )


def split_again(part: TrainingPart, settings: InnerSettings, seed: int) -> InnerSplit:
    """Deal a training part into inner folds, grouped as the outer ones where that is possible.

    With two TMAs left, say, three folds cannot keep TMAs together: patients are then, or cores.
    Repeats deal differently where there is another fair deal; of equal folds one is kept, so that
    there may be fewer than k · repeats.

    Parameters
    ----------
    part : TrainingPart
        What is split.
    settings : InnerSettings
        Number of folds and repeats.
    seed : int
        Seed of the deal.

    Raises
    ------
    TuneError
        If no such folds exist.
    """
    where = f"task {part.task.name}, fold {part.index} of repeat {part.repeat}"
    try:
        grouping, groups = strictest_groups(
            part.task.spots, part.task.y, settings.k, start=part.grouping
        )
        used: set[bytes] = set()
        dealt = [
            fold
            for repeat in range(settings.repeats)
            for fold in inner_folds(
                groups,
                part.task.y,
                settings.k,
                derive_seed(seed, "tune", repeat) % 2**31,
                used=used,
            )
        ]
    except FoldError as error:
        raise TuneError(
            f"{where}: its training part cannot be split into {settings.k} inner folds ({error}); "
            "lower tune.inner.k, or set nested: false"
        ) from None
    if grouping == "spot" and part.grouping != "spot":
        raise TuneError(
            f"{where}: {settings.k} inner folds would have to split cores, so that tuning would "
            "reward memory; lower tune.inner.k"
        )
    # Few groups: two deals may share a part. The same split twice would count as a second witness.
    different = {test.tobytes(): (train, test) for train, test in reversed(dealt)}
    folds = (InnerFold(number, *fold) for number, fold in enumerate(reversed(different.values())))
    return InnerSplit(tuple(folds), grouping)
