"""How many patients of each class are on each TMA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots, as_text

Ints = npt.NDArray[np.int64]

#: TMAs in a row that are all named; of more, the first and the last one.
_NAMES_SHOWN = 4


@dataclass(frozen=True, eq=False)
class ClassLayout:
    """How many patients (or cores) of each class are on each TMA.

    Parameters
    ----------
    classes, tmas : tuple of str
        Names.
    counts : ndarray of int64, shape (n_tmas, n_classes)
        Units with spots of the class on the TMA; one with spots of two classes counts in both.
    unit : str
        What is counted: ``"patient"`` or ``"core"``.
    """

    classes: tuple[str, ...]
    tmas: tuple[str, ...]
    counts: Ints
    unit: str

    @classmethod
    def of(cls, task: TaskSpots) -> Self:
        """Layout of a task, by patient, or by core where patients are unknown."""
        unit = "core" if _patients_unknown(task.spots) else "patient"
        tmas, tma = np.unique(task.group_of("tma"), return_inverse=True)
        units, code = np.unique(unit_ids(task.spots, "patient"), return_inverse=True)
        held = np.zeros((len(units), len(tmas), len(task.classes)), dtype=bool)
        held[code, tma, task.y] = True
        counts = held.sum(axis=0).astype(np.int64)
        return cls(task.classes, tuple(tmas.tolist()), counts, unit)

    @property
    def nested(self) -> bool:
        """Whether there are several TMAs and none holds two classes."""
        return len(self.tmas) > 1 and bool(np.all((self.counts > 0).sum(axis=1) <= 1))

    @property
    def label_is_tma(self) -> bool:
        """Whether the classes are named after the TMAs that they are on."""
        return set(self.classes) <= set(self.tmas) and all(
            self.tmas_of(name) == (name,) for name in self.classes
        )

    def tmas_of(self, name: str) -> tuple[str, ...]:
        """TMAs that hold a class."""
        here = self.counts[:, self.classes.index(name)] > 0
        return tuple(tma for tma, has in zip(self.tmas, here, strict=True) if has)

    def filled_up(self, least: int) -> Ints:
        """Counts with every class on every TMA brought to `least`, or to the TMA's largest class.

        Parameters
        ----------
        least : int
            Units of each class that every TMA shall hold.
        """
        largest = self.counts.max(axis=1, keepdims=True)
        return np.asarray(np.maximum(self.counts, np.minimum(least, largest)), dtype=np.int64)

    def tmas_in_words(self, names: Sequence[str]) -> str:
        """TMAs by name for a sentence; a long run of them by the first and the last one."""
        start = self.tmas.index(names[0])
        run = tuple(names) == self.tmas[start : start + len(names)]
        return (
            f"{names[0]} to {names[-1]}" if run and len(names) > _NAMES_SHOWN else in_words(names)
        )


def in_words(parts: Sequence[str]) -> str:
    """One or more names for a sentence: "a", "a and b", "a, b and c"."""
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]


def _patients_unknown(spots: pd.DataFrame) -> bool:
    """Whether no patient is named, or every core is named as a patient of its own."""
    patient = as_text(spots["patient"])
    return bool(((patient == "") | (patient == as_text(spots["core"]))).all())
