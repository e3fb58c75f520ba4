"""Confidence intervals by bootstrap over patients: the unit that varies in the real world."""

from __future__ import annotations

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
#: Counts held at once while pairs of patients are counted; about 64 MB.
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
    """AUC with every unit weighted by how often its patient was drawn, one against the rest.

    Units of a patient always weigh alike, so that pairs are counted between patients once, and
    every resample weighs these counts. All sums are of half integers, hence exact.
    """
    n_patients = draws.shape[1]
    positives = [1] if units.n_classes == 2 else list(range(units.n_classes))
    areas = np.zeros(len(draws))
    for index in positives:
        is_positive = units.y == index
        won = _pairs_won(units.probability[:, index], is_positive, code, n_patients)
        drawn_won = np.einsum("bi,bi->b", draws @ won, draws)
        sides = (
            np.bincount(code[side], minlength=n_patients) for side in (is_positive, ~is_positive)
        )
        pairs = np.prod([draws @ side for side in sides], axis=0)
        part = np.full(len(draws), np.nan)
        np.divide(drawn_won, pairs, out=part, where=pairs > 0)
        areas += part / len(positives)
    return areas


def _pairs_won(
    score: Floats, is_positive: npt.NDArray[np.bool_], code: Ints, n_patients: int
) -> Floats:
    """Pairs of a positive unit of one patient and a lower negative one of another; ties are ½.

    Shape (n_patients, n_patients), patients of the positive units first.
    """
    positive, negative = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
    won = np.zeros((n_patients, n_patients))
    if not len(positive) or not len(negative):
        return won
    negative = negative[np.argsort(score[negative], kind="stable")]
    # A negative unit at place r is lower than positive ones that have more than r in front.
    ahead = [
        np.searchsorted(score[negative], score[positive], side=side) for side in ("left", "right")
    ]
    by_patient = np.argsort(code[negative], kind="stable")
    held, first = np.unique(code[negative][by_patient], return_index=True)
    patients, patient = np.unique(code[positive], return_inverse=True)
    n_places = len(negative) + 1
    rows = max(1, _BLOCK // n_places)
    for start in range(0, len(patients), rows):
        here = (patient >= start) & (patient < start + rows)
        n_rows = min(rows, len(patients) - start)
        cell = (patient[here] - start) * n_places
        beaten = np.zeros((n_rows, n_places))
        for places in ahead:
            counted = np.bincount(cell + places[here], minlength=n_rows * n_places)
            beaten += counted.reshape(n_rows, n_places)
        lower = np.cumsum(beaten[:, :0:-1], axis=1)[:, ::-1] / 2
        sums = np.add.reduceat(lower[:, by_patient], first, axis=1)
        won[patients[start : start + n_rows, None], held] = sums
    return won


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
