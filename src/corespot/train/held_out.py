"""What a fitted estimator says of the test spots of a fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import Fold
from corespot.cohort.tasks import TaskSpots
from corespot.train.spatial_classifier import Ablation, SpatialClassifier

Floats = npt.NDArray[np.float64]

#: Shufflings by which an ablation is measured.
_N_SHUFFLES = 3
_ABLATIONS: tuple[Ablation, ...] = ("spatial", "spectral")


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Test spots of a fold.

    Parameters
    ----------
    x : ndarray, shape (n, n_bins)
        Their spectra.
    task : TaskSpots
        The task they are of.
    members : ndarray of int64, shape (n,)
        Their places in the task.
    places : mapping
        ``positions`` for a spatial model, else empty.
    """

    x: npt.NDArray[np.floating]
    task: TaskSpots
    members: npt.NDArray[np.int64]
    places: dict[str, SpotPositions]

    def predicted(self, estimator: Any) -> Floats:
        """Class probabilities of the spots, in the task's class order."""
        found = estimator.predict_proba(self.x, **self.places)
        return in_task_order(estimator, found, self.task.classes)

    def ablated(self, estimator: Any) -> dict[str, Floats]:
        """The same with one kind of structure destroyed: (n_shuffles, n, n_classes) each.

        Shufflings stay apart: the mean of their probabilities would be better than any of them.
        """
        if not isinstance(estimator, SpatialClassifier):
            return {}
        return {
            kind: np.stack(
                [
                    in_task_order(
                        estimator,
                        estimator.predict_proba(
                            self.x, positions=self.places["positions"], ablate=kind, seed=seed
                        ),
                        self.task.classes,
                    )
                    for seed in range(_N_SHUFFLES)
                ]
            )
            for kind in _ABLATIONS
        }

    def patches(self, estimator: Any, fold: Fold) -> pd.DataFrame:
        """One row a patch, with the class of most of its spots and its class probabilities."""
        if not isinstance(estimator, SpatialClassifier) or not estimator.predicts_patches:
            return pd.DataFrame()
        members, found = estimator.predict_patches(self.x, **self.places)
        y = self.task.y[self.members]
        table = pd.DataFrame(
            {
                "repeat": fold.repeat,
                "fold": fold.index,
                "row": [int(self.task.rows[self.members[spots[0]]]) for spots in members],
                "n_spots": [len(spots) for spots in members],
                "y": [int(np.bincount(y[spots]).argmax()) for spots in members],
            }
        )
        ordered = in_task_order(estimator, found, self.task.classes)
        for index, name in enumerate(self.task.classes):
            table[f"prob_{name}"] = ordered[:, index]
        return table


def in_task_order(
    estimator: Any, probabilities: npt.NDArray[np.float64], classes: tuple[str, ...]
) -> npt.NDArray[np.float64]:
    """Columns of `probabilities` in the task's class order (estimators sort theirs)."""
    known = [str(name) for name in estimator.classes_]
    return np.asarray(probabilities, dtype=np.float64)[:, [known.index(name) for name in classes]]
