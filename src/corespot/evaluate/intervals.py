"""Confidence intervals by bootstrap over patients: the unit that varies in the real world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from corespot.evaluate.aggregate import Units
from corespot.evaluate.calibration import N_BINS, brier_terms, calibration_sums, error_of_sums
from corespot.evaluate.metrics import RATES, rates

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Metrics that get an interval.
METRICS = (*RATES, "auc", "brier", "ece")
#: Weights held at once while resampling the AUC; about 64 MB.
_BLOCK = 8_000_000


def patient_intervals(
    units: Units,
    *,
    n_bootstrap: int,
    rng: np.random.Generator,
    level: float = 0.95,
    over_repeats: Literal["mean", "median"] = "mean",
) -> dict[str, list[float] | None]:
    """Percentile intervals of the pooled out-of-fold metrics, resampling whole patients.

    Patients are drawn with replacement within strata of their true class (that of most of their
    units). A drawn patient brings all its units of all repeats; the metric is computed over the
    pooled units of each repeat and averaged over repeats.

    Parameters
    ----------
    units : Units
        Decisions of one level, all repeats.
    n_bootstrap : int
        Number of resamples; 0 gives no intervals.
    rng : Generator
        Source of randomness.
    level : float
        Coverage.
    over_repeats : {"mean", "median"}
        What is taken over repeats: whichever the value beside the interval is.

    Returns
    -------
    dict of str to [low, high] or None
        Keys `METRICS`. ``None`` where a class occurs in fewer than two patients, because then
        nothing is known about how patients vary.

    References
    ----------
    Field & Welsh, "Bootstrapping clustered data", J. R. Stat. Soc. B 69(3), 2007: resampling whole
    clusters; spots of one patient resemble each other, so resampling spots would be too narrow.
    """
    found: dict[str, list[float] | None] = dict.fromkeys(METRICS)
    if n_bootstrap == 0 or not can_vary(units):
        return found
    patients, code = np.unique(units.patient, return_inverse=True)
    draws = draw_patients(patient_strata(code, units, len(patients)), n_bootstrap, rng)
    by_repeat = [
        _resampled(units.select(here), code[here], draws)
        for here in (units.repeat == repeat for repeat in np.unique(units.repeat))
    ]
    combine = np.mean if over_repeats == "mean" else np.median
    for name in METRICS:
        values = combine(np.stack([one[name] for one in by_repeat]), axis=0)
        found[name] = percentile_interval(values, level)
    return found


def percentile_interval(values: Floats, level: float = 0.95) -> list[float] | None:
    """Interval that holds the middle of resampled values.

    A resample may lack a class whose patients all belong to another stratum, and has no value
    (NaN) then; where that is common (more than a tenth) there is no interval to give.

    Parameters
    ----------
    values : ndarray, shape (n_bootstrap,)
        The metric under every resample.
    level : float
        Coverage.
    """
    defined = values[np.isfinite(values)]
    if len(defined) == 0 or len(defined) < 0.9 * len(values):
        return None
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return [float(low), float(high)]


def draw_patients(strata: Ints, n_bootstrap: int, rng: np.random.Generator) -> Floats:
    """How often every patient is drawn, shape (n_bootstrap, n_patients).

    Parameters
    ----------
    strata : ndarray of int, shape (n_patients,)
        Stratum of each patient; as many are drawn from a stratum as it holds.
    n_bootstrap : int
        Number of resamples.
    rng : Generator
        Source of randomness.
    """
    draws = np.zeros((n_bootstrap, len(strata)))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        equal = np.full(len(members), 1.0 / len(members))
        draws[:, members] = rng.multinomial(len(members), equal, size=n_bootstrap)
    return draws


def _resampled(units: Units, code: Ints, draws: Floats) -> dict[str, Floats]:
    """Every metric under every resample of one repeat's units, each of shape (n_bootstrap,)."""
    n_patients = draws.shape[1]
    n_classes = units.n_classes
    cells = per_patient(code, units.y * n_classes + units.predicted, n_patients, n_classes**2)
    confusion = (draws @ cells).reshape(len(draws), n_classes, n_classes)
    result = rates(confusion)
    result["auc"] = _resampled_auc(units, code, draws)
    size = np.bincount(code, minlength=n_patients)
    error = np.bincount(code, weights=brier_terms(units.y, units.probability), minlength=n_patients)
    result["brier"] = (draws @ error) / np.maximum(draws @ size, 1.0)
    terms, bins = calibration_sums(units.y, units.predicted, units.probability)
    sums = np.stack(
        [
            draws @ per_patient(code, bins, n_patients, N_BINS, terms[:, index])
            for index in range(3)
        ],
        axis=-1,
    )
    result["ece"] = error_of_sums(sums)
    return result


def _resampled_auc(units: Units, code: Ints, draws: Floats) -> Floats:
    """AUC with every unit weighted by how often its patient was drawn, one against the rest."""
    positives = [1] if units.n_classes == 2 else list(range(units.n_classes))
    areas = np.zeros(len(draws))
    for index in positives:
        score = units.probability[:, index]
        is_positive = units.y == index
        negative = np.flatnonzero(~is_positive)
        negative = negative[np.argsort(score[negative], kind="stable")]
        below = np.searchsorted(score[negative], score[is_positive], side="left")
        upto = np.searchsorted(score[negative], score[is_positive], side="right")
        for block in _blocks(len(draws), len(units)):
            weight = draws[block]
            w_positive = weight[:, code[is_positive]]
            # Weight of the negatives in front of each place; ties count half.
            ahead = np.zeros((len(weight), len(negative) + 1))
            np.cumsum(weight[:, code[negative]], axis=1, out=ahead[:, 1:])
            won = np.einsum("bi,bi->b", w_positive, ahead[:, below] + ahead[:, upto]) / 2
            pairs = w_positive.sum(axis=1) * ahead[:, -1]
            part = np.full(len(weight), np.nan)
            np.divide(won, pairs, out=part, where=pairs > 0)
            areas[block] += part / len(positives)
    return areas


def _blocks(n_bootstrap: int, n_units: int) -> Iterator[slice]:
    size = max(1, _BLOCK // max(n_units, 1))
    for start in range(0, n_bootstrap, size):
        yield slice(start, min(start + size, n_bootstrap))


def per_patient(
    code: Ints, cell: Ints, n_patients: int, n_cells: int, weights: Floats | None = None
) -> Floats:
    """Count (or sum) units by patient and cell, shape (n_patients, n_cells)."""
    flat = np.bincount(code * n_cells + cell, weights=weights, minlength=n_patients * n_cells)
    return flat.reshape(n_patients, n_cells).astype(np.float64)


def patient_strata(code: Ints, units: Units, n_patients: int) -> Ints:
    """Class of most units of every patient, shape (n_patients,)."""
    held = per_patient(code, units.y, n_patients, units.n_classes)
    return np.asarray(held.argmax(axis=1), dtype=np.int64)


def can_vary(units: Units) -> bool:
    """True if every class occurs in at least two patients."""
    pairs = np.unique(np.stack([units.y, units.patient], axis=1), axis=0)
    return bool(np.all(np.bincount(pairs[:, 0], minlength=units.n_classes) >= 2))
