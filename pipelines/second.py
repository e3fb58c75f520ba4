"""Bring a second cohort, whose design is broken, onto the axis of the first one."""

import sys
from pathlib import Path

from corespot.cohort.tasks import select_spots
from corespot.errors import told_plainly
from corespot.io.cohort_folder import load_cohort
from corespot.io.second_store import preprocess_second
from corespot.io.store import SpectraStore
from corespot.params import load_params


def main(task: str, folder: str) -> None:
    """Write the store of the second cohort of `task`."""
    params = load_params()
    cohort = load_cohort(folder)
    # Told now if the task's classes are not there, rather than after the models are trained.
    select_spots(cohort.spots, task, params.task(task).plain())
    preprocess_second(
        Path(folder),
        Path("data/second") / task,
        cohort=cohort,
        like=SpectraStore.open("data/store"),
    )


if __name__ == "__main__":
    with told_plainly():
        main(sys.argv[1], sys.argv[2])
