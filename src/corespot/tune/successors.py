"""Trials that take the place of others: of dead workers, interrupted, or too large for memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from corespot.tune.attributes import (
    ADAPTED,
    AGAIN_OF,
    REASON,
    RETRY_OF,
    ROLE,
    SMALLER_BATCH_OF,
)
from corespot.tune.liveness import Worker

_PLACES = (RETRY_OF, AGAIN_OF, SMALLER_BATCH_OF)


def enqueue_successor(
    study: optuna.Study, trial: FrozenTrial, changed: Mapping[str, Any], place: str, **more: Any
) -> bool:
    """Enqueue the setting of a trial once more, before the trial itself is ended.

    In this order a kill in between leaves an orphan that has its successor already: none is lost,
    and none is enqueued twice.

    Parameters
    ----------
    study : optuna.Study
        The study, under its lock.
    trial : FrozenTrial
        The trial that is replaced.
    changed : mapping
        What differs in the new one, as Optuna stores it.
    place : {"retry_of", "again_of", "smaller_batch_of"}
        Why.
    **more
        Further attributes.

    Returns
    -------
    bool
        Whether there is a successor; not if the trial has no setting yet.
    """
    if any(place in t.user_attrs and t.user_attrs[place] == trial.number
           for t in study.get_trials(deepcopy=False) for place in _PLACES):  # fmt: skip
        return True
    # Of a trial killed while it asked, only some values are there: an enqueued one has them all.
    params = {**trial.system_attrs.get("fixed_params", {}), **trial.params, **changed}
    if not params:
        return False
    kept = {k: v for k, v in trial.user_attrs.items() if k in (ROLE, ADAPTED, RETRY_OF)}
    study.enqueue_trial(params, user_attrs={**kept, **more, place: trial.number})
    return True


def adopt_orphans(study: optuna.Study, worker: Worker) -> None:
    """End trials whose workers died, and enqueue each once more.

    Parameters
    ----------
    study : optuna.Study
        The study, under its lock.
    worker : Worker
        Who looks.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not worker.knows_dead(trial.user_attrs):
            continue
        if RETRY_OF in trial.user_attrs:
            reason = "its worker died, and so did that of the first try: given up"
        elif enqueue_successor(study, trial, {}, RETRY_OF):
            reason = "its worker died; tried once more"
        else:
            reason = "its worker died before it had a setting"
        optuna.Trial(study, trial._trial_id).set_user_attr(REASON, reason)
        study.tell(trial.number, state=TrialState.FAIL)
