"""The leakage gap: one model, one task, under groupings from random spots to whole TMAs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from corespot.cohort.splits import FoldSettings, FoldTable, leakage_groupings
from corespot.cohort.tasks import TaskSpots
from corespot.evaluate.leakage import leakage_gap
from corespot.evaluate.summary import evaluate_predictions
from corespot.io.store import SpectraStore
from corespot.train.crossvalidate import cross_validate, predictions_table


@dataclass(frozen=True)
class LeakageRequest:
    """Which model is trained under every grouping.

    Parameters
    ----------
    model : str
        Registered model name.
    settings : mapping
        Its settings, the same under every grouping.
    seed : int
        Seed of the run.
    device : str
        ``auto``, ``cpu`` or a torch device.
    n_bootstrap : int
        Resamples behind the intervals.
    """

    model: str
    settings: Mapping[str, Any]
    seed: int
    device: str = "auto"
    n_bootstrap: int = 1000


def measure_leakage(
    store: SpectraStore, task: TaskSpots, settings: FoldSettings, request: LeakageRequest
) -> pd.DataFrame:
    """Cross-validate one model under every grouping that the task allows.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        Rows and labels.
    settings : FoldSettings
        Number of folds, repeats and seed; its grouping is replaced.
    request : LeakageRequest
        What is trained.

    Returns
    -------
    DataFrame
        As `corespot.evaluate.leakage.leakage_gap`, with ``task`` and ``model`` in front. Groupings
        that are impossible are listed with the reason.
    """
    groupings = leakage_groupings(task, settings)
    evaluated: dict[str, dict[str, Any]] = {
        table.grouping: evaluate_predictions(
            _out_of_fold(store, task, table, request),
            store.spots,
            task.classes,
            n_bootstrap=request.n_bootstrap,
        )
        for table in groupings
    }
    gap = leakage_gap(evaluated, refused=groupings.refused)
    gap.insert(0, "task", task.name)
    gap.insert(1, "model", request.model)
    return gap


def _out_of_fold(
    store: SpectraStore, task: TaskSpots, table: FoldTable, request: LeakageRequest
) -> pd.DataFrame:
    results = cross_validate(
        store,
        task,
        table,
        model=request.model,
        settings=request.settings,
        seed=request.seed,
        device=request.device,
    )
    return pd.concat(
        [
            predictions_table(
                result.fold.test_rows, result.probabilities, fold=result.fold, task=task
            )
            for result in results
        ],
        ignore_index=True,
    )
