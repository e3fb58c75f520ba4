"""A mitigation in files: before and after, the audit, predictions and the models."""

from __future__ import annotations

from pathlib import Path

from corespot.audit.model.written import write_audit
from corespot.io.artifacts import whole_folder, write_json, write_table
from corespot.mitigate.retrain import Mitigation, MitigationRequest, retrain
from corespot.mitigate.saved import save_mitigated

#: Folder of mitigated models in a project.
FOLDER = Path("data/mitigated")
#: File and folders of one of them.
RECORD, AUDIT, MODELS = "before_after.json", "audit", "models"


def folder_of(request: MitigationRequest) -> Path:
    """Where a project keeps a model that was trained with these ways."""
    return FOLDER / request.audit.task.name / request.audit.model / request.name


def mitigate_and_write(
    request: MitigationRequest, out: Path, *, run_id: str | None = None
) -> Mitigation:
    """Train and audit as `retrain` does, and write what came of it, whole or not at all.

    Parameters
    ----------
    request : MitigationRequest
        What to train, and with what.
    out : Path
        Where to; replaced if it is there.
    run_id : str, optional
        MLflow run that records it, if there is one.
    """
    made = retrain(request)
    with whole_folder(out) as part:
        write_mitigation(part, request, made, run_id=run_id)
    return made


def write_mitigation(
    folder: Path, request: MitigationRequest, made: Mitigation, *, run_id: str | None = None
) -> None:
    """Write record, predictions, audit and models into an open folder.

    Parameters
    ----------
    folder : Path
        Where to.
    request : MitigationRequest
        What was asked for.
    made : Mitigation
        What came of it.
    run_id : str, optional
        MLflow run of the model with the ways, if there is one.

    Notes
    -----
    Models of a way that corrects whole TMAs cannot be applied to single spectra, and are left out.
    """
    content = {
        **made.record.as_dict(),
        "settings": {way.name: way.settings.model_dump(mode="json") for way in request.ways},
        "run_id": run_id,
        "run_id_before": request.audit.run_id,
    }
    write_json(folder / RECORD, content)
    write_table(folder / "predictions.parquet", made.predictions)
    (folder / AUDIT).mkdir()
    write_audit(folder / AUDIT, made.audit, run_id=run_id or "")
    if any(way.batches() is not None for way in request.ways):
        return
    for one in made.folds:
        save_mitigated(
            folder / MODELS / f"repeat{one.fold.repeat}-fold{one.fold.index}",
            one.estimator,
            classes=[str(name) for name in one.estimator.classes_],
            recipe=request.audit.store.meta["recipe"],
        )
