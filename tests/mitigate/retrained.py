"""A trained and audited model on a tiny nested cohort, with a second one that tells the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.simulated_cohort import simulated_store
from corespot.audit.calibration.thresholds import Calibration
from corespot.audit.model.audited_run import AuditRequest, audit_run
from corespot.audit.model.metadata import metadata_of
from corespot.audit.model.regrouped import regrouped_scores
from corespot.audit.model.scored_rows import SecondCohort
from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.io.artifacts import as_json
from corespot.io.store import SpectraStore
from corespot.mitigate.requested import make_ways
from corespot.mitigate.retrain import MitigationRequest
from corespot.synth import make_cohort, preset
from corespot.train.crossvalidate import cross_validate, predictions_table

TASK = Task(label="organ", classes=("lung", "pancreas"))
SEED = 3
#: Seed of training.
TRAINED = 1


def cohorts(seed: int = SEED) -> tuple[SpectraStore, SpectraStore]:
    """The tiny cohort with strong artifacts, every TMA of one organ; and one of a broken design."""
    settings = preset("tiny")
    made = (make_cohort(one, seed) for one in (settings, settings.as_counterfactual()))
    store, second = (simulated_store(one) for one in made)
    meta = {"scale": 1.0, "recipe": []}
    return replace(store, meta=meta), replace(second, meta=meta)


def spots_of(store: SpectraStore) -> TaskSpots:
    return select_spots(store.spots, "LP", TASK)


def plain(
    store: SpectraStore, second: SpectraStore | None, model: str = "logistic", **settings: Any
) -> AuditRequest:
    """What training without ways leaves, as the audit's request and with its fitted models."""
    task = spots_of(store)
    folds = make_folds(task, FoldSettings.parse({"group": "tma", "k": 2, "seed": 1}, "folds"))
    results = cross_validate(
        store, task, folds, model=model, settings=settings, seed=TRAINED, device="cpu"
    )
    fitted = list(results)
    FITTED[model] = {(one.fold.repeat, one.fold.index): one.estimator for one in fitted}
    tables = [
        predictions_table(one.fold.test_rows, one.probabilities, fold=one.fold, task=task)
        for one in fitted
    ]
    return AuditRequest(
        store=store,
        task=task,
        folds=folds,
        model=model,
        models=Path("nowhere"),
        run_id="plain",
        predictions=pd.concat(tables, ignore_index=True),
        thresholds=Calibration.shipped().of(model, "LP"),
        regrouped=regrouped_scores(
            store, task, model=model, settings=settings, k=2, seed=TRAINED, device="cpu"
        ),
        columns=metadata_of(task, leave_out=["subtype"]),
        second=None if second is None else SecondCohort(second, spots_of(second)),
        n_bootstrap=100,
    )


#: Fitted plain models, by model and fold.
FITTED: dict[str, dict[tuple[int, int], Any]] = {}


def stored(request: AuditRequest) -> dict[str, Any]:
    """The plain model's audit as it is read from its file."""
    fitted = FITTED[request.model]
    result = audit_run(request, load=lambda fold: fitted[fold.repeat, fold.index])
    found = as_json({**result.as_dict(), "run_id": request.run_id})
    assert isinstance(found, dict)
    return found


def asked(
    request: AuditRequest, before: dict[str, Any], names: Any, **settings: Any
) -> MitigationRequest:
    return MitigationRequest(
        audit=request,
        before=before,
        ways=make_ways(names, settings, model=request.model),
        patient_folds=None if isinstance(request.regrouped, NotApplicable) else 2,
        seed=TRAINED,
        device="cpu",
    )


def accuracy_on(store: SpectraStore, models: dict[tuple[int, int], Any]) -> float:
    """Mean over models of balanced accuracy on a cohort, the long way round."""
    task = spots_of(store)
    scores = []
    for estimator in models.values():
        named = estimator.predict(store.take(task.rows)).astype(str)
        truth = np.asarray(task.classes)[task.y]
        scores.append(np.mean([(named == truth)[truth == name].mean() for name in task.classes]))
    return float(np.mean(scores))
