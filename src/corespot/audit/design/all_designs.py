"""The design audits of all tasks of a cohort."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.design.design_audit import audit_design
from corespot.audit.design.design_result import DesignAudit
from corespot.cohort.tasks import Task, select_spots


def audit_designs(
    spots: pd.DataFrame,
    tasks: Mapping[str, Task],
    *,
    tic: npt.NDArray[np.floating] | None = None,
    seed: int = 0,
) -> dict[str, DesignAudit]:
    """Audit the design of every task, each without the labels of the others.

    Parameters
    ----------
    spots : DataFrame
        Spot table of the cohort, with the columns of ``cores.csv``.
    tasks : mapping of str to Task
        The tasks.
    tic : ndarray, shape (n_spots,), optional
        Raw total ion count of every spot.
    seed : int
        Seed of permutations that are too many to be looked at all.

    Raises
    ------
    ParamsError
        If a task names a column or class that is not there.
    """
    labels = {task.label for task in tasks.values()}
    labels |= {task.truth.label for task in tasks.values() if task.truth is not None}
    audits = {}
    for name, task in tasks.items():
        selected = select_spots(spots, name, task)
        columns = {} if tic is None else {"raw TIC": tic[selected.rows]}
        audits[name] = audit_design(
            selected, columns, leave_out=sorted(labels - {task.label}), seed=seed
        )
    return audits
