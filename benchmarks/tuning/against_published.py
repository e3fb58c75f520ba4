"""Tuned against published settings on the outer folds, spot by spot the same.

    python -m benchmarks.tuning.against_published PROJECT TASK MODEL

PROJECT is a folder in which `make run` (or `dvc repro`) has tuned the model. Every outer fold is
trained with the setting tuned for it, with the published one, and with that of ``params.yaml``;
differences of balanced accuracy are paired by patient, with 95 % intervals over patients. What is
outside of the search space (epochs, say) is the same for all three.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pandas as pd

from corespot.cohort.tasks import select_spots
from corespot.evaluate.ablation import ablation_drops
from corespot.evaluate.summary import fold_table
from corespot.io.folds import read_folds
from corespot.io.store import SpectraStore
from corespot.params import load_params
from corespot.train.crossvalidate import cross_validate, predictions_table
from corespot.train.tuned import Tuned, read_tuned
from corespot.tune.space import published, space_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project")
    parser.add_argument("task")
    parser.add_argument("model")
    given = parser.parse_args()
    os.chdir(given.project)
    params = load_params()
    store = SpectraStore.open("data/store")
    task = select_spots(store.spots, given.task, params.task(given.task).plain())
    folds = read_folds(Path("data/folds") / given.task)
    tuned = read_tuned(Path("data/tune") / given.task / given.model / "tuned.json", folds)
    space = space_of(given.model, params.tune.space_of(given.model), "params.yaml")
    own = params.model_settings(given.task, given.model)
    kinds = {
        "tuned": (own, tuned),
        "published": ({**own, **published(given.model, space)[0]}, Tuned()),
        "params.yaml": (own, Tuned()),
    }
    predictions = {
        name: pd.concat(
            [
                predictions_table(r.fold.test_rows, r.probabilities, fold=r.fold, task=task)
                for r in cross_validate(
                    store,
                    task,
                    folds,
                    model=given.model,
                    settings=settings,
                    seed=params.seed,
                    device=params.device,
                    tuned=which,
                )
            ],
            ignore_index=True,
        )
        for name, (settings, which) in kinds.items()
    }
    drops = ablation_drops(
        predictions["tuned"],
        {name: predictions[name] for name in ("published", "params.yaml")},
        store.spots,
        task.classes,
        n_bootstrap=2000,
    )
    result: dict[str, object] = {"task": given.task, "model": given.model}
    for name, table in predictions.items():
        lines = fold_table(table, store.spots, task.classes)
        lines = lines[(lines["level"] == "spot") & (lines["metric"] == "balanced_accuracy")]
        result[name] = {"folds": [round(float(v), 4) for v in lines["value"]]}
    for name, drop in drops.items():
        result[f"tuned - {name}"] = {
            "tuned": round(drop["intact"], 4),
            name: round(drop["ablated"], 4),
            "difference": round(drop["drop"], 4),
            "ci95": [round(v, 4) for v in drop["ci95"] or []],
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
