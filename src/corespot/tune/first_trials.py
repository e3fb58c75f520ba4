"""The settings that a study begins with: the published one, and that of ``params.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from corespot.train.model_settings import default_settings
from corespot.tune.attributes import ADAPTED, ROLE
from corespot.tune.request import StudySubject, TuningRequest
from corespot.tune.space import configured, encoded, published
from corespot.tune.trial_rows import PUBLISHED, complete_first

CONFIGURED = "configured"


def enqueue_first_trials(study: optuna.Study, subject: StudySubject) -> None:
    """Enqueue what is not there yet; doing it again changes nothing.

    A setting of ``params.yaml`` that has changed since is enqueued, too.

    Parameters
    ----------
    study : optuna.Study
        The study, under the lock of all studies.
    subject : StudySubject
        What it is about.
    """
    request = subject.request
    first, adapted = published(request.model, request.space)
    adapted |= _outside_of_space(request)
    if not _is_there(study, {ROLE: PUBLISHED}, encoded(first, request.space)):
        attributes = {ROLE: PUBLISHED, **({ADAPTED: adapted} if adapted else {})}
        study.enqueue_trial(encoded(first, request.space), user_attrs=attributes)
    second, moved = configured(request.model, request.settings, request.space)
    params = encoded(second, request.space)
    if second != first and not _is_there(study, {ROLE: CONFIGURED}, params):
        attributes = {ROLE: CONFIGURED, **({ADAPTED: moved} if moved else {})}
        study.enqueue_trial(params, user_attrs=attributes)


def configured_trial(trials: Sequence[FrozenTrial], request: TuningRequest) -> FrozenTrial | None:
    """The finished trial of what ``params.yaml`` trains with now."""
    values, _ = configured(request.model, request.settings, request.space)
    wanted = encoded(values, request.space)
    return complete_first([t for t in trials if t.params == wanted])


def _outside_of_space(request: TuningRequest) -> dict[str, Any]:
    """Published values of settings that are not searched and that ``params.yaml`` changes."""
    defaults = default_settings(request.model)
    return {
        name: defaults[name]
        for name, value in request.settings.items()
        if name in defaults and name not in request.space and value != defaults[name]
    }


def _is_there(study: optuna.Study, marks: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    for trial in study.get_trials(deepcopy=False):
        fixed = trial.system_attrs.get("fixed_params", trial.params)
        same = all(trial.user_attrs.get(name) == value for name, value in marks.items())
        if same and fixed == params and trial.state != TrialState.FAIL:
            return True
    return False
