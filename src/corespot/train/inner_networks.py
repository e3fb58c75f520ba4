"""Networks trained on inner folds: each judges the training cores that it did not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import inner_folds
from corespot.errors import FoldError
from corespot.models.spectra_input import check_groups
from corespot.seeding import derive_seed
from corespot.train.fit_inputs import Rows, Told

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class InnerNetworks:
    """What the inner folds of a training part gave.

    Parameters
    ----------
    estimators : list of SegmentationClassifier
        One a fold; none if there are no inner folds.
    logits : ndarray, shape (n_train,)
        Logit of every training spot by the network that did not see its core.
    kept_together : str
        What the folds did not split: ``groups`` or ``cores``.
    reason : str
        Why there are no inner folds; empty if there are.
    """

    estimators: list[Any]
    logits: Floats
    kept_together: str
    reason: str


def fit_inner_networks(
    estimator: Any, told: Told, classes: npt.NDArray[Any], positive: npt.NDArray[np.bool_]
) -> InnerNetworks:
    """Train a copy of `estimator` on each inner fold and let it predict what it did not see.

    Folds are dealt by the labels of cores, so that each part holds positive cores and cores free
    of the positive class. What they keep together is also what early stopping inside of them does
    not split; where the groups do not suffice for both, cores are kept together.

    Parameters
    ----------
    estimator : SegmentationClassifier
        With its settings; not changed.
    told : Told
        The training part.
    classes : ndarray, shape (2,)
        Class names by class index.
    positive : ndarray of bool, shape (n_train,)
        Whether a spot bears the positive class.
    """
    positions = told.positions
    assert positions is not None, "checked at the door"
    seed = int(estimator.random_state)
    label = _core_labels(positions, positive)
    choices: dict[str, npt.NDArray[Any]] = {"cores": positions.core}
    if told.groups is not None:
        choices = {"groups": check_groups(told.groups, len(told.y)), **choices}
    reason = ""
    for name, groups in choices.items():
        logits = np.empty(len(told.y))
        fitted = []
        try:
            folds = inner_folds(
                groups, label, int(estimator.inner_folds), derive_seed(seed, "threshold")
            )
            for number, (train, test) in enumerate(folds):
                inner = clone(estimator).set_params(
                    threshold=0.5, random_state=derive_seed(seed, "inner", number) % 2**31
                )
                inner.fit(
                    told.x[train],
                    classes[told.y[train]],
                    groups=groups[train],
                    positions=positions.take(train),
                )
                logits[test] = inner.spot_logits(told.x[test], positions=positions.take(test))
                fitted.append(inner)
        except FoldError as error:
            reason = str(error)
            continue
        return InnerNetworks(fitted, logits, name, "")
    return InnerNetworks([], np.empty(0), "", reason)


def _core_labels(positions: SpotPositions, positive: npt.NDArray[np.bool_]) -> Rows:
    """For every spot, 1 if any spot of its core is positive."""
    label = np.empty(len(positive), dtype=np.int64)
    for spots in positions.by_core():
        label[spots] = positive[spots].any()
    return label
