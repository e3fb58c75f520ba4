"""What a design cannot identify, and what would repair it, in sentences with names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Self

import numpy as np
import numpy.typing as npt

from corespot.audit.association import cramers_v
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots

Ints = npt.NDArray[np.int64]

#: Label and TMA are associated so strongly that confounding is in question (Cramér's V).
IN_QUESTION = 0.3
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
    def of(cls, task: TaskSpots, unit: str) -> Self:
        """Layout of a task."""
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


def unidentified(
    layout: ClassLayout,
    v: float | None,
    *,
    partitions: Sequence[str] = (),
    apart: Sequence[str] = (),
) -> tuple[str, ...]:
    """What the design cannot tell apart.

    Parameters
    ----------
    layout : ClassLayout
        Classes on TMAs.
    v : float or None
        Cramér's V of label and TMA; ``None`` with one TMA only.
    partitions : sequence of str
        Columns that part the spots exactly as the classes do.
    apart : sequence of str
        Other columns no value of which, or no range of whose values, two classes share.
    """
    found = []
    if len(layout.tmas) == 1:
        found.append(
            f"All spots are on one TMA, {layout.tmas[0]}: how the measurement differs between TMAs "
            "cannot be seen, nor how a model does on another one."
        )
    if layout.label_is_tma:
        found.append(
            "The classes are the TMAs themselves: what tells them apart is the measurement, or a "
            f"difference between the {layout.unit}s that happen to be on them."
        )
    elif layout.nested:
        where = "; ".join(
            f"{name} on {_names(layout.tmas_of(name), layout)}" for name in layout.classes
        )
        found.append(
            f"No TMA holds both classes ({where})"
            if len(layout.classes) == 2
            else f"No TMA holds two classes ({where})"
        )
        found[-1] += (
            ": this design cannot separate the difference between the classes from the difference "
            "between the TMAs. A model trained on it is not shown to be useless; what it reads, "
            "tissue or measurement, cannot be decided from this cohort alone."
        )
    elif len(layout.tmas) > 1:
        if v is not None and v > IN_QUESTION:
            found.append(
                f"Label and TMA go together (V = {v:.2f}), though {_some_mixed(layout)}: a model "
                "can gain from reading the TMA, and only comparisons inside a TMA are free of it."
            )
        pairs = [
            f"{one} and {other}"
            for one, other in combinations(layout.classes, 2)
            if not set(layout.tmas_of(one)) & set(layout.tmas_of(other))
        ]
        found += [f"{pair} share no TMA: their difference may be one of TMAs." for pair in pairs]
    alone = [name for name in layout.classes if len(layout.tmas_of(name)) == 1]
    if len(layout.tmas) > 1 and alone and not layout.label_is_tma:
        where = _and([f"class {name} occurs on {layout.tmas_of(name)[0]} only" for name in alone])
        found.append(
            f"{where[0].upper()}{where[1:]}: folds grouped by TMA cannot both train on "
            f"{'it' if len(alone) == 1 else 'them'} and test."
        )
    if partitions:
        found.append(
            f"Class and {_and(partitions)} are the same partition: one cannot be told from the "
            f"other{'s' if len(partitions) > 1 else ''}."
        )
    found += [f"No two classes overlap in {column}." for column in apart]
    return tuple(found)


def repairs(
    layout: ClassLayout,
    v: float | None,
    *,
    has_controls: bool,
    stratify_by: Sequence[str] = (),
    match_on: Sequence[str] = (),
    mix_over: Sequence[str] = (),
) -> tuple[str, ...]:
    """What would repair the design, most decisive first.

    Parameters
    ----------
    layout : ClassLayout
        Classes on TMAs.
    v : float or None
        Cramér's V of label and TMA; ``None`` with one TMA only.
    has_controls : bool
        Whether the cohort marks control cores.
    stratify_by, match_on : sequence of str
        Columns with levels and numeric columns that are associated with the class, inside which
        the classes can still be compared.
    mix_over : sequence of str
        Positions (slide x, acquisition order) that are associated with the class.
    """
    found = []
    if len(layout.tmas) == 1:
        found.append(
            "Measure further TMAs, each with every class: the model can then be tested on a TMA "
            "it has not seen."
        )
    elif layout.label_is_tma:
        found.append(
            "No further measurement makes this a question about tissue; keep it as a negative "
            "control: it says how much of the TMA a model can see."
        )
    elif layout.nested or (v is not None and v > IN_QUESTION):
        found += [*_fill_up(layout), *_only_mixed_tmas(layout)]
        found.append(
            "Control cores are marked: test that the model's score on them does not depend on the "
            "TMA."
            if has_controls
            else "Put control cores of one tissue on every TMA "
            f"({_names(layout.tmas, layout)}) and mark them in the column control of cores.csv: "
            "the model's score on them must not depend on the TMA."
        )
        found.append(
            f"Measure a second cohort with a broken design, new patients of "
            f"{_and(layout.classes)} on every TMA, and test the model on it unchanged."
        )
    found += [
        f"Compare the classes inside {column}: stratify folds by it, or report the result for each "
        "of its values."
        for column in stratify_by
    ]
    found += [
        f"Match the {layout.unit}s of the classes on {column}, or report the result for its lower, "
        "middle and upper third."
        for column in match_on
    ]
    if mix_over and not layout.nested:
        found.append(
            f"Mix the classes over {_and(mix_over)} when a TMA is laid out and measured; here, "
            "compare cores that lie side by side."
        )
    return tuple(found)


def _fill_up(layout: ClassLayout) -> list[str]:
    """The fewest further cores on each TMA that bring V to where it is not in question."""
    counts, v = layout.counts, 1.0
    for least in range(1, int(layout.counts.max()) + 1):
        counts = layout.filled_up(least)
        v = _v_of_counts(counts)
        if v <= IN_QUESTION and np.all(counts > 0):
            break
    more = counts - layout.counts
    asked: dict[tuple[int, int], list[str]] = {}
    for tma, row in zip(layout.tmas, more, strict=True):
        for at, n in enumerate(row):
            if n:
                asked.setdefault((at, int(n)), []).append(tma)
    if not asked:
        return []
    orders = [
        f"{n} more {layout.unit}{'' if n == 1 else 's'} of class {layout.classes[at]} on "
        f"{'each of ' if len(tmas) > 1 else ''}{_names(tmas, layout)}"
        for (at, n), tmas in sorted(asked.items())
    ]
    shown = orders[:6] + ([f"{len(orders) - 6} more such steps"] if len(orders) > 6 else [])
    return [
        f"Measure {_and(shown)} ({int(more.sum())} in all): V of label and TMA falls from "
        f"{_v_of_counts(layout.counts):.2f} to {v:.2f}."
    ]


def _only_mixed_tmas(layout: ClassLayout) -> list[str]:
    """TMAs that hold every class, if they can be used by themselves."""
    whole = np.asarray((layout.counts > 0).all(axis=1))
    if not whole.any() or whole.all():
        return []
    names = [tma for tma, has in zip(layout.tmas, whole, strict=True) if has]
    n = layout.counts[whole].sum(axis=0)
    held = _and([f"{k} of {name}" for name, k in zip(layout.classes, n, strict=True)])
    return [
        f"Test on {_names(names, layout)} alone, which {'holds' if len(names) == 1 else 'hold'} "
        f"every class ({layout.unit}s: {held})."
    ]


def _v_of_counts(counts: Ints) -> float:
    """Cramér's V of a table of counts."""
    tma, label = np.indices(counts.shape).reshape(2, -1)
    rows = np.repeat(np.arange(counts.size), counts.ravel())
    labels, tmas = np.eye(counts.shape[1])[label[rows]], np.eye(counts.shape[0])[tma[rows]]
    return cramers_v(labels, tmas[:, tmas.any(axis=0)])


def _some_mixed(layout: ClassLayout) -> str:
    n_mixed = int(((layout.counts > 0).sum(axis=1) > 1).sum())
    return (
        f"{n_mixed} of {len(layout.tmas)} TMAs {'holds' if n_mixed == 1 else 'hold'} more than one "
        "class"
    )


def _names(names: Sequence[str], layout: ClassLayout) -> str:
    """TMAs by name; a long run of them by the first and the last one."""
    start = layout.tmas.index(names[0])
    run = tuple(names) == layout.tmas[start : start + len(names)]
    return f"{names[0]} to {names[-1]}" if run and len(names) > _NAMES_SHOWN else _and(names)


def _and(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
