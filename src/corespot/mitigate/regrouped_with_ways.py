"""Scores with patients held out of a model that is trained with ways out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.masking import balanced_accuracy
from corespot.audit.model.regrouped import RegroupedScores, patient_folds
from corespot.audit.shares.changed_spectra import log_odds
from corespot.cohort.tasks import TaskSpots
from corespot.mitigate.crossvalidate import cross_validate_mitigated
from corespot.mitigate.prepare import SpectraSource
from corespot.mitigate.way import Way
from corespot.progress import track


def regrouped_with_ways(
    store: SpectraSource,
    task: TaskSpots,
    *,
    model: str,
    settings: Mapping[str, Any],
    ways: Sequence[Way],
    k: int | None,
    seed: int = 0,
    device: str = "auto",
) -> RegroupedScores | NotApplicable:
    """Scores with patients held out of a model with ways: the folds and seeds of the plain one.

    Parameters
    ----------
    store, task, model, settings, seed, device
        See there.
    ways : sequence of Way
        Fitted anew on the training part of every fold.
    k : int or None
        Number of folds; ``None`` trains nothing.
    """
    if k is None:
        return NotApplicable(
            "the model was not trained with patients held out; set audit.patient_folds in "
            "params.yaml"
        )
    folds = patient_folds(task, k=k, seed=seed)
    if isinstance(folds, NotApplicable):
        return folds
    results = cross_validate_mitigated(
        store,
        task,
        folds,
        model=model,
        settings=settings,
        ways=ways,
        seed=seed,
        device=device,
    )
    scores = np.zeros((len(task), len(task.classes)))
    accuracies = []
    for result in track(results, label="train, patients held out", total=k, unit="folds"):
        at = np.searchsorted(task.rows, result.fold.test_rows)
        assert result.prepared is not None
        x: Any = result.prepared.spectra.rows(result.fold.test_rows)
        scores[at] = log_odds(result.estimator, x, task.classes)
        accuracies.append(balanced_accuracy(task.y[at], scores[at].argmax(axis=1)))
    return RegroupedScores(folds.grouping, scores, float(np.mean(accuracies)))
