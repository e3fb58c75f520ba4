"""Everything known of a task's spots besides their class: whose trace in scores is looked for."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.position_columns import POSITIONS, positions
from corespot.audit.indicators.control_cores import find_control_spots
from corespot.cohort.tasks import TaskSpots
from corespot.io.store import SpectraStore

#: Names of the units themselves, and the TMA, which is always looked at.
_UNITS = ("core", "patient", "tma")


def metadata_of(
    task: TaskSpots, *, leave_out: Collection[str] = (), control: str = "control"
) -> dict[str, npt.NDArray[np.object_] | npt.NDArray[np.float64]]:
    """Values of every metadata column and position of a task's spots, each of shape (n_spots,).

    Parameters
    ----------
    task : TaskSpots
        The task.
    leave_out : collection of str
        Columns that are labels of other tasks.
    control : str
        Column that marks control cores.
    """
    ignored = {task.label, task.truth_label, control, *leave_out, *POSITIONS, *_UNITS}
    found = {
        str(name): task.spots[name].to_numpy(dtype=object)
        for name in task.spots.columns
        if name not in ignored
    }
    places = {
        name: column.numbers
        for name, column in positions(task.spots).items()
        if column.numbers is not None
    }
    return {**found, **places}


def control_rows(
    store: SpectraStore, task: TaskSpots, column: str = "control"
) -> npt.NDArray[np.int64] | NotApplicable:
    """Rows of the store that are of control cores, on which no model was trained."""
    rows = np.flatnonzero(find_control_spots(store.spots, column)).astype(np.int64)
    if np.isin(rows, task.rows).any():
        return NotApplicable(
            f"control cores take part in task {task.name}, so that models are trained on them: "
            f'leave them out (where: {{{column}: ""}})'
        )
    return rows
