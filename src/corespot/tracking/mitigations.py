"""A model trained with ways out, written and recorded in a run of its own beside the plain one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import corespot
from corespot.evaluate.summary import evaluate_predictions, fold_table
from corespot.io.artifacts import read_json, write_json, write_table
from corespot.mitigate.retrain import Mitigation, MitigationRequest, check_before
from corespot.mitigate.written import AUDIT, MODELS, RECORD, mitigate_and_write
from corespot.tracking.audits import record_audit
from corespot.tracking.fold_records import TrainingRequest
from corespot.tracking.headline import headline
from corespot.tracking.links import APP_URL
from corespot.tracking.pyfunc import log_ensemble
from corespot.tracking.run_records import spots_of
from corespot.tracking.runs import Run
from corespot.tracking.served import served_tags
from corespot.tracking.training import described, open_training_run


def mitigate_and_record(
    request: MitigationRequest,
    out: Path,
    *,
    cohort: str,
    uri: str | None,
    app_url: str = APP_URL,
) -> Mitigation:
    """Train with the ways, write what came of it, and record it in MLflow.

    Parameters
    ----------
    request : MitigationRequest
        What to train, and with what.
    out : Path
        Output folder; complete or as it was.
    cohort : str
        Path of the cohort folder as ``params.yaml`` gives it; its last part names the experiment.
    uri : str or None
        Tracking URI.
    app_url : str
        Where the review app is served.
    """
    check_before(request)  # before a run is opened for it
    audit = request.audit
    training = TrainingRequest(
        store=audit.store,
        task=audit.task,
        folds=audit.folds,
        model=audit.model,
        settings=request.settings,
        seed=request.seed,
        device=request.device,
        tuned=request.tuned,
    )
    tags = {
        # Whoever looks for the models of a study must not find this one among them.
        "level": "mitigated model",
        "mitigation": request.name,
        "mitigation.of": audit.run_id,
    }
    called = f"with {request.name}"
    with open_training_run(
        training, cohort=cohort, uri=uri, app_url=app_url, called=called, more_tags=tags
    ) as run:
        run.params(
            {
                **described(training),
                "mitigation": {
                    way.name: way.settings.model_dump(mode="json") or "no settings"
                    for way in request.ways
                },
            }
        )
        made = mitigate_and_write(request, out, run_id=run.run_id)
        _record(run, training, request, made, out)
        record_audit(run.run_id, read_json(out / AUDIT / "audit.json"), out / AUDIT, uri)
    return made


def _record(
    run: Run, training: TrainingRequest, request: MitigationRequest, made: Mitigation, out: Path
) -> None:
    """Log accuracy with the ways, and under ``before.`` that of the plain model."""
    audit, record = request.audit, made.record
    metrics = evaluate_predictions(
        made.predictions,
        audit.store.spots,
        audit.task.classes,
        n_bootstrap=training.n_bootstrap,
        seed=training.bootstrap_seed,
    )
    run.metrics(headline(metrics))
    for prefix, standing in (("before.", record.before), ("", record.after)):
        second = standing.counterfactual
        run.metrics(
            {
                f"{prefix}cross_validated_balanced_accuracy": standing.cross_validated,
                f"{prefix}counterfactual_balanced_accuracy": None
                if second is None
                else second.balanced_accuracy,
                f"{prefix}counterfactual_drop": standing.drop,
                f"{prefix}artifact_share": standing.readings.get("artifact_share"),
            }
        )
    run.tags({"mitigation.verdict_before": record.before.verdict})
    run.artifact(out / RECORD)
    metrics |= {
        "grouping": audit.folds.grouping,
        "optimistic": audit.folds.optimistic,
        "n_spots": len(audit.task),
        "run_id": run.run_id,
        "tuning": {"kind": training.tuned.kind, "note": training.tuned.note},
    }
    _log_as_training_does(run, training, made, metrics)
    if (out / MODELS).is_dir():
        run.artifacts(out / MODELS, "models")
        run.tags(served_tags(run, log_ensemble(run, out / MODELS, corespot.__version__)))


def _log_as_training_does(
    run: Run, training: TrainingRequest, made: Mitigation, metrics: dict[str, Any]
) -> None:
    """Files under the names of a plain run, so that both are read and compared alike."""
    tables = {
        "predictions": made.predictions,
        "fold_metrics": fold_table(made.predictions, training.store.spots, training.task.classes),
        "folds": training.folds.assignment,
        "spots": spots_of(training.task),
    }
    with TemporaryDirectory() as folder:
        (Path(folder) / "tables").mkdir()
        for name, table in tables.items():
            write_table(Path(folder) / "tables" / f"{name}.parquet", table)
        write_json(Path(folder) / "metrics.json", metrics)
        run.artifacts(Path(folder))
