"""Tune one model on one task, record it in MLflow, and leave what training needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from corespot.io.artifacts import whole_folder, write_json, write_table
from corespot.progress import Bar
from corespot.report.html import save_figure_json
from corespot.report.tuning_page import write_tuning_page
from corespot.tracking.provenance import git_state
from corespot.tracking.studies import StudyRun
from corespot.train.tuned import write_settings
from corespot.tune.figures import study_figures
from corespot.tune.interruption import terminated_as_interrupted
from corespot.tune.journal import open_storage
from corespot.tune.outcome import trials_table, tuning_outcome
from corespot.tune.processes import plan_workers, work_together
from corespot.tune.request import TuningRequest
from corespot.tune.study import OpenStudy
from corespot.tune.work import counts, open_studies, work


def run_studies(
    request: TuningRequest, *, workers: int, cohort: str, uri: str | None
) -> tuple[list[OpenStudy], list[StudyRun]]:
    """Run trials until every study has as many as asked for, and log each in MLflow.

    What former starts have finished is kept and counted.

    Parameters
    ----------
    request : TuningRequest
        What is tuned.
    workers : int
        Processes.
    cohort : str
        Path of the cohort folder; its last part names the experiment.
    uri : str or None
        Tracking URI.
    """
    request = replace(request, launched=time.time())
    storage = open_storage(request.tune.storage, request.folder)
    studies = open_studies(request, storage)
    records = [_record(opened, cohort, uri) for opened in studies]
    label = f"{request.task.name} {request.model}"
    with Bar(label, total=counts(studies)[1], unit="trials") as bar:

        def look(_: object = None) -> None:
            for opened, record in zip(studies, records, strict=True):
                record.update(trials_table(opened))
            bar.show(counts(studies)[0])

        look()
        try:
            terminated_as_interrupted()
            if workers == 1:
                work(request, on_trial=look)
            else:
                needed = 4 * len(request.task) * studies[0].subject.n_bins
                plan = plan_workers(workers, device=request.device, needed_bytes=needed)
                if plan.note:
                    print(plan.note)
                work_together(request, plan, on_look=look)
        except BaseException:
            for record in records:
                record.fail()
            raise
        look()
    return studies, records


def tune_and_record(
    request: TuningRequest, out: Path, *, workers: int, cohort: str, uri: str | None
) -> None:
    """Run the studies of a model and write the stage's output.

    Parameters
    ----------
    request : TuningRequest
        What is tuned.
    out : Path
        Stage output: ``settings.json`` for training, ``tuned.json``, ``trials.parquet``, the page
        and the figures; complete or absent. The studies themselves stay where they are, so that a
        stage that was interrupted goes on.
    workers : int
        Processes.
    cohort : str
        Path of the cohort folder.
    uri : str or None
        Tracking URI.
    """
    studies, records = run_studies(request, workers=workers, cohort=cohort, uri=uri)
    with whole_folder(out) as part:
        write_outcome(request, studies, records, part)


def write_outcome(
    request: TuningRequest,
    studies: Sequence[OpenStudy],
    records: Sequence[StudyRun],
    part: Path,
) -> None:
    """Write what studies found into a folder, and end their runs in MLflow with it.

    Parameters
    ----------
    request : TuningRequest
        What was tuned.
    studies : sequence of OpenStudy
        Its studies.
    records : sequence of StudyRun
        Their runs.
    part : Path
        Receives the files.
    """
    outcome = tuning_outcome(request, studies)
    tables = [trials_table(opened) for opened in studies]
    figures = [study_figures(opened) for opened in studies]
    trials = pd.concat(tables, ignore_index=True)
    page = part / "tuning.html"
    write_tuning_page(page, outcome, trials, figures)
    for fold, table, drawn, record in zip(outcome["folds"], tables, figures, records, strict=True):
        folder = part / "studies" / f"repeat{fold['repeat']}-fold{fold['fold']}"
        folder.mkdir(parents=True)
        write_json(folder / "outcome.json", fold)
        write_table(folder / "trials.csv", table)
        for name, figure in drawn.items():
            save_figure_json(figure, folder / f"{name}.json")
        record.finish(fold, folder, page)
        fold["run_id"] = record.run.run_id
    write_table(part / "trials.parquet", trials)
    write_json(part / "tuned.json", outcome)
    write_settings(part, outcome)


def _record(opened: OpenStudy, cohort: str, uri: str | None) -> StudyRun:
    request, fold = opened.subject.request, opened.subject.fold
    return StudyRun(
        opened.study.study_name,
        experiment=Path(cohort).name,
        tags={
            "task": request.task.name,
            "model": request.model,
            "cohort": cohort,
            "outer_fold": f"repeat{fold.repeat}-fold{fold.index}",
            "nested": str(request.tune.nested).lower(),
            "folds.fingerprint": request.folds.fingerprint,
            **git_state(Path.cwd()),
        },
        lock=request.folder / "mlflow.lock",
        uri=uri,
        keep_folds=request.tune.keep_folds,
    )
