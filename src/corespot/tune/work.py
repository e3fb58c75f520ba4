"""The work on the studies of a task and model: this process, or several beside each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from optuna.storages import BaseStorage

from corespot.tune.attributes import FINISHED
from corespot.tune.journal import open_storage
from corespot.tune.liveness import Worker
from corespot.tune.request import TuningRequest
from corespot.tune.study import OpenStudy, open_study, reserve
from corespot.tune.trial import run_trial

OnTrial = Callable[[OpenStudy], None]

#: When this process began, for those who give no time.
_STARTED = time.time()
#: Seconds between looks while other processes run the last trials.
_LOOK_AGAIN = 0.5


def open_studies(request: TuningRequest, storage: BaseStorage) -> list[OpenStudy]:
    """Open the study of every outer fold, made if it is new; spectra are let go again."""
    studies = []
    for fold in request.outer_folds():
        studies.append(open_study(storage, request.subject(fold)))
        studies[-1].subject.release()
    return studies


def work(request: TuningRequest, *, share: int = 0, on_trial: OnTrial | None = None) -> None:
    """Run trials until every study has as many as asked for, or its time is up.

    Any number of processes may do this at once, also from different shells: each trial is
    reserved under a lock. A process whose trials are all taken waits for the others, so that one
    of theirs can be taken over if its process dies.

    Parameters
    ----------
    request : TuningRequest
        What is tuned.
    share : int
        Number of this process among its fellows; each starts with another study.
    on_trial : callable, optional
        Called with the study after each of its trials.
    """
    storage = open_storage(request.tune.storage, request.folder)
    pending = open_studies(request, storage)
    first = share % max(len(pending), 1)
    pending = pending[first:] + pending[:first]
    with Worker(request.folder) as worker:
        while pending:
            worked = False
            for opened in list(pending):
                state = _run_all(opened, worker, request, on_trial)
                worked |= state == "worked"
                if state == "done":
                    pending.remove(opened)
                opened.subject.release()
            if pending and not worked:
                time.sleep(_LOOK_AGAIN)


def _overdue(opened: OpenStudy) -> bool:
    """Whether the time of a study is up, counted from the first trial of this start."""
    request = opened.subject.request
    if request.timeout is None:
        return False
    launched = request.launched or _STARTED
    began = [t.datetime_start.timestamp() for t in opened.trials() if t.datetime_start is not None]
    first = min((at for at in began if at >= launched), default=None)
    return first is not None and time.time() - first > request.timeout


def _run_all(
    opened: OpenStudy,
    worker: Worker,
    request: TuningRequest,
    on_trial: OnTrial | None,
) -> str:
    """Run trials of a study as long as there are any: ``worked``, ``wait`` or ``done``."""
    state = "wait"
    while True:
        reserved = reserve(opened, worker, trials=request.trials, overdue=_overdue(opened))
        if isinstance(reserved, str):
            return "done" if reserved == "done" else state
        run_trial(opened, reserved, worker)
        state = "worked"
        if on_trial is not None:
            on_trial(opened)


def counts(studies: Sequence[OpenStudy]) -> tuple[int, int]:
    """Finished trials of all studies, and those asked for."""
    finished = sum(len(opened.trials(*FINISHED)) for opened in studies)
    return finished, sum(opened.subject.request.trials for opened in studies)
