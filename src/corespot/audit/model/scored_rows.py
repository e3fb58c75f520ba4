"""What a fold's model says of spots beside those of its task: control cores, a second cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.shares.changed_spectra import log_odds
from corespot.cohort.positions import SpotPositions
from corespot.cohort.tasks import TaskSpots
from corespot.io.store import SpectraStore
from corespot.train.estimator import where_they_lie

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

#: Spectra that are read at a time.
_BLOCK = 1024


@dataclass(frozen=True, eq=False)
class SecondCohort:
    """Another cohort on the same m/z axis, preprocessed alike.

    Parameters
    ----------
    store : SpectraStore
        Its spectra.
    task : TaskSpots
        The same task there.
    """

    store: SpectraStore
    task: TaskSpots


def scores_of_rows(
    estimator: Any, store: SpectraStore, rows: Rows, model: str, classes: Sequence[str]
) -> FloatArray:
    """Log-odds of some rows of a store, read block by block where spots do not matter together."""
    places = where_they_lie(model, SpotPositions.of(store.spots.iloc[rows].reset_index(drop=True)))
    if places:
        return log_odds(estimator, store.take(rows), classes, places=places)
    found = np.zeros((len(rows), len(classes)))
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        found[block] = log_odds(estimator, store.take(rows[block]), classes)
    return found
