"""What folds cannot be made, why, and what would work instead."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.cohort.dealing import class_counts, largest_k
from corespot.cohort.groups import (
    GROUPINGS,
    WORDS,
    Grouping,
    SpotGroups,
    group_spots,
    unit_ids,
)
from corespot.cohort.tasks import TaskSpots
from corespot.errors import FoldError

_PREPOSITION = {"tma": "on", "patient": "in", "core": "in", "spot": "on"}
_EXPECT = {
    "patient": "expect the audit to object",
    "core": "expect optimistic results: cores of one patient will be on both sides",
    "spot": "call the results optimistic: spots of one core will be on both sides",
}


def refuse_too_few(
    task_spots: TaskSpots,
    grouping: Grouping,
    k: int,
    counts: npt.NDArray[np.int64],
    groups: SpotGroups,
) -> None:
    """Refuse if a class occurs in fewer than k groups; name the class and the alternatives."""
    occurs = (counts > 0).sum(axis=0)
    rarest = int(occurs.argmin())
    found = int(occurs[rarest])
    if found >= k:
        return
    word = WORDS[grouping]
    message = (
        f"class {task_spots.classes[rarest]} occurs {_PREPOSITION[grouping]} {found} {word}"
        f"{'' if found == 1 else 's'}; "
    )
    if found < 2:
        message += f"{word}-grouped folds need at least 2 per class"
    else:
        message += f"{k} {word}-grouped folds need at least {k} per class, one for each test part"
    if groups.n_merged:
        message += f" ({groups.notes[0]})"
    raise FoldError(f"{message}: {_alternatives(task_spots, grouping, k, counts)}")


def cannot_cover(
    task_spots: TaskSpots, grouping: Grouping, k: int, counts: npt.NDArray[np.int64]
) -> str:
    """Explain the rare case that each class has groups enough, but their mixture does not fit."""
    word = WORDS[grouping]
    return (
        f"the {len(counts)} {word}s cannot be dealt into {k} folds that each hold all of "
        f"{', '.join(task_spots.classes)}, although each class occurs on enough of them: "
        f"{_alternatives(task_spots, grouping, k, counts)}"
    )


def _alternatives(
    task_spots: TaskSpots, grouping: Grouping, k: int, counts: npt.NDArray[np.int64]
) -> str:
    """Fewer folds if at least two work; else, or besides, the next finer grouping that works."""
    ways: list[str] = []
    most = largest_k(counts > 0)
    if most >= 2:
        ways.append(f"use k: {most}")
    for finer in GROUPINGS[GROUPINGS.index(grouping) + 1 :]:
        if finer == "spot" and ways:
            break  # random spots are offered only where nothing else is left
        names = group_spots(task_spots.spots, finer).names
        found, index = np.unique(names, return_inverse=True)
        held = class_counts(index, task_spots.y, len(found), len(task_spots.classes))
        possible = largest_k(held > 0)
        if possible >= 2:
            fewer = f" with k: {possible}" if possible < k else ""
            ways.append(f"use group: {finer}{fewer}, and {_EXPECT[finer]}")
            break
    return "; or ".join(ways) or "measure this class on more material, or leave it out of the task"


def split_outside(task_spots: TaskSpots, grouping: Grouping) -> list[str]:
    """Say which coarser units these folds may split."""
    if grouping == "spot":
        return ["optimistic: spots of one core are in the training and in the test part"]
    import pandas as pd

    inside = group_spots(task_spots.spots, grouping).names
    notes: list[str] = []
    for level in GROUPINGS[: GROUPINGS.index(grouping)]:
        try:
            outside = unit_ids(task_spots.spots, level)
        except FoldError:
            continue
        pairs = pd.DataFrame({"outside": outside, "inside": inside}).drop_duplicates()
        several = int((pairs.groupby("outside").size() > 1).sum())
        if several:
            notes.append(
                f"{several} {WORDS[level]}s hold more than one {WORDS[grouping]} and may be on "
                "both sides of a fold"
            )
    return notes
