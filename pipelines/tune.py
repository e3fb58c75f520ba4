"""Tune one model on one task: a study on the training part of every outer fold."""

import sys
from pathlib import Path

from corespot.errors import told_plainly
from corespot.params import load_params
from corespot.train.tuned import write_untuned


def main(task: str, model: str) -> None:
    """Tune `model` on `task`, or note that it is not tuned."""
    params = load_params()
    out = Path("data/tune") / task / model
    if params.tune.trials_of(task, model) == 0:
        write_untuned(out, task, model)
        return
    # Only now: Optuna and PyTorch take a while to load.
    from corespot.requests import tuning_request
    from corespot.tune.stage import tune_and_record

    tune_and_record(
        tuning_request(params, task, model),
        out,
        workers=params.tune.workers,
        cohort=params.cohort,
        uri=params.tracking.uri,
    )


if __name__ == "__main__":
    with told_plainly():
        main(sys.argv[1], sys.argv[2])
