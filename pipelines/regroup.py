"""Train one model anew with patients held out, so that its scores can be compared between TMAs."""

import sys
from pathlib import Path

from corespot.audit.model.regrouped import regroup
from corespot.cohort.tasks import select_spots
from corespot.errors import told_plainly
from corespot.io.folds import read_folds
from corespot.io.store import SpectraStore
from corespot.params import load_params
from corespot.train.tuned import read_tuned


def main(task_name: str, model: str) -> None:
    """Write the scores of `model` on `task_name`, or why there are none."""
    params = load_params()
    store, here = SpectraStore.open("data/store"), Path(task_name) / model
    task = select_spots(store.spots, task_name, params.task(task_name).plain())
    folds = read_folds(Path("data/folds") / task_name)
    tuned = read_tuned("data/tune" / here / "settings.json", folds)
    regroup(
        store,
        task,
        Path("data/regrouped") / here,
        model=model,
        # Those of the first fold, where every fold has its own.
        settings={**params.model_settings(task_name, model), **tuned.of(next(iter(folds)))},
        k=params.audit.patient_folds,
        seed=params.seed,
        device=params.device,
    )


if __name__ == "__main__":
    with told_plainly():
        main(sys.argv[1], sys.argv[2])
