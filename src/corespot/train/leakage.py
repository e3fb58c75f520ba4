"""The leakage gap: one model, one task, under groupings from random spots to whole TMAs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from corespot.cohort.splits import FoldSettings, FoldTable, leakage_groupings
from corespot.cohort.tasks import TaskSpots
from corespot.evaluate.summary import evaluate_predictions
from corespot.io.store import SpectraStore
from corespot.train.crossvalidate import cross_validate, predictions_table


def measure_leakage(
    store: SpectraStore,
    task: TaskSpots,
    settings: FoldSettings,
    *,
    model: str,
    model_settings: Mapping[str, Any],
    seed: int,
    device: str = "auto",
    bootstrap: int = 1000,
) -> dict[str, Any]:
    """Cross-validate `model` under every grouping that the task allows.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        Rows and labels.
    settings : FoldSettings
        Number of folds, repeats and seed; its grouping is replaced.
    model, model_settings
        What is trained; the same under every grouping.
    seed : int
        Seed of the run.
    device : str
        ``auto``, ``cpu`` or a torch device.
    bootstrap : int
        Resamples behind the intervals.

    Returns
    -------
    dict
        ``model``; ``groupings``: name to balanced accuracy on spots and cores with interval and
        the word *optimistic* where it applies; ``impossible``: name to reason; ``gap``: random
        spots minus the strictest grouping that was possible.
    """
    possible, impossible = leakage_groupings(task, settings)
    groupings = {
        table.grouping: _evaluated(
            store, task, table, model, model_settings, seed, device, bootstrap
        )
        for table in possible
    }
    strictest = possible[-1].grouping
    gap = (
        groupings["spot"]["spot"]["median"] - groupings[strictest]["spot"]["median"]
        if "spot" in groupings
        else None
    )
    return {
        "model": model,
        "groupings": groupings,
        "impossible": impossible,
        "strictest": strictest,
        "gap": gap,
    }


def _evaluated(
    store: SpectraStore,
    task: TaskSpots,
    table: FoldTable,
    model: str,
    settings: Mapping[str, Any],
    seed: int,
    device: str,
    bootstrap: int,
) -> dict[str, Any]:
    results = cross_validate(
        store, task, table, model=model, settings=settings, seed=seed, device=device
    )
    predictions = pd.concat(
        [
            predictions_table(
                result.fold.test_rows, result.probabilities, fold=result.fold, task=task
            )
            for result in results
        ],
        ignore_index=True,
    )
    levels = evaluate_predictions(predictions, store.spots, task.classes, n_bootstrap=bootstrap)
    return {
        "optimistic": table.optimistic,
        "spot": levels["spot"]["balanced_accuracy"],
        "core": levels["core"]["balanced_accuracy"],
    }
