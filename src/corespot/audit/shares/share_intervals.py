"""From what parts of a difference do to spots, to shares with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.class_shares import ARTIFACT, NON_PEPTIDE, ClassShares
from corespot.audit.shares.gap_parts import ARTIFACT_PARTS
from corespot.audit.shares.split_gap import SplitGap
from corespot.errors import ModelError
from corespot.evaluate.intervals import draw_patients

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

#: The whole difference, beside its parts.
WHOLE = "whole"
#: The whole difference has to move the log-odds by this many standard deviations within class.
LEAST_EFFECT = 0.2
#: Largest ratio by which the effect of the whole may differ from what the gradient foretells.
_MOST_CURVED = 4.0


@dataclass(frozen=True, eq=False)
class PatientEffects:
    """What each change does to the log-odds of a class, averaged over the spots of a patient.

    Parameters
    ----------
    means : mapping of str to ndarray of float64, shape (2, n_patients)
        By change: the class's own spots, and those of all others.
    has : ndarray of bool, shape (2, n_patients)
        Whether a patient has such spots.
    spread : float
        Standard deviation of the log-odds within the two sides.
    """

    means: Mapping[str, FloatArray]
    has: BoolArray
    spread: float

    @classmethod
    def of(
        cls,
        effects: Mapping[str, FloatArray],
        before: FloatArray,
        is_class: BoolArray,
        patients: npt.NDArray[np.str_],
        names: npt.NDArray[np.str_],
    ) -> Self:
        """Average spots, each (n_spots,), over the patients `names`, (n_patients,).

        Raises
        ------
        ModelError
            If a spot is of a patient without a name, or one side has no spot.
        """
        patient = np.minimum(np.searchsorted(names, patients), len(names) - 1)
        if np.any(names[patient] != patients):
            unknown = patients[names[patient] != patients][0]
            raise ModelError(f"patient {unknown} is not among those the differences are made of")
        sides = (is_class, ~is_class)
        if not np.any(is_class) or np.all(is_class):
            raise ModelError("held-out spots of the class and of others are needed, one is missing")
        n = len(names)
        counts = np.stack([np.bincount(patient[side], minlength=n) for side in sides])
        means = {
            name: np.stack(
                [np.bincount(patient[side], weights=v[side], minlength=n) for side in sides]
            )
            / np.maximum(counts, 1)
            for name, v in effects.items()
        }
        spread = float(np.sqrt(np.mean([np.var(before[side]) for side in sides])))
        return cls(means, counts > 0, spread)

    def mean(self, name: str, weights: FloatArray) -> FloatArray:
        """½ of the sum of both sides' means over patients, for each row of weights, (n_draws,)."""
        return 0.5 * _sum_of_sides(self.means[name], self.has, weights, np.array([1.0, 1.0]))


def patient_readings(split: SplitGap, k: int, slope: FloatArray) -> dict[str, FloatArray]:
    """How much each patient's mean spectrum adds to what a part does, to first order.

    Parameters
    ----------
    split : SplitGap
        The differences of the held-out spots.
    k : int
        The class.
    slope : ndarray of float64, shape (n_bins,)
        Mean gradient of its log-odds.

    Returns
    -------
    dict of str to ndarray of float64, shape (2, n_patients)
        By change; the mean of the first line less that of the second is slope · part.
    """
    parts = split.parts[k]
    carried = parts.carried(slope)
    if not isinstance(split.non_peptide, NotApplicable):
        carried[NON_PEPTIDE] = parts.carried(np.where(split.non_peptide, slope, 0.0))["peak"]
        # Outside peaks there is no peak part, whatever is judged there.
    carried[WHOLE] = slope
    found = {name: np.zeros((2, len(split.gap.names))) for name in carried}
    for line, side in enumerate(split.gap.sides(k)):
        for name, reading in carried.items():
            found[name][line, side.patients] = side.along(reading)
    return found


def shares_of(
    effects: PatientEffects,
    missing: Mapping[str, NotApplicable],
    readings: Mapping[str, FloatArray] | None,
    *,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> ClassShares | NotApplicable:
    """Shares of a class, or why there is nothing to share out.

    Parameters
    ----------
    effects : PatientEffects
        Effects of every part and of the whole.
    missing : mapping of str to NotApplicable
        Parts that cannot be told.
    readings : mapping of str to ndarray, or None
        See `patient_readings`; without them there are no intervals.
    n_bootstrap : int
        Draws of patients.
    rng : Generator
        Source of randomness.
    """
    has = effects.has
    once = np.ones((1, has.shape[1]))
    whole = float(effects.mean(WHOLE, once)[0])
    if not whole > LEAST_EFFECT * effects.spread:
        return NotApplicable(
            f"moving every held-out spot by the whole difference of the classes changes the "
            f"log-odds by {whole:.3g}, against a spread of {effects.spread:.3g} within the "
            "classes: the model hardly reacts to that difference, so there is nothing to share out"
        )
    names = [name for name in effects.means if name != WHOLE]
    shares = {name: float(effects.mean(name, once)[0]) / whole for name in names}
    told = [part for part in ARTIFACT_PARTS if part in shares]
    if told:
        shares[ARTIFACT] = float(sum(shares[part] for part in told))
    else:
        missing = {**missing, ARTIFACT: missing[ARTIFACT_PARTS[0]]}
    draws: dict[str, FloatArray] = {}
    if n_bootstrap and readings is not None and int(has.sum(axis=1).min()) > 1:
        drawn = draw_patients(has.T @ np.array([1, 2]), n_bootstrap, rng)
        resampled = _resampled(effects, readings, whole, drawn)
        below = resampled.pop(WHOLE)
        # A draw in which the model does not tell the classes apart has no shares.
        below = np.where(below > 0.1 * whole, below, np.nan)
        draws = {name: values / below for name, values in resampled.items()}
        if told:
            draws[ARTIFACT] = np.sum([draws[part] for part in told], axis=0)
    by_fold = {name: (value,) for name, value in shares.items()}
    return ClassShares(shares, draws, missing, whole, by_fold)


def _resampled(
    effects: PatientEffects, readings: Mapping[str, FloatArray], whole: float, drawn: FloatArray
) -> dict[str, FloatArray]:
    """Effects under every draw: of the difference as it is, and of how it changes."""
    once = np.ones((1, drawn.shape[1]))
    signs = np.array([1.0, -1.0])
    foretold = float(_sum_of_sides(readings[WHOLE], effects.has, once, signs)[0])
    ratio = whole / foretold if foretold > 0 else 1.0
    ratio = float(np.clip(ratio, 1 / _MOST_CURVED, _MOST_CURVED))
    found = {}
    for name in effects.means:
        moved = _sum_of_sides(readings[name], effects.has, drawn, signs)
        moved -= _sum_of_sides(readings[name], effects.has, once, signs)
        found[name] = effects.mean(name, drawn) + ratio * moved
    return found


def _sum_of_sides(
    values: FloatArray, has: BoolArray, weights: FloatArray, signs: FloatArray
) -> FloatArray:
    """Signed sum of both sides' weighted means over patients, shape (n_draws,)."""
    total = np.zeros(len(weights))
    for side in range(2):
        taken = weights[:, has[side]]
        total += signs[side] * (taken @ values[side][has[side]]) / taken.sum(axis=1)
    return total
