"""Whether label and TMA are tied: the gate of every verdict."""

from __future__ import annotations

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import IN_QUESTION, Association, associate
from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.design.metadata_column import read_column
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots


def label_tie(task: TaskSpots, seed: int = 0) -> Association | NotApplicable:
    """Association of label and TMA over patients.

    Parameters
    ----------
    task : TaskSpots
        The task.
    seed : int
        Seed of the permutations.

    Returns
    -------
    Association or NotApplicable
        Not applicable on a single TMA, and where V is small though no TMA holds two classes.
    """
    column = read_column(task.group_of("tma"))
    units = unit_ids(task.spots, "patient")
    found = associate(task.y, len(task.classes), units, column, "categorical", seed=seed)
    layout = ClassLayout.of(task)
    if len(layout.tmas) == 1:
        return NotApplicable(f"all spots are on one TMA, {layout.tmas[0]}")
    if isinstance(found, NotApplicable):
        return NotApplicable(f"of the TMA, {found.reason}: no two {layout.unit}s share one")
    if found.value > IN_QUESTION or not layout.nested:
        return found
    # With hardly more patients than TMAs, chance alone would lay them out like that.
    return NotApplicable(
        f"no TMA holds two classes, but with {found.n_units} {layout.unit}s on "
        f"{found.n_levels} TMAs chance alone can do that (V = {found.value:.2f})"
    )
