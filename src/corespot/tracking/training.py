"""Cross-validate a model on a task, write the stage's output, and record both in MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import corespot
from corespot.io.artifacts import whole_file, whole_folder
from corespot.tracking.fold_records import TrainingRequest, every_setting, record_fold
from corespot.tracking.links import APP_URL, link_tags
from corespot.tracking.provenance import dvc_hashes, git_state
from corespot.tracking.run_records import record_whole
from corespot.tracking.runs import Run, reopen_run, start_run
from corespot.train.crossvalidate import cross_validate


@contextmanager
def open_training_run(
    request: TrainingRequest,
    *,
    cohort: str,
    uri: str | None,
    app_url: str = APP_URL,
    called: str = "",
    more_tags: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """Open the parent run of a task and model, tagged with all it depends on.

    Parameters
    ----------
    request : TrainingRequest
        What is trained.
    cohort : str
        Path of the cohort folder as ``params.yaml`` gives it; its last part names the experiment.
    uri : str or None
        Tracking URI, see `resolve_uri`.
    app_url : str
        Where the review app is served; the run is tagged with links to it.
    called : str
        What is put behind task and model in the run's name.
    more_tags : mapping, optional
        Further tags, or others in place of the usual ones.
    """
    here = Path.cwd()
    hashes = dvc_hashes(here, {"raw": cohort, "store": "data/store", "folds": "data/folds"})
    tags = {
        "task": request.task.name,
        "model": request.model,
        "level": "model",
        "cohort": cohort,
        "grouping": request.folds.grouping,
        "optimistic": str(request.folds.optimistic).lower(),
        "tuning": request.tuned.note or "not tuned",
        "folds.fingerprint": request.folds.fingerprint,
        "axis.fingerprint": request.store.axis.fingerprint,
        "corespot.version": corespot.__version__,
        **{f"dvc.{name}": value for name, value in hashes.items()},
        **git_state(here),
        **(more_tags or {}),
    }
    name = f"{request.task.name} {request.model} {called}".rstrip()
    with start_run(name, experiment=Path(cohort).name, tags=tags, uri=uri) as run:
        run.tags(link_tags(run.run_id, app_url))
        profile = {"n_spots": len(request.task), "n_bins": request.store.axis.n_bins}
        run.dataset(f"{Path(cohort).name} store", hashes["store"], "data/store", profile)
        fold_profile = {"grouping": request.folds.grouping}
        run.dataset(
            f"{request.task.name} folds", request.folds.fingerprint, "data/folds", fold_profile
        )
        yield run


def train_and_record(request: TrainingRequest, run: Run, out: Path, checkpoints: Path) -> None:
    """Run all folds, each in a child run, then write and log the whole.

    Parameters
    ----------
    request : TrainingRequest
        What to train.
    run : Run
        Open parent run.
    out : Path
        Stage output: predictions, metrics, fold models, ``run_id.txt``; complete or absent.
    checkpoints : Path
        Folder from which an interrupted run goes on; removed when the stage is done.
    """
    _end_interrupted(run, checkpoints / "run_id.txt")
    run.params(described(request))
    with whole_folder(out) as part:
        results = cross_validate(
            request.store,
            request.task,
            request.folds,
            model=request.model,
            settings=request.settings,
            seed=request.seed,
            device=request.device,
            checkpoints=checkpoints,
            watch=request.watch,
            ablations=True,
            tuned=request.tuned,
        )
        done = [record_fold(request, run, result, part) for result in results]
        record_whole(request, run, done, part)
        (part / "run_id.txt").write_text(run.run_id + "\n", encoding="utf-8")
    shutil.rmtree(checkpoints, ignore_errors=True)
    if checkpoints.parent.is_dir() and not any(checkpoints.parent.iterdir()):
        checkpoints.parent.rmdir()


def _end_interrupted(run: Run, marker: Path) -> None:
    """Mark the run of an interrupted try as killed, and leave word for the next one."""
    if marker.is_file():
        former = reopen_run(marker.read_text(encoding="utf-8").strip(), run.client.tracking_uri)
        if former is not None:
            former.end_unfinished("KILLED")
    with whole_file(marker) as part:
        part.write_text(run.run_id + "\n", encoding="utf-8")


def described(request: TrainingRequest) -> dict[str, Any]:
    """Parameters of a run: what is trained on what, and with which settings."""
    table = request.folds
    return {
        "task": request.task.name,
        "model": request.model,
        "classes": list(request.task.classes),
        "seed": request.seed,
        "n_spots": len(request.task),
        "n_bins": request.store.axis.n_bins,
        "folds": {"group": table.grouping, "fingerprint": table.fingerprint[:16]},
        "recipe": request.store.meta["recipe"],
        **every_setting(request),
    }
