"""Cross-validate one model on one task and record it in MLflow."""

import sys
from pathlib import Path

from corespot.cohort.tasks import select_spots
from corespot.errors import told_plainly
from corespot.io.folds import read_folds
from corespot.io.store import SpectraStore
from corespot.params import load_params
from corespot.tracking.fold_records import TrainingRequest
from corespot.tracking.training import open_training_run, train_and_record
from corespot.train.tuned import read_tuned


def main(task_name: str, model: str) -> None:
    """Train `model` on `task_name` over the stored folds."""
    params = load_params()
    store, folds = SpectraStore.open("data/store"), read_folds(Path("data/folds") / task_name)
    task, here = params.task(task_name).plain(), Path(task_name) / model
    request = TrainingRequest(
        store=store,
        task=select_spots(store.spots, task_name, task),
        label=task.label,
        folds=folds,
        model=model,
        settings=params.model_settings(task_name, model),
        seed=params.seed,
        device=params.device,
        n_bootstrap=params.evaluate.bootstrap,
        bootstrap_seed=params.evaluate.seed,
        tuned=read_tuned("data/tune" / here / "settings.json", folds),
    )
    with open_training_run(request, cohort=params.cohort, **params.tracking.model_dump()) as run:
        train_and_record(request, run, Path("data/train") / here, Path("data/checkpoints") / here)


if __name__ == "__main__":
    with told_plainly():
        main(sys.argv[1], sys.argv[2])
