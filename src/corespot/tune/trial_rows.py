"""What trials say of themselves: how they ended, with what value; no spectra, no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from corespot.tune.attributes import (
    FINISHED,
    PRUNED_EARLY,
    REASON,
    RETRY_OF,
    ROLE,
    SAME_AS,
    SMALLER_BATCH_OF,
)

#: Value of the attribute `ROLE` of the trial of the published setting.
PUBLISHED = "published"
#: Columns of the table of trials.
COLUMNS = (
    "study",
    "repeat",
    "fold",
    "number",
    "state",
    "value",
    "role",
    "seconds",
    "started",
    "ended",
    "params",
    "inner_folds",
    "reason",
    "same_as",
    "retry_of",
    "smaller_batch_of",
)


def trial_rows(
    study: optuna.Study,
    fold: tuple[int, int],
    decode: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> pd.DataFrame:
    """One row a trial: how it ended, with what value, at which setting.

    Parameters
    ----------
    study : optuna.Study
        The study.
    fold : (int, int)
        Repeat and number of its outer fold.
    decode : callable
        Settings from the parameters of a stored trial.

    Returns
    -------
    DataFrame
        ``state`` is ``complete``, ``pruned early`` (between inner folds, with a partial mean),
        ``pruned`` (after an epoch, or impossible), ``failed``, ``running`` or ``waiting``;
        ``value`` is the mean over the inner folds that were seen; ``params`` and ``inner_folds``
        (number to value) are JSON.
    """
    rows = []
    for trial in study.get_trials(deepcopy=False):
        attributes = trial.user_attrs
        params = decode(trial.params)
        rows.append(
            {
                "study": study.study_name,
                "repeat": fold[0],
                "fold": fold[1],
                "number": trial.number,
                "state": state_of(trial),
                "value": _value_so_far(trial),
                "role": attributes.get(ROLE, ""),
                "seconds": trial.duration.total_seconds() if trial.duration else None,
                "started": trial.datetime_start,
                "ended": trial.datetime_complete,
                "params": json.dumps(params),
                "inner_folds": json.dumps(
                    {str(k): v for k, v in sorted(trial.intermediate_values.items())}
                ),
                "reason": attributes.get(REASON, ""),
                "same_as": attributes.get(SAME_AS),
                "retry_of": attributes.get(RETRY_OF),
                "smaller_batch_of": attributes.get(SMALLER_BATCH_OF),
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    whole = ["same_as", "retry_of", "smaller_batch_of"]
    return table.astype({**dict.fromkeys(whole, "Int64"), "value": float, "seconds": float})


def _value_so_far(trial: FrozenTrial) -> float | None:
    # Of a trial that ended after an epoch, Optuna keeps the last value as the trial's.
    seen = list(trial.intermediate_values.values())
    return fmean(seen) if seen else None


def state_of(trial: FrozenTrial) -> str:
    """How a trial ended, in a reader's words."""
    if trial.state == TrialState.COMPLETE and trial.user_attrs.get(PRUNED_EARLY):
        return "pruned early"
    return {"FAIL": "failed"}.get(trial.state.name, trial.state.name.lower())


def best_trial(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The best trial that saw every inner fold, the first of equals."""
    whole = [
        t for t in trials if t.state == TrialState.COMPLETE and not t.user_attrs.get(PRUNED_EARLY)
    ]
    return max(whole, key=lambda t: (float(t.values[0]), -t.number), default=None)


def published_trial(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The finished trial of the published setting, one that saw every fold if there is."""
    return complete_first([t for t in trials if t.user_attrs.get(ROLE) == PUBLISHED])


def complete_first(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The first finished one, one that saw every inner fold if there is."""
    finished = [t for t in trials if t.state in FINISHED]
    return min(
        finished,
        key=lambda t: (t.state != TrialState.COMPLETE, bool(t.user_attrs.get(PRUNED_EARLY))),
        default=None,
    )


def whole_value(trial: FrozenTrial | None) -> float | None:
    """Value of a trial that saw every inner fold."""
    if trial is None or trial.state != TrialState.COMPLETE:
        return None
    return None if trial.user_attrs.get(PRUNED_EARLY) else float(trial.values[0])
