"""Train one model under every grouping, to show how much optimistic folds flatter it."""

import sys
from pathlib import Path

import pandas as pd

from corespot.cohort.tasks import select_spots
from corespot.errors import told_plainly
from corespot.io.artifacts import write_table
from corespot.io.store import SpectraStore
from corespot.params import load_params
from corespot.train.leakage import LeakageRequest, measure_leakage


def main(task_name: str) -> None:
    """Measure the leakage gap of `task_name`."""
    params = load_params()
    store = SpectraStore.open("data/store")
    task = select_spots(store.spots, task_name, params.task(task_name).plain())
    gap = pd.DataFrame()
    if params.leakage.model is not None:
        request = LeakageRequest(
            model=params.leakage.model,
            settings=params.model_settings(task_name, params.leakage.model),
            seed=params.seed,
            device=params.device,
            n_bootstrap=params.evaluate.bootstrap,
        )
        gap = measure_leakage(store, task, params.folds, request)
    write_table(Path("data/leakage") / f"{task_name}.csv", gap)


if __name__ == "__main__":
    with told_plainly():
        main(sys.argv[1])
