"""One study: opened or made, its next trial reserved, its orphans adopted once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import optuna
from filelock import FileLock
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from corespot.seeding import derive_seed
from corespot.tune.liveness import Worker
from corespot.tune.pruning import optuna_pruner
from corespot.tune.request import StudySubject
from corespot.tune.settings import Sampler
from corespot.tune.space import configured, encoded, published

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

#: User attributes of trials; what they say is in `docs/tuning.md`.
ROLE, RETRY_OF, REASON, PRUNED_EARLY = "role", "retry_of", "reason", "pruned_early"
SAME_AS, SMALLER_BATCH_OF, ADAPTED = "same_as", "smaller_batch_of", "adapted"

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
        if not study.get_trials(deepcopy=False):
            _describe(study, subject)
            _enqueue_first(study, subject)
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
        _adopt_orphans(opened, worker)
        finished = len(opened.trials(*FINISHED))
        running = len(opened.trials(TrialState.RUNNING))
        if finished >= trials or overdue:
            return "done" if not running or overdue else "wait"
        if finished + running >= trials:
            return "wait"
        tune = opened.subject.request.tune
        study.sampler = make_sampler(
            tune.sampler, derive_seed(tune.seed, "sampler", study.study_name, finished + running)
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


def by_role(trials: Sequence[FrozenTrial], role: str) -> FrozenTrial | None:
    """The finished trial of a role, ``published`` or ``configured``."""
    found = [t for t in trials if t.user_attrs.get(ROLE) == role and t.state in FINISHED]
    complete = [t for t in found if t.state == TrialState.COMPLETE]
    return (complete or found or [None])[0]  # type: ignore[list-item]


def best_trial(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The best trial that saw every inner fold, the first of equals."""
    whole = [
        t for t in trials if t.state == TrialState.COMPLETE and not t.user_attrs.get(PRUNED_EARLY)
    ]
    return max(whole, key=lambda t: (float(t.values[0]), -t.number), default=None)


def _describe(study: optuna.Study, subject: StudySubject) -> None:
    request, part = subject.request, subject.part
    study.set_user_attr("task", request.task.name)
    study.set_user_attr("model", request.model)
    study.set_user_attr("nested", request.tune.nested)
    study.set_user_attr("outer_fold", [part.repeat, part.index])
    study.set_user_attr("inner_folds", len(subject.inner.folds))
    study.set_user_attr("inner_grouping", subject.inner.grouping)
    study.set_user_attr("metric", f"{request.tune.metric} balanced accuracy")


def _enqueue_first(study: optuna.Study, subject: StudySubject) -> None:
    request = subject.request
    first, adapted = published(request.model, request.space)
    second, _ = configured(request.model, request.settings, request.space)
    role = {ROLE: "published", **({ADAPTED: adapted} if adapted else {})}
    study.enqueue_trial(encoded(first, request.space), user_attrs=role)
    if second != first:
        study.enqueue_trial(encoded(second, request.space), user_attrs={ROLE: "configured"})


def _adopt_orphans(opened: OpenStudy, worker: Worker) -> None:
    study = opened.study
    for trial in opened.trials(TrialState.RUNNING):
        if not worker.knows_dead(trial.user_attrs):
            continue
        again = RETRY_OF not in trial.user_attrs
        reason = "its worker died; " + (
            "tried once more" if again else "so did the worker of the first try: given up"
        )
        optuna.Trial(study, trial._trial_id).set_user_attr(REASON, reason)
        study.tell(trial.number, state=TrialState.FAIL)
        params = trial.params or trial.system_attrs.get("fixed_params", {})
        if again and params:
            study.enqueue_trial(params, user_attrs=inherited(trial, {RETRY_OF: trial.number}))


def inherited(trial: FrozenTrial, new: dict[str, object]) -> dict[str, object]:
    """Attributes of a trial that takes another's place: the other's role, and `new`."""
    kept = (ROLE, ADAPTED, RETRY_OF, SMALLER_BATCH_OF)
    return {**{k: v for k, v in trial.user_attrs.items() if k in kept}, **new}
