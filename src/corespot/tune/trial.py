"""One trial: a setting judged on inner folds in shuffled order, and what may end it early."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import torch
from optuna.trial import FrozenTrial, TrialState

from corespot.errors import ModelError, ParamsError
from corespot.models.registry import entry
from corespot.models.search_space import Choice, SearchSpace
from corespot.seeding import generator
from corespot.train.allocator import give_memory_back
from corespot.train.estimator import default_settings
from corespot.tune.liveness import Worker
from corespot.tune.pruning import CURVE, MedianRule, StopTrial, lost_to_best
from corespot.tune.score import score_inner_fold
from corespot.tune.space import encoded, suggest
from corespot.tune.study import (
    ADAPTED,
    FINISHED,
    PRUNED_EARLY,
    REASON,
    SAME_AS,
    SMALLER_BATCH_OF,
    OpenStudy,
    inherited,
)

#: What PyTorch's allocator of main memory says.
_CPU_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "Cannot allocate memory")


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
    except (ParamsError, ModelError) as error:
        _note(trial, str(error))
        return study.tell(trial, state=TrialState.PRUNED)
    except KeyboardInterrupt:
        _note(trial, "interrupted; tried again")
        told = study.tell(trial, state=TrialState.FAIL)
        study.enqueue_trial(told.params, user_attrs=inherited(told, {}))
        raise
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            _fail(opened, trial, error)
            raise
        return _try_smaller(opened, trial, settings, request.space)
    except Exception as error:
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
    if tune.pruner == "median":
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
                on_epoch=_epoch_check(rule, int(number), curve, request.model),
            )
            if rule is not None and not curve:
                curve.append(score)
                rule.check(int(number), curve)
        except StopTrial:
            trial.report(curve[-1], int(number))
            raise
        finally:
            if rule is not None:
                trial.set_user_attr(f"{CURVE}{number}", [round(value, 6) for value in curve])
        trial.report(score, int(number))
        scores.append(score)
        reason = lost_to_best(trial, left)
        if reason is not None:
            _note(trial, reason)
            trial.set_user_attr(PRUNED_EARLY, True)
            break
    return scores


def _epoch_check(
    rule: MedianRule | None, fold: int, curve: list[float], model: str
) -> Callable[[Mapping[str, float]], None] | None:
    if rule is None or not entry(model).is_network:
        return None

    def check(record: Mapping[str, float]) -> None:
        curve.append(float(record["test_balanced_accuracy"]))
        rule.check(fold, curve)

    return check


def _twin(opened: OpenStudy, trial: optuna.Trial) -> FrozenTrial | None:
    """A complete trial of the same setting: every fit is seeded, it would give the same again."""
    for other in opened.trials(TrialState.COMPLETE):
        if other.number != trial.number and other.params == trial.params:
            return other
    return None


def _copy(trial: optuna.Trial, twin: FrozenTrial) -> None:
    trial.set_user_attr(SAME_AS, twin.number)
    for name in (PRUNED_EARLY, REASON):
        if name in twin.user_attrs:
            trial.set_user_attr(name, twin.user_attrs[name])
    for step, value in twin.intermediate_values.items():
        trial.report(value, step)


def _note(trial: optuna.Trial, reason: str) -> None:
    trial.set_user_attr(REASON, reason)


def _fail(opened: OpenStudy, trial: optuna.Trial, error: BaseException) -> None:
    _note(trial, f"{type(error).__name__}: {error}")
    opened.study.tell(trial, state=TrialState.FAIL)


def _out_of_memory(error: BaseException) -> bool:
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or any(words in str(error) for words in _CPU_OUT_OF_MEMORY)


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
    _note(trial, f"out of memory at batch_size {batch}; {advice}")
    told = opened.study.tell(trial, state=TrialState.PRUNED)
    if smaller is not None:
        changed = encoded({"batch_size": smaller}, space)
        adapted = {**told.user_attrs.get(ADAPTED, {}), "batch_size": batch}
        opened.study.enqueue_trial(
            {**told.params, **changed},
            user_attrs=inherited(told, {SMALLER_BATCH_OF: told.number, ADAPTED: adapted}),
        )
    return told


def _smaller_batch(batch: Any, space: SearchSpace) -> int | None:
    allowed = space.get("batch_size")
    if allowed is None or batch is None:
        return None
    if isinstance(allowed, Choice):
        fitting = [int(v) for v in allowed.values if isinstance(v, int) and v < batch]
        return max(fitting, default=None)
    half = int(allowed.nearest(batch / 2))
    return half if half < batch else None
