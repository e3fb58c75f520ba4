"""What studies found: a table of trials, the setting of every outer fold, what it gained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from corespot.errors import TuneError
from corespot.tune.attributes import (
    ADAPTED,
    FINISHED,
    REASON,
    SAME_AS,
)
from corespot.tune.first_trials import configured_trial
from corespot.tune.request import TuningRequest
from corespot.tune.space import decoded
from corespot.tune.study import OpenStudy
from corespot.tune.trial_rows import (
    best_trial,
    published_trial,
    state_of,
    trial_rows,
    whole_value,
)


def trials_table(opened: OpenStudy) -> pd.DataFrame:
    """One row a trial: how it ended, with what value, at which setting.

    Parameters
    ----------
    opened : OpenStudy
        The study.

    Returns
    -------
    DataFrame
        ``state`` is ``complete``, ``pruned early`` (between inner folds, with a partial mean),
        ``pruned`` (after an epoch, or impossible), ``failed``, ``running`` or ``waiting``;
        ``value`` is the mean over the inner folds that were seen; ``params`` and ``inner_folds``
        (number to value) are JSON.
    """
    space, fold = opened.subject.request.space, opened.subject.fold
    return trial_rows(
        opened.study, (fold.repeat, fold.index), lambda params: decoded(params, space)
    )


def fold_outcome(opened: OpenStudy) -> dict[str, Any]:
    """What one study found, plain values for JSON.

    Raises
    ------
    TuneError
        If no trial of it came through, with their reasons.
    """
    request, subject = opened.subject.request, opened.subject
    trials = opened.trials()
    best = best_trial(trials)
    if best is None:
        reasons = {str(t.user_attrs.get(REASON)) for t in trials if t.state in FINISHED}
        raise TuneError(
            f"study {opened.study.study_name!r}: none of {len(trials)} trials came through "
            f"({'; '.join(sorted(reasons)[:3]) or 'none was run'}); widen its search space or its "
            "time limit"
        )
    published, configured = published_trial(trials), configured_trial(trials, request)
    states = [state_of(trial) for trial in trials]
    about = opened.study.user_attrs
    value = float(best.values[0])
    base = whole_value(published)
    return {
        "repeat": subject.fold.repeat,
        "fold": subject.fold.index,
        "study": opened.study.study_name,
        "inner_folds": about["inner_folds"],
        "inner_grouping": about["inner_grouping"],
        "trials": sum(t.state in FINISHED for t in trials),
        "pruned_early": states.count("pruned early"),
        "pruned": states.count("pruned"),
        "failed": states.count("failed"),
        "inner_fits": sum(
            len(t.intermediate_values) for t in trials if SAME_AS not in t.user_attrs
        ),
        "seconds": sum(
            t.duration.total_seconds() for t in trials if t.state in FINISHED and t.duration
        ),
        "best_trial": best.number,
        "best_value": value,
        "published_value": base,
        "published_adapted": (published.user_attrs.get(ADAPTED) if published else None) or {},
        "configured_value": whole_value(configured),
        "gain": None if base is None else value - base,
        "settings": decoded(best.params, request.space),
    }


def tuning_outcome(request: TuningRequest, studies: Sequence[OpenStudy]) -> dict[str, Any]:
    """What tuning one model on one task found; the content of ``tuned.json``."""
    return {
        "task": request.task.name,
        "model": request.model,
        "trials": request.trials,
        "nested": request.tune.nested,
        "metric": f"{request.tune.metric} balanced accuracy",
        "sampler": request.tune.sampler,
        "pruner": request.tune.pruner,
        "folds_fingerprint": request.folds.fingerprint,
        "note": _note(request),
        "folds": [fold_outcome(opened) for opened in studies],
    }


def _note(request: TuningRequest) -> str:
    if request.tune.nested:
        return "tuned inside the training part of each fold"
    return (
        "tuned once, on the training part of the first fold: the other folds test on spots that "
        "tuning has seen, so that their figures are optimistic"
    )


def progress_rows(studies: Sequence[OpenStudy]) -> list[dict[str, object]]:
    """How far each study is, a row each: trials, how they ended, best and published value."""
    rows: list[dict[str, object]] = []
    for opened in studies:
        trials = opened.trials()
        states = [state_of(trial) for trial in trials]
        best, base = best_trial(trials), whole_value(published_trial(trials))
        rows.append(
            {
                "study": opened.study.study_name,
                "trials": sum(trial.state in FINISHED for trial in trials),
                "of": opened.subject.request.trials,
                "pruned": states.count("pruned") + states.count("pruned early"),
                "failed": states.count("failed"),
                "published": None if base is None else round(base, 4),
                "best": None if best is None else round(float(best.values[0]), 4),
            }
        )
    return rows
