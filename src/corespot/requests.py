"""What ``params.yaml`` asks of the stages that the command line runs, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corespot.audit.calibration.study_fits import StudyFit
from corespot.audit.calibration.study_layout import SPOTS_PER_PATIENT, StudyLayout
from corespot.audit.calibration.thresholds import Calibration
from corespot.audit.model.audited_run import AuditRequest
from corespot.audit.model.metadata import metadata_of
from corespot.audit.model.regrouped import read_regrouped
from corespot.audit.model.scored_rows import SecondCohort
from corespot.audit.model.stored import stored_audits
from corespot.cohort.tasks import select_spots
from corespot.errors import AuditError, ParamsError, StoreError, TuneError
from corespot.io.artifacts import read_table
from corespot.io.folds import read_folds
from corespot.io.store import SpectraStore
from corespot.mitigate.requested import make_ways
from corespot.mitigate.retrain import MitigationRequest
from corespot.mitigate.way import way_names
from corespot.models.registry import entry
from corespot.params import Params
from corespot.tracking.store import project_root
from corespot.train.tuned import Tuned, read_tuned
from corespot.tune.request import TuningRequest
from corespot.tune.space import space_of


def tuning_request(
    params: Params, task: str, model: str, trials: int | None = None
) -> TuningRequest:
    """The studies of a model on a task.

    Parameters
    ----------
    params : Params
        Content of ``params.yaml``.
    task, model : str
        Of which task and model.
    trials : int, optional
        Trials a study, in place of what ``params.yaml`` says.

    Raises
    ------
    ModelError
        If there is no such model.
    ParamsError
        If there is no such task, or the search space is none.
    StoreError
        If the folds or the store are not there yet.
    TuneError
        If no trials are asked for, or nothing may vary.
    """
    entry(model)  # a misspelt name is told as such
    definition = params.task(task).plain()
    tune = params.tune.model_copy(update={"storage": params.tune.storage_in(project_root())})
    wanted = tune.trials_of(task, model) if trials is None else trials
    if wanted < 1:
        raise TuneError(
            f"params.yaml asks for no trials of {model} on {task}; set tune.trials or "
            f"tune.models.{model}.trials, or give --trials"
        )
    where = f"params.yaml: tune.models.{model}.space"
    space = space_of(model, tune.space_of(model), where)
    if not space:
        raise TuneError(f"{where}: nothing is left to be tuned; leave a setting in")
    store = Path("data/store")
    return TuningRequest(
        store=store.resolve(),
        task=select_spots(SpectraStore.open(store).spots, task, definition),
        folds=read_folds(Path("data/folds") / task),
        model=model,
        settings=params.model_settings(task, model),
        space=space,
        tune=tune,
        trials=wanted,
        timeout=tune.timeout_of(model),
        # The project's own folder, also when DVC runs a copy of it: studies outlive the copy.
        folder=project_root() / "data" / "studies",
        device=params.device,
    )


def calibration_of(params: Params) -> Calibration:
    """The calibration that ``params.yaml`` names, else the one that is shipped.

    Raises
    ------
    AuditError
        If it is missing or is none.
    """
    named = params.audit.calibration
    return Calibration.shipped() if named is None else Calibration.read(Path(named))


def audit_request(params: Params, task: str, model: str) -> AuditRequest:
    """The audit of a trained model.

    Parameters
    ----------
    params : Params
        Content of ``params.yaml``.
    task, model : str
        Of which task and model.

    Raises
    ------
    AuditError
        If the calibration cannot be read or has no lines for the model.
    ParamsError
        If there is no such task.
    StoreError
        If something that the audit reads is not there yet.
    """
    definition, here = params.task(task).plain(), Path(task) / model
    store, trained = SpectraStore.open("data/store"), Path("data/train") / here
    spots = select_spots(store.spots, task, definition)
    labels = {each.label for each in params.tasks.values()} | {
        each.truth.label for each in params.tasks.values() if each.truth is not None
    }
    second = None
    if task in params.audit.counterfactual:
        other = SpectraStore.open(Path("data/second") / task)
        second = SecondCohort(other, select_spots(other.spots, task, definition))
    return AuditRequest(
        store=store,
        task=spots,
        folds=read_folds(Path("data/folds") / task),
        model=model,
        models=trained / "models",
        run_id=_run_id_of(trained),
        predictions=read_table(trained / "predictions.parquet"),
        thresholds=calibration_of(params).of(model, task),
        regrouped=read_regrouped(Path("data/regrouped") / here, spots),
        columns=metadata_of(spots, leave_out=sorted(labels), control=params.audit.control),
        control=params.audit.control,
        second=second,
        n_bootstrap=params.evaluate.bootstrap,
        seed=params.evaluate.seed,
    )


def stored_audit(params: Params, task: str, model: str) -> dict[str, Any]:
    """What the stage ``audit`` found of a trained model, the content of its ``audit.json``.

    Raises
    ------
    AuditError
        If it was not audited yet.
    ModelError, ParamsError
        If there is no such model or task.
    """
    entry(model)  # a misspelt name is told as such
    params.task(task)
    (found,) = stored_audits(task=task, model=model)
    return found


def mitigation_request(
    params: Params,
    task: str,
    model: str,
    ways: Sequence[str],
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> MitigationRequest:
    """A trained and audited model, to be trained anew with ways out of confounding.

    Parameters
    ----------
    params : Params
        Content of ``params.yaml``.
    task, model : str
        Of which task and model.
    ways : sequence of str
        Names of the ways, in order.
    settings : mapping of str to mapping, optional
        Settings by way.

    Raises
    ------
    AuditError
        If the model was not audited yet.
    ModelError, ParamsError
        If there is no such model, task or way, or a way is not for the model.
    StoreError
        If something that is read is not there yet.
    """
    entry(model)  # misspelt names are told as such
    params.task(task)
    made = make_ways(ways, settings, model=model, where="corespot mitigate")
    if not made:
        raise ParamsError(f"name a way out; there are {', '.join(way_names())}")
    before = stored_audit(params, task, model)
    audit = audit_request(params, task, model)
    is_tuned = params.tune.trials_of(task, model) > 0
    tuned = Path("data/tune") / task / model / "settings.json"
    return MitigationRequest(
        audit=audit,
        before=before,
        ways=made,
        settings=params.model_settings(task, model),
        tuned=read_tuned(tuned, audit.folds) if is_tuned else Tuned(),
        patient_folds=params.audit.patient_folds,
        seed=params.seed,
        device=params.device,
    )


def _run_id_of(trained: Path) -> str:
    path = trained / "run_id.txt"
    if not path.is_file():
        raise StoreError(f"{path} is missing; run `dvc repro` to train the model first")
    return path.read_text(encoding="utf-8").strip()


def calibration_fits(
    params: Params,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    *,
    spots_per_patient: int = SPOTS_PER_PATIENT,
) -> tuple[list[StudyFit], list[str]]:
    """What a calibration for the study's own layout fits, task by task and model by model.

    Parameters
    ----------
    params : Params
        Content of ``params.yaml``.
    tasks, models : sequence of str
        Which; those of ``params.yaml`` where none is named.
    spots_per_patient : int
        Spots of a synthetic patient, at most about.

    Returns
    -------
    fits : list of StudyFit
        The fits.
    left_out : list of str
        Tasks that were not asked for by name and need no lines, with the reason.

    Raises
    ------
    AuditError
        If nothing simulates the data, or no task needs lines.
    ModelError, ParamsError
        If there is no such model or task.
    StoreError
        If the store is not there yet.
    """
    for model in models:
        entry(model)  # a misspelt name is told as such
    wanted = {name: params.task(name).plain() for name in tasks or params.tasks}
    store = SpectraStore.open("data/store")
    fits: list[StudyFit] = []
    left_out: list[str] = []
    for name, definition in wanted.items():
        spots = select_spots(store.spots, name, definition)
        layout = StudyLayout.of(store, spots, control=params.audit.control)
        if not layout.is_tied:
            left_out.append(
                f"{name}: class and TMA are not tied (V = {layout.tie:.2f}), so that no verdict "
                "depends on lines and none are drawn"
            )
            continue
        fits += [
            StudyFit(
                layout=layout,
                model=model,
                settings=params.model_settings(name, model),
                folds=params.folds,
                patient_folds=params.audit.patient_folds,
                recipe=tuple(store.meta["recipe"]),
                scale=store.scale,
                spots_per_patient=spots_per_patient,
            )
            for model in dict.fromkeys(models or params.models)
        ]
    if not fits or (tasks and left_out):
        raise AuditError("\n".join(left_out))
    return fits, left_out
