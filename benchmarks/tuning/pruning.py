"""What pruning saves: inner fits with and without, and the best value either way.

    python -m benchmarks.tuning.pruning [PROJECT TASK MODEL] [--trials 30]

PROJECT is a folder in which `make run` has been; without one, conv1d is tuned on the synthetic
study of the tuning benchmarks. The study of the first outer fold is made anew for each pruner, in
a folder that is removed again. Settings are proposed at random, the same for each pruner.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.tuning.problem import make_request

from corespot.params import load_params
from corespot.requests import tuning_request
from corespot.tune.journal import open_storage
from corespot.tune.outcome import fold_outcome
from corespot.tune.request import TuningRequest
from corespot.tune.work import open_studies, work


def measured(request: TuningRequest) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        here = replace(request, folder=Path(folder))
        started = time.perf_counter()
        work(here)
        (opened,) = open_studies(here, open_storage(None, here.folder))
        outcome = fold_outcome(opened)
        return {
            "seconds": round(time.perf_counter() - started, 1),
            "trials": outcome["trials"],
            "pruned": outcome["pruned"] + outcome["pruned_early"],
            "inner_fits": outcome["inner_fits"],
            "best_value": round(outcome["best_value"], 4),
            "best_trial": outcome["best_trial"],
            "settings": outcome["settings"],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", nargs="?")
    parser.add_argument("task", nargs="?")
    parser.add_argument("model", nargs="?")
    parser.add_argument("--trials", type=int, default=30)
    given = parser.parse_args()
    if given.project:
        os.chdir(given.project)
        request = tuning_request(load_params(), given.task, given.model, given.trials)
        compare(request)
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = {"epochs": 4}
        compare(make_request(Path(folder), model="conv1d", trials=given.trials, settings=settings))


def compare(request: TuningRequest) -> None:
    for pruner in ("none", "wilcoxon", "median"):
        # Not nested: one study, that of the first outer fold.
        tune = request.tune.model_copy(
            update={"pruner": pruner, "nested": False, "sampler": "random"}
        )
        print(pruner, json.dumps(measured(replace(request, tune=tune))), flush=True)


if __name__ == "__main__":
    main()
