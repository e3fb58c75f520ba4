"""A model trained anew with ways out and audited as the plain one was: before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from corespot.audit.model.audited_run import AuditRequest, audit_run
from corespot.audit.model.result import AuditResult
from corespot.errors import StoreError
from corespot.io.artifacts import as_json
from corespot.mitigate.before_after import BeforeAfter, pooled_accuracy
from corespot.mitigate.crossvalidate import MitigatedFoldResult, cross_validate_mitigated
from corespot.mitigate.regrouped_with_ways import regrouped_with_ways
from corespot.mitigate.seen import as_seen
from corespot.mitigate.standing import standing_of
from corespot.mitigate.way import Way
from corespot.progress import track
from corespot.train.crossvalidate import predictions_table
from corespot.train.tuned import Tuned


@dataclass(frozen=True, eq=False)
class MitigationRequest:
    """What is trained anew, and with what.

    Parameters
    ----------
    audit : AuditRequest
        The audit of the plain model: data, folds, lines, second cohort, its predictions.
    before : mapping
        What that audit found, the content of its ``audit.json``.
    ways : tuple of Way
        The ways out; changes of spectra follow each other in this order.
    settings : mapping
        Settings of model and training.
    tuned : Tuned
        Settings found for each fold.
    patient_folds : int or None
        Folds that hold out patients; ``None`` for none.
    seed : int
        Seed of training, the plain model's.
    device : str
        ``auto``, ``cpu`` or a torch device.
    """

    audit: AuditRequest
    before: Mapping[str, Any]
    ways: tuple[Way, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    tuned: Tuned = field(default_factory=Tuned)
    patient_folds: int | None = None
    seed: int = 0
    device: str = "auto"

    @property
    def name(self) -> str:
        """Names of the ways, ``artifact_projection+peak_list``."""
        return "+".join(way.name for way in self.ways)


@dataclass(frozen=True, eq=False)
class Mitigation:
    """What came of it.

    Parameters
    ----------
    record : BeforeAfter
        Accuracy and audit, before and after.
    audit : AuditResult
        The audit of the model with the ways.
    predictions : DataFrame
        Its out-of-fold predictions: ``row, repeat, fold, y`` and one probability a class.
    folds : tuple of MitigatedFoldResult
        The fitted models.
    """

    record: BeforeAfter
    audit: AuditResult
    predictions: pd.DataFrame
    folds: tuple[MitigatedFoldResult, ...]


def retrain(request: MitigationRequest) -> Mitigation:
    """Train on the stored folds with the ways, audit, and compare.

    Folds, seeds, settings, lines of the verdict, control cores and second cohort are those of the
    plain model, so that what differs is the ways' doing.

    Raises
    ------
    StoreError
        If the stored audit is of another run, or was judged by other lines.
    ModelError
        If the spectra do not support a way.
    ParamsError
        If a way is not for the model.
    """
    plain = request.audit
    check_before(request)
    common: dict[str, Any] = {
        "model": plain.model,
        "ways": request.ways,
        "seed": request.seed,
        "device": request.device,
    }
    results = cross_validate_mitigated(
        plain.store,
        plain.task,
        plain.folds,
        settings=request.settings,
        tuned=request.tuned,
        **common,
    )
    n_folds = sum(1 for _ in plain.folds)
    folds = tuple(track(results, label=f"train with {request.name}", total=n_folds, unit="folds"))
    predictions = pd.concat(
        [
            predictions_table(one.fold.test_rows, one.probabilities, fold=one.fold, task=plain.task)
            for one in folds
        ],
        ignore_index=True,
    )
    regrouped = regrouped_with_ways(
        plain.store,
        plain.task,
        # Those of the first fold, where every fold has its own, as for the plain model.
        settings={**request.settings, **request.tuned.of(next(iter(plain.folds)))},
        k=request.patient_folds,
        **common,
    )
    fitted = {(one.fold.repeat, one.fold.index): one for one in folds}
    audit = audit_run(
        replace(plain, predictions=predictions, regrouped=regrouped),
        load=lambda fold: fitted[fold.repeat, fold.index].estimator,
        as_seen=lambda fold, store, rows: as_seen(fitted[fold.repeat, fold.index], store, rows),
    )
    record = BeforeAfter(
        task=plain.task.name,
        model=plain.model,
        ways=tuple(way.name for way in request.ways),
        before=standing_of(request.before, pooled_accuracy(plain.predictions, plain.task.classes)),
        after=standing_of(audit.as_dict(), pooled_accuracy(predictions, plain.task.classes)),
    )
    return Mitigation(record, audit, predictions, folds)


def check_before(request: MitigationRequest) -> None:
    """Refuse an audit that a new one cannot be compared with.

    Raises
    ------
    StoreError
        If it is of another run, was judged by other lines, or the model was trained on other folds.
    """
    plain, before = request.audit, request.before
    named = f"the stored audit of {plain.model} on {plain.task.name}"
    if before["run_id"] != plain.run_id:
        raise StoreError(
            f"{named} is of run {before['run_id']}, and the trained model of run {plain.run_id}; "
            "run `dvc repro` to audit it again"
        )
    if before["thresholds"] != as_json(plain.thresholds.as_dict()):
        raise StoreError(
            f"{named} was judged by other lines ({before['thresholds'].get('source')}) than "
            f"params.yaml asks for now ({plain.thresholds.source}); run `dvc repro` to judge it "
            "again"
        )
    trained = plain.predictions[["repeat", "fold", "row"]]
    wanted = pd.concat(
        [
            pd.DataFrame({"repeat": fold.repeat, "fold": fold.index, "row": fold.test_rows})
            for fold in plain.folds
        ]
    )
    keys = ["repeat", "fold", "row"]
    one, other = (table.sort_values(keys).to_numpy(np.int64) for table in (trained, wanted))
    if not np.array_equal(one, other):
        raise StoreError(
            f"{plain.model} was trained on other folds than data/folds/{plain.task.name} holds; "
            "run `dvc repro` so that training follows the folds"
        )
