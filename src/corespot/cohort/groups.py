"""Which spots belong together: core, patient and TMA, and the units that folds must not split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from corespot.cohort.tasks import as_text
from corespot.errors import FoldError

if TYPE_CHECKING:
    import pandas as pd

Grouping = Literal["tma", "patient", "core", "spot"]
Names = npt.NDArray[np.str_]

#: Groupings from the strictest to the most lenient.
GROUPINGS: tuple[Grouping, ...] = ("tma", "patient", "core", "spot")

#: How a grouping is written in a sentence.
WORDS: dict[Grouping, str] = {"tma": "TMA", "patient": "patient", "core": "core", "spot": "spot"}


@dataclass(frozen=True)
class SpotGroups:
    """The group of every spot, and what had to be decided to get there.

    Parameters
    ----------
    grouping : {"tma", "patient", "core", "spot"}
        What a group is.
    names : ndarray of str, shape (n,)
        Group of each spot.
    notes : tuple of str
        Groups that were merged and ids that were missing, as sentences.
    n_merged : int
        How many TMAs (or patients) were merged into another one.
    """

    grouping: Grouping
    names: Names
    notes: tuple[str, ...] = ()
    n_merged: int = 0


def patient_ids(spots: pd.DataFrame) -> Names:
    """Patient of each spot; a core without a patient id counts as a patient of its own.

    Parameters
    ----------
    spots : DataFrame
        Spot table with columns ``patient`` and ``core``.

    Returns
    -------
    ndarray of str, shape (n,)
    """
    patient = _column(spots, "patient")
    core = _column(spots, "core")
    return np.where(patient == "", np.char.add("core:", core), patient)


def unit_ids(spots: pd.DataFrame, level: Grouping) -> Names:
    """Ids of `level` for each spot as they stand in the table, shape (n,).

    Raises
    ------
    FoldError
        If the column is missing or a core or TMA id is empty.
    """
    if level == "spot":
        return np.arange(len(spots)).astype(str)
    names = patient_ids(spots) if level == "patient" else _column(spots, level)
    empty = np.flatnonzero(names == "")
    if len(empty):
        raise FoldError(
            f"{len(empty)} spots have no {WORDS[level]} (the first is number {empty[0]} of the "
            f"task): fill the column {level!r} of cores.csv, or choose a finer group"
        )
    return names


def levels_within(grouping: Grouping) -> tuple[Grouping, ...]:
    """Units that folds of this grouping must not split: itself and everything inside it."""
    return tuple(level for level in GROUPINGS[GROUPINGS.index(grouping) :] if level != "spot")


def group_spots(spots: pd.DataFrame, grouping: Grouping) -> SpotGroups:
    """Group spots so that no core, patient or TMA inside the grouping is ever split.

    A group is a connected component: TMAs that share a patient become one group, since the
    patient would otherwise be trained on and tested on.

    Parameters
    ----------
    spots : DataFrame
        Spot table of the task.
    grouping : {"tma", "patient", "core", "spot"}
        What a group is.

    Raises
    ------
    FoldError
        If a needed column is missing or empty.
    """
    names = unit_ids(spots, grouping)
    if grouping == "spot":
        return SpotGroups(grouping, names)
    notes: list[str] = []
    merged = names
    n_merged = 0
    for inner in levels_within(grouping)[1:]:
        inside = unit_ids(spots, inner)
        joined, reasons = _merge(merged, inside)
        n_merged += len(reasons)
        for group, shared in reasons:
            notes.append(
                f"{WORDS[grouping]}s {group.replace('+', ' and ')} count as one group: "
                f"{WORDS[inner]} {shared} sits on more than one of them"
            )
        merged = joined
    if grouping in ("tma", "patient"):
        unknown = np.unique(_column(spots, "core")[_column(spots, "patient") == ""])
        if len(unknown):
            notes.append(
                f"{len(unknown)} cores have no patient id: each counts as a patient of its own"
            )
    n_before, n_after = len(np.unique(names)), len(np.unique(merged))
    return SpotGroups(grouping, merged, tuple(notes), n_before - n_after)


def _merge(outer: Names, inner: Names) -> tuple[Names, list[tuple[str, str]]]:
    """Join the groups of `outer` that share a unit of `inner`; name group and a shared unit."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    outer_names, outer_code = np.unique(outer, return_inverse=True)
    inner_names, inner_code = np.unique(inner, return_inverse=True)
    n_outer, n_inner = len(outer_names), len(inner_names)
    pairs = np.unique(np.stack([outer_code, inner_code], axis=1), axis=0)
    graph = coo_matrix(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1] + n_outer)),
        shape=(n_outer + n_inner, n_outer + n_inner),
    )
    _, component = connected_components(graph, directed=False)
    shared = inner_names[np.bincount(pairs[:, 1], minlength=n_inner) > 1]
    shared_component = component[n_outer:][np.bincount(pairs[:, 1], minlength=n_inner) > 1]
    labels = list(outer_names)
    reasons: list[tuple[str, str]] = []
    for index in np.unique(shared_component):
        members = np.flatnonzero(component[:n_outer] == index)
        name = "+".join(outer_names[members])
        for member in members:
            labels[member] = name
        reasons.append((name, str(shared[shared_component == index][0])))
    return np.asarray(labels, dtype=str)[outer_code], reasons


def _column(spots: pd.DataFrame, name: str) -> Names:
    if name not in spots.columns:
        raise FoldError(f"the spot table has no column {name!r}, which grouped folds need")
    return as_text(spots[name]).to_numpy(dtype=str)
