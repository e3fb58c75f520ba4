"""From spots to cores and patients: what a level decides, how surely, and what is true there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import StoreError
from corespot.evaluate.checks import check_repeats, check_values

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rule = Literal["majority", "mean"]

#: Levels in the order of a report: spots, cores by majority, cores by mean, patients by mean.
LEVELS = ("spot", "core", "core_mean", "patient")


@dataclass(frozen=True, eq=False)
class Units:
    """Decisions about spots, cores or patients, ordered by repeat and fold.

    Parameters
    ----------
    repeat, fold : ndarray of int64, shape (n,)
        Where the unit was tested. A unit whose spots lie in several folds (cores under random-spot
        folds) is one unit in each.
    core, patient : ndarray of int64, shape (n,)
        Number of the core (of the first one, for a patient) and of the patient.
    y, predicted : ndarray of int64, shape (n,)
        True and predicted class.
    probability : ndarray of float64, shape (n, n_classes)
        Mean probability, or the share of votes where the majority decides; rows sum to one.
    n_spots : ndarray of int64, shape (n,)
        Spots of the unit.
    mixed : ndarray of bool, shape (n,)
        True where the unit's spots are not all of one class.
    n_excluded : int
        Units left out because their spots are exactly divided, so that no class is true of them.
    """

    repeat: Ints
    fold: Ints
    core: Ints
    patient: Ints
    y: Ints
    predicted: Ints
    probability: Floats
    n_spots: Ints
    mixed: npt.NDArray[np.bool_]
    n_excluded: int = 0

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_classes(self) -> int:
        """Number of classes of the task."""
        return int(self.probability.shape[1])

    def select(self, keep: npt.NDArray[np.bool_]) -> Units:
        """The units where `keep` is true."""
        return Units(
            self.repeat[keep],
            self.fold[keep],
            self.core[keep],
            self.patient[keep],
            self.y[keep],
            self.predicted[keep],
            self.probability[keep],
            self.n_spots[keep],
            self.mixed[keep],
        )


def spot_units(
    predictions: pd.DataFrame, spots: pd.DataFrame, classes: tuple[str, ...] | list[str]
) -> Units:
    """Check out-of-fold predictions and decide every spot by its most probable class.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``row``, ``repeat``, ``fold``, ``y`` and one ``prob_<class>`` a class; one line a
        spot and repeat, in any order.
    spots : DataFrame
        Spot table of the store: its line i describes row i. Needs ``core`` and ``patient``.
    classes : sequence of str
        Class names in the order of `y`.

    Raises
    ------
    StoreError
        If columns are missing, a spot is predicted twice in a repeat, the repeats hold different
        spots, or values are no probabilities.

    Notes
    -----
    Equal probabilities are decided for the class named first.
    """
    wanted = ["row", "repeat", "fold", "y", *(f"prob_{name}" for name in classes)]
    for table, name, columns in (
        (predictions, "predictions", wanted),
        (spots, "spot table", ["core", "patient"]),
    ):
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise StoreError(f"the {name} lacks the column {missing[0]!r}")
    if len(predictions) == 0:
        raise StoreError("there are no predictions to evaluate")
    table = in_order(predictions.loc[:, wanted])
    row, repeat, fold, y = (table[name].to_numpy(np.int64) for name in wanted[:4])
    probability = table[wanted[4:]].to_numpy(np.float64)
    check_values(row, y, probability, len(spots))
    check_repeats(row, repeat)
    core, patient = cores_and_patients(spots.iloc[row])
    n = len(row)
    return Units(
        repeat=repeat,
        fold=fold,
        core=core,
        patient=patient,
        y=y,
        predicted=probability.argmax(axis=1).astype(np.int64),
        probability=probability,
        n_spots=np.ones(n, dtype=np.int64),
        mixed=np.zeros(n, dtype=bool),
    )


def cores_and_patients(here: pd.DataFrame) -> tuple[Ints, Ints]:
    """Number of the core and of the patient of each line of a spot table, by order of name."""
    core = here["core"].fillna("").astype(str).to_numpy(dtype=str)
    patient = here["patient"].fillna("").astype(str).to_numpy(dtype=str)
    # As in the folds: a core without a patient id is a patient of its own.
    patient = np.where(patient == "", np.char.add("core:", core), patient)
    return (
        np.unique(core, return_inverse=True)[1].astype(np.int64),
        np.unique(patient, return_inverse=True)[1].astype(np.int64),
    )


def in_order(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions in the order of `spot_units`: by repeat, then by row."""
    return predictions.sort_values(["repeat", "row"], kind="stable")


def aggregate(spot: Units, by: Literal["core", "patient"], rule: Rule) -> Units:
    """Combine spots into cores or patients.

    Parameters
    ----------
    spot : Units
        Decided spots, from `spot_units`.
    by : {"core", "patient"}
        What a unit is. All spots of a patient count alike, whichever core they lie on.
    rule : {"majority", "mean"}
        ``majority``: the class that most spots were decided for; a tie goes to the tied class of
        higher mean probability; the unit's probability is the share of votes. ``mean``: the class
        of the highest mean probability.

    Returns
    -------
    Units
        One a core or patient, repeat and fold. The true class is that of most of its spots (of
        those in the task); units exactly divided have no true class and are left out and counted.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, section on evaluation: cores by majority.
    """
    name = spot.core if by == "core" else spot.patient
    keys = np.stack([spot.repeat, spot.fold, name], axis=1)
    _, first, unit = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    unit = np.ravel(unit)
    n, n_classes = len(first), spot.n_classes
    n_spots = np.bincount(unit, minlength=n)
    truth = _tally(unit, spot.y, n, n_classes)
    votes = _tally(unit, spot.predicted, n, n_classes)
    mean = np.stack(
        [
            np.bincount(unit, weights=spot.probability[:, index], minlength=n) / n_spots
            for index in range(n_classes)
        ],
        axis=1,
    )
    # Sums differ in the last digits with the order of the spots; rounded, a tie stays a tie.
    mean = np.round(mean, 12)
    if rule == "majority":
        leading = votes == votes.max(axis=1, keepdims=True)
        predicted = np.where(leading, mean, -1.0).argmax(axis=1)
        probability = votes / n_spots[:, None]
    else:
        predicted = mean.argmax(axis=1)
        probability = mean
    divided = (truth == truth.max(axis=1, keepdims=True)).sum(axis=1) > 1
    units = Units(
        repeat=spot.repeat[first],
        fold=spot.fold[first],
        core=spot.core[first],
        patient=spot.patient[first],
        y=truth.argmax(axis=1).astype(np.int64),
        predicted=predicted.astype(np.int64),
        probability=probability,
        n_spots=n_spots.astype(np.int64),
        mixed=(truth > 0).sum(axis=1) > 1,
    )
    return replace(units.select(~divided), n_excluded=int(divided.sum()))


def at_level(spot: Units, level: str) -> Units:
    """Units of one of `LEVELS`."""
    if level == "spot":
        return spot
    by: Literal["core", "patient"] = "patient" if level == "patient" else "core"
    return aggregate(spot, by, "majority" if level == "core" else "mean")


def _tally(unit: Ints, label: Ints, n_units: int, n_classes: int) -> Ints:
    """Spots of each class in each unit, shape (n_units, n_classes)."""
    flat = np.bincount(unit * n_classes + label, minlength=n_units * n_classes)
    return flat.reshape(n_units, n_classes).astype(np.int64)
