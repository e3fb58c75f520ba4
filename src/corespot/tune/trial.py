"""One trial: a setting judged on inner folds in shuffled order, and what may end it early."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from corespot.errors import FoldError, ModelError, ParamsError
from corespot.models.registry import entry
from corespot.models.search_space import Choice, SearchSpace
from corespot.seeding import generator
from corespot.train.allocator import give_memory_back
from corespot.train.model_settings import default_settings
from corespot.tune.attributes import (
    ADAPTED,
    AGAIN_OF,
    CRASHED,
    FINISHED,
    PRUNED_EARLY,
    REASON,
    ROLE,
    SAME_AS,
    SMALLER_BATCH_OF,
)
from corespot.tune.interruption import uninterrupted
from corespot.tune.liveness import Worker
from corespot.tune.pruning import CURVE, MedianRule, StopTrial, lost_to_best
from corespot.tune.request import TuningRequest
from corespot.tune.score import score_inner_fold
from corespot.tune.space import encoded, suggest
from corespot.tune.study import OpenStudy
from corespot.tune.successors import enqueue_successor

#: What PyTorch's allocators and libraries say, in small letters.
_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "cannot allocate memory",
    "out of memory",
    "alloc_failed",
)


def run_trial(opened: OpenStudy, trial: optuna.Trial, worker: Worker) -> FrozenTrial:
    """Evaluate a reserved trial and tell the study how it ended; it always ends.

    A setting that is impossible, that diverges or that does not fit into memory is pruned with
    its reason. A trial stopped between folds is complete with the mean of what it has seen, as
    Optuna's signed-rank pruner needs it, and marked ``pruned_early``; so is never the best one.
    """
    study, request = opened.study, opened.subject.request
    values = suggest(trial, request.space)
    settings = {**request.settings, **values}
    try:
        with worker.signing(trial):
            twin = _twin(opened, trial)
            if twin is not None:
                _copy(trial, twin)
                return study.tell(trial, twin.values)
            scores = _evaluate(opened, trial, settings)
        return study.tell(trial, float(np.mean(scores)))
    except StopTrial as stop:
        _note(trial, stop.reason)
        return study.tell(trial, state=TrialState.PRUNED)
    except (ParamsError, ModelError, FoldError) as error:
        _note(trial, str(error))
        return study.tell(trial, state=TrialState.PRUNED)
    except UpdateFinishedTrialError:
        # Taken for dead by another machine: its successor counts, this one does not.
        return _now(study, trial)
    except KeyboardInterrupt:
        with uninterrupted(), opened.lock:
            enqueue_successor(study, _now(study, trial), {}, AGAIN_OF)
            _note(trial, "interrupted; tried again")
            study.tell(trial, state=TrialState.FAIL)
        raise
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            _fail(opened, trial, error)
            raise
        return _try_smaller(opened, trial, settings, request.space)
    except Exception as error:  # a fault of the program: noted on the trial, then raised
        _fail(opened, trial, error)
        raise
    finally:
        free_memory()


def free_memory() -> None:
    """Give back what the last trial held, so that the next one starts with all of it."""
    gc.collect()
    give_memory_back()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _evaluate(opened: OpenStudy, trial: optuna.Trial, settings: Mapping[str, Any]) -> list[float]:
    subject = opened.subject
    request, tune = subject.request, subject.request.tune
    folds = list(subject.inner.folds)
    # Shuffled anew for each trial, so that pruned trials do not all miss the same folds.
    order = generator(tune.seed, "order", trial.number).permutation(len(folds))
    every = {**default_settings(request.model), **settings}
    rule = None
    # What others are compared with is seen to its end.
    enqueued = ROLE in trial.user_attrs
    if tune.pruner == "median" and not enqueued:
        rule = MedianRule(opened.trials(*FINISHED), int(every.get("epochs", 1)))
    scores: list[float] = []
    for left, number in zip(range(len(folds) - 1, -1, -1), order, strict=True):
        curve: list[float] = []
        try:
            score = score_inner_fold(
                subject.part,
                folds[number],
                model=request.model,
                settings=settings,
                seed=tune.seed,
                metric=tune.metric,
                device=request.device,
                on_epoch=_epoch_check(rule, int(number), curve, request)
                if tune.pruner == "median"
                else None,
            )
            if not curve:
                curve.append(score)
                if rule is not None:
                    rule.check(int(number), curve)
        except StopTrial:
            if tune.metric == "spot":  # curves are of spots
                trial.report(curve[-1], int(number))
            raise
        finally:
            if tune.pruner == "median":
                trial.set_user_attr(f"{CURVE}{number}", [round(value, 6) for value in curve])
        trial.report(score, int(number))
        scores.append(score)
        reason = None if enqueued else lost_to_best(trial, left)
        if reason is not None:
            _note(trial, reason)
            trial.set_user_attr(PRUNED_EARLY, True)
            break
    return scores


def _epoch_check(
    rule: MedianRule | None, fold: int, curve: list[float], request: TuningRequest
) -> Callable[[Mapping[str, float]], None] | None:
    if not entry(request.model).is_network:
        return None

    def check(record: Mapping[str, float]) -> None:
        curve.append(float(record["test_balanced_accuracy"]))
        if rule is not None:
            rule.check(fold, curve)

    return check


def _twin(opened: OpenStudy, trial: optuna.Trial) -> FrozenTrial | None:
    """A complete trial of the same setting: every fit is seeded, it would give the same again.

    An enqueued setting is seen to its end, so that one stopped early does not stand for it.
    """
    enqueued = ROLE in trial.user_attrs
    for other in opened.trials(TrialState.COMPLETE):
        partial = bool(other.user_attrs.get(PRUNED_EARLY))
        same = other.number != trial.number and other.params == trial.params
        if same and not (enqueued and partial):
            return other
    return None


def _copy(trial: optuna.Trial, twin: FrozenTrial) -> None:
    trial.set_user_attr(SAME_AS, twin.number)
    for name in (PRUNED_EARLY, REASON):
        if name in twin.user_attrs:
            trial.set_user_attr(name, twin.user_attrs[name])
    for step, value in twin.intermediate_values.items():
        trial.report(value, step)


def _now(study: optuna.Study, trial: optuna.Trial) -> FrozenTrial:
    """The trial as it is stored."""
    return study.get_trials(deepcopy=False)[trial.number]


def _note(trial: optuna.Trial, reason: str) -> None:
    trial.set_user_attr(REASON, reason)


def _fail(opened: OpenStudy, trial: optuna.Trial, error: BaseException) -> None:
    _note(trial, f"{type(error).__name__}: {error}")
    trial.set_user_attr(CRASHED, True)
    opened.study.tell(trial, state=TrialState.FAIL)


def _out_of_memory(error: BaseException) -> bool:
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def _try_smaller(
    opened: OpenStudy, trial: optuna.Trial, settings: Mapping[str, Any], space: SearchSpace
) -> FrozenTrial:
    """Prune a trial that did not fit into memory, and enqueue it with a smaller batch."""
    every = {**default_settings(opened.subject.request.model), **settings}
    batch = every.get("batch_size")
    smaller = _smaller_batch(batch, space)
    advice = (
        f"tried again with batch_size {smaller}"
        if smaller is not None
        else "no smaller batch_size is in the search space"
    )
    study = opened.study
    with opened.lock:
        if smaller is not None:
            now = _now(study, trial)
            adapted = {"batch_size": batch, **now.user_attrs.get(ADAPTED, {})}
            changed = encoded({"batch_size": smaller}, space)
            enqueue_successor(study, now, changed, SMALLER_BATCH_OF, **{ADAPTED: adapted})
        _note(trial, f"out of memory at batch_size {batch}; {advice}")
        return study.tell(trial, state=TrialState.PRUNED)


def _smaller_batch(batch: Any, space: SearchSpace) -> int | None:
    allowed = space.get("batch_size")
    if allowed is None or batch is None:
        return None
    if isinstance(allowed, Choice):
        fitting = [int(v) for v in allowed.values if isinstance(v, int) and v < batch]
        return max(fitting, default=None)
    half = int(allowed.nearest(batch / 2))
    return half if half < batch else None
