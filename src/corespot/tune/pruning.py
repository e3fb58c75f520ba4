"""When a trial is stopped early: between inner folds, or after an epoch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from statistics import median

import optuna
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner
from optuna.trial import FrozenTrial

from corespot.tune.settings import Pruner

#: Trials that must have been there before one is stopped, and share of the epochs left alone.
_FORMER_TRIALS, _WARM_UP = 4, 0.25

#: Prefix of the user attributes that hold a trial's curve on each inner fold.
CURVE = "curve_"


class StopTrial(Exception):
    """Raised inside a fit to end a trial that will not win.

    Parameters
    ----------
    reason : str
        Why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def optuna_pruner(name: Pruner) -> BasePruner:
    """Optuna's pruner between inner folds: the number of a fold is the step."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return WilcoxonPruner(p_threshold=0.1) if name == "wilcoxon" else NopPruner()


class MedianRule:
    """Stop where the best so far on a fold is below the median of former trials at that epoch.

    Trials are compared on the same inner fold and the same epoch. A model without epochs has one
    value a fold.

    Parameters
    ----------
    former : sequence of FrozenTrial
        Trials that are over.
    epochs : int
        Epochs of the trial; the first quarter is left alone.

    References
    ----------
    Golovin et al., "Google Vizier: a service for black-box optimization", KDD 2017, section 3.1:
    the median stopping rule.

    Deviations
    ----------
    The published rule compares with the mean of former curves up to the epoch; here it is their
    best value up to it, as for the trial itself.
    """

    def __init__(self, former: Sequence[FrozenTrial], epochs: int) -> None:
        self._curves = [
            {
                int(name.removeprefix(CURVE)): list(values)
                for name, values in trial.user_attrs.items()
                if name.startswith(CURVE)
            }
            for trial in former
        ]
        self._warm_up = int(epochs * _WARM_UP)

    def check(self, fold: int, curve: Sequence[float]) -> None:
        """Raise if the trial should end here.

        Parameters
        ----------
        fold : int
            Number of the inner fold.
        curve : sequence of float
            Values of the trial on it so far, one an epoch.

        Raises
        ------
        StopTrial
            With the reason.
        """
        n = len(curve)
        if n <= self._warm_up:
            return
        others = [max(c[fold][:n]) for c in self._curves if len(c.get(fold, ())) >= n]
        if len(others) < _FORMER_TRIALS or max(curve) >= median(others):
            return
        raise StopTrial(
            f"inner fold {fold}, epoch {n}: {max(curve):.3f} at best, the median of "
            f"{len(others)} former trials is {median(others):.3f}"
        )


def lost_to_best(trial: optuna.Trial, folds_left: int) -> str | None:
    """Why a trial need not go on to its next inner fold; ``None`` if it should."""
    if folds_left == 0 or not trial.should_prune():
        return None
    values = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
    return (
        f"after {len(values)} inner folds it loses to trial {trial.study.best_trial.number} "
        "(signed-rank test, p < .1)"
    )
