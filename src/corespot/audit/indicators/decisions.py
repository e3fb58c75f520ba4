"""Decisions of models on the spots of a cohort, counted by patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.errors import StoreError
from corespot.evaluate.intervals import per_patient
from corespot.evaluate.metrics import class_rates

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: With fewer patients of a class nothing is said.
FEWEST_PATIENTS = 5


@dataclass(frozen=True, eq=False)
class Decisions:
    """Decisions of one or several models on the spots of a cohort.

    Parameters
    ----------
    title : str
        Which cohort, for messages.
    names : ndarray of str, shape (n_patients,)
        Patients in order of name.
    patient, model : ndarray of int64, shape (n,)
        Patient and model (or repeat) of each decision.
    y, predicted : ndarray of int64, shape (n,)
        True and predicted class.
    n_classes : int
        Number of classes.
    """

    title: str
    names: npt.NDArray[np.str_]
    patient: Ints
    model: Ints
    y: Ints
    predicted: Ints
    n_classes: int

    @property
    def n_models(self) -> int:
        """Number of models."""
        return int(self.model.max()) + 1

    def too_small(self, classes: Sequence[str]) -> NotApplicable | None:
        """Why accuracy says nothing of patients, or None."""
        held = (self.share_of(self.y, self.n_classes) > 0).sum(axis=0)
        least = int(held.argmin())
        if held[least] >= FEWEST_PATIENTS:
            return None
        found = f"{held[least]} patients" if held[least] else "no spot"
        return NotApplicable(
            f"the {self.title} cohort has {found} of class {classes[least]}: at least "
            f"{FEWEST_PATIENTS} patients of each class are needed"
        )

    def share_of(self, code: Ints, n_codes: int) -> Floats:
        """Share of each patient's spots with each code, shape (n_patients, n_codes)."""
        counts = per_patient(self.patient, code, len(self.names), n_codes)
        shares: Floats = counts / counts.sum(axis=1, keepdims=True)
        return shares

    def strata(self) -> Ints:
        """Class of most spots of each patient."""
        return np.asarray(self.share_of(self.y, self.n_classes).argmax(axis=1), dtype=np.int64)

    def recalls(self, draws: Floats | None) -> Floats:
        """Recall of each class, mean over models, shape (n_draws, n_classes).

        `draws`, of shape (n_draws, n_patients), says how often each patient counts; once if None.
        """
        n, n_patients = self.n_classes, len(self.names)
        drawn = np.ones((1, n_patients)) if draws is None else draws
        # All models judged the same spots, so that the mean of their recalls is that of all
        # their decisions together, whichever patients are drawn.
        cells = per_patient(self.patient, self.y * n + self.predicted, n_patients, n * n)
        return class_rates((drawn @ cells).reshape(-1, n, n))["sensitivity"]


def read_decisions(
    table: pd.DataFrame, classes: Sequence[str], title: str, *, by: Sequence[str]
) -> Decisions:
    """Read a table of predictions, one line a spot and model.

    Parameters
    ----------
    table : DataFrame
        ``y``, ``patient``, and ``predicted`` or one ``prob_<class>`` a class.
    classes : sequence of str
        Class names in the order of `y`.
    title : str
        Which cohort, for messages.
    by : sequence of str
        Columns that tell models apart, where they are there.

    Raises
    ------
    StoreError
        If a column is missing, a class unknown, or models judged different spots.
    """
    columns = [f"prob_{name}" for name in classes]
    decided = "predicted" in table
    missing = [c for c in ("y", "patient", *(() if decided else columns)) if c not in table]
    if missing or len(table) == 0:
        lack = f"lack the column {missing[0]!r}" if missing else "are empty"
        raise StoreError(f"the predictions on the {title} cohort {lack}")
    y = table["y"].to_numpy(np.int64)
    probability = None if decided else table[columns].to_numpy(np.float64)
    if probability is not None and not np.all(np.isfinite(probability)):
        raise StoreError(f"the predictions on the {title} cohort are not all finite")
    predicted = (
        table["predicted"].to_numpy(np.int64)
        if probability is None
        else probability.argmax(axis=1).astype(np.int64)
    )
    for number in (y, predicted):
        if number.min() < 0 or number.max() >= len(classes):
            raise StoreError(
                f"the predictions on the {title} cohort hold class number "
                f"{number.min() if number.min() < 0 else number.max()}; expected 0 to "
                f"{len(classes) - 1} ({', '.join(classes)})"
            )
    names, code = np.unique(table["patient"].to_numpy(dtype=str), return_inverse=True)
    patient = code.astype(np.int64)
    keys = [name for name in by if name in table]
    model = np.zeros(len(table), dtype=np.int64)
    if keys:
        model = np.asarray(table.groupby(keys).ngroup(), dtype=np.int64)
    cell = np.asarray(patient * len(classes) + y, dtype=np.int64)
    per_model = per_patient(model, cell, int(model.max()) + 1, len(names) * len(classes))
    if np.any(per_model != per_model[0]):
        raise StoreError(
            f"the predictions on the {title} cohort hold different spots for different "
            f"{' and '.join(keys)}: each model must judge every spot once"
        )
    return Decisions(title, names, patient, model, y, predicted, len(classes))
