"""One study: opened or made, its next trial reserved, its orphans adopted once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import optuna
from filelock import FileLock
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from corespot.seeding import derive_seed
from corespot.tune.attributes import CRASHED, FINISHED
from corespot.tune.first_trials import enqueue_first_trials
from corespot.tune.liveness import Worker
from corespot.tune.pruning import optuna_pruner
from corespot.tune.request import StudySubject
from corespot.tune.settings import Sampler
from corespot.tune.successors import adopt_orphans

Reserved = optuna.Trial | Literal["wait", "done"]


@dataclass(frozen=True, eq=False)
class OpenStudy:
    """A study and the subject it is about.

    Parameters
    ----------
    study : optuna.Study
        In its storage.
    subject : StudySubject
        What its trials are evaluated on.
    """

    study: optuna.Study
    subject: StudySubject

    @property
    def lock(self) -> FileLock:
        """Held while trials are counted, adopted and asked for."""
        name = self.study.study_name.replace(" ", "_").replace("/", "_")
        return FileLock(str(self.subject.request.folder / f"{name}.lock"))

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Trials in these states, or all."""
        return self.study.get_trials(deepcopy=False, states=states or None)


def open_study(storage: BaseStorage, subject: StudySubject) -> OpenStudy:
    """Open the study of a subject; a new one has the published setting enqueued as trial 0.

    Trial 1 is the setting that ``params.yaml`` trains with, where that is another one.
    """
    request = subject.request
    folder: Path = request.folder
    name = subject.study_name
    with FileLock(str(folder / "studies.lock")):
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            pruner=optuna_pruner(request.tune.pruner),
            load_if_exists=True,
        )
        if not study.user_attrs:
            _describe(study, subject)
        enqueue_first_trials(study, subject)
    return OpenStudy(study, subject)


def reserve(opened: OpenStudy, worker: Worker, *, trials: int, overdue: bool = False) -> Reserved:
    """The next trial to run, ``"wait"`` while others run the last ones, or ``"done"``.

    Trials whose worker died are marked as failed, and enqueued once more. Finished trials and
    those that run never exceed `trials`, however many processes ask.

    Parameters
    ----------
    opened : OpenStudy
        The study.
    worker : Worker
        Who asks; its name is on the trial before anyone else can look.
    trials : int
        Trials in all.
    overdue : bool
        Whether the time is up: no further trial is started.
    """
    study = opened.study
    with opened.lock:
        adopt_orphans(study, worker)
        finished = len(opened.trials(*FINISHED))
        running = len(opened.trials(TrialState.RUNNING))
        if finished >= trials or overdue:
            return "done" if not running or overdue else "wait"
        if finished + running >= trials:
            return "wait"
        tune = opened.subject.request.tune
        # A setting at which a process crashes must not be proposed again at every start.
        crashed = sum(CRASHED in t.user_attrs for t in opened.trials(TrialState.FAIL))
        asked = finished + running + crashed
        study.sampler = make_sampler(
            tune.sampler, derive_seed(tune.seed, "sampler", opened.subject.place, asked)
        )
        trial = study.ask()
        worker.sign(trial)
        return trial


def make_sampler(name: Sampler, seed: int) -> BaseSampler:
    """The sampler of one proposal.

    Each proposal has its own seed, by the number of trials before it: a study that was
    interrupted and goes on proposes what it would have proposed anyway.
    """
    seed = seed % 2**31
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "random":
            return RandomSampler(seed=seed)
        if name == "gp":
            return GPSampler(seed=seed, deterministic_objective=False)
        return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _describe(study: optuna.Study, subject: StudySubject) -> None:
    request, part = subject.request, subject.part
    study.set_user_attr("task", request.task.name)
    study.set_user_attr("model", request.model)
    study.set_user_attr("nested", request.tune.nested)
    study.set_user_attr("outer_fold", [part.repeat, part.index])
    study.set_user_attr("inner_folds", len(subject.inner.folds))
    study.set_user_attr("inner_grouping", subject.inner.grouping)
    study.set_user_attr("metric", f"{request.tune.metric} balanced accuracy")
