"""Two sets of out-of-fold predictions of the same spots, compared patient by patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.errors import StoreError
from corespot.evaluate.aggregate import LEVELS, Units, at_level
from corespot.evaluate.intervals import (
    can_vary,
    draw_patients,
    patient_strata,
    per_patient,
    percentile_interval,
)
from corespot.evaluate.metrics import RATES, rates
from corespot.seeding import generator

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Metrics that are compared.
PAIRED_METRICS = ("balanced_accuracy", "auc", "f1", "sensitivity", "specificity")
#: Numbers held at once while pairs of patients are counted; about 32 MB.
_BLOCK = 4_000_000


def paired_differences(
    reference: Units, other: Units, *, n_bootstrap: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How much better another model is on the same patients, with intervals over patients.

    Every resample of the patients is applied to both models, so that what makes a patient hard
    for both cancels out. Metrics are pooled over the folds of a repeat and averaged over repeats.

    Parameters
    ----------
    reference, other : Units
        Decided spots (`spot_units`) of both models: the same spots, numbered alike. The folds
        and the number of repeats may differ.
    n_bootstrap : int
        Resamples of the patients; 0 gives no intervals.
    seed : int
        Seed of the resampling.

    Returns
    -------
    DataFrame
        One row a level and metric: ``level``, ``metric``, ``reference``, ``run`` (the metric of
        both), ``difference`` = run − reference, ``low`` and ``high`` (95 %; NaN where a class
        occurs in fewer than two patients, or the metric is undefined).

    Raises
    ------
    StoreError
        If the two are not about the same spots and labels.

    References
    ----------
    Field & Welsh, "Bootstrapping clustered data", J. R. Stat. Soc. B 69(3), 2007.
    """
    drawn = {"n_bootstrap": n_bootstrap, "seed": seed}
    return differences(resample(reference, **drawn), resample(other, **drawn))


@dataclass(frozen=True, eq=False)
class Resamples:
    """What a model reaches under every resample of the patients.

    Parameters
    ----------
    spots : str
        Digest of patients, cores and labels: only models of the same spots are compared.
    n_spots, n_patients : int
        How many there are.
    values : mapping of (str, str) to ndarray, shape (1 + n_bootstrap,)
        By level and metric: of all patients once, then under every resample.
    varies : mapping of str to bool
        By level, whether every class occurs in at least two patients.
    """

    spots: str
    n_spots: int
    n_patients: int
    values: Mapping[tuple[str, str], Floats]
    varies: Mapping[str, bool]


def resample(spots: Units, *, n_bootstrap: int = 1000, seed: int = 0) -> Resamples:
    """Evaluate a model under resamples that are the same for every model of the same spots.

    Parameters
    ----------
    spots : Units
        Decided spots, from `spot_units`.
    n_bootstrap, seed : int
        See `paired_differences`.
    """
    patients, code = np.unique(spots.patient, return_inverse=True)
    draws = np.ones((1, len(patients)))
    if n_bootstrap > 0:
        strata = patient_strata(code, spots, len(patients))
        drawn = draw_patients(strata, n_bootstrap, generator(seed, "bootstrap"))
        draws = np.concatenate([draws, drawn])
    values: dict[tuple[str, str], Floats] = {}
    varies = {}
    for level in LEVELS:
        units = at_level(spots, level)
        varies[level] = n_bootstrap > 0 and len(units) > 0 and can_vary(units)
        found = _resampled(units, patients, draws)
        values |= {(level, metric): found[metric] for metric in PAIRED_METRICS}
    n_spots = len(spots) // max(len(np.unique(spots.repeat)), 1)
    digest = sha256(f"{spots.n_classes} {n_bootstrap} {seed}".encode())
    for column in (spots.patient, spots.core, spots.y):
        digest.update(np.ascontiguousarray(column[:n_spots]).tobytes())
    return Resamples(digest.hexdigest(), n_spots, len(patients), values, varies)


def differences(reference: Resamples, other: Resamples) -> pd.DataFrame:
    """Differences of two models; see `paired_differences`.

    Raises
    ------
    StoreError
        If the two are not about the same spots, labels and resamples.
    """
    if reference.spots != other.spots or reference.n_spots == 0:
        raise StoreError(
            f"the predictions are about {reference.n_spots} and {other.n_spots} spots that are "
            "not the same: only what both have predicted can be compared"
        )
    rows = []
    for (level, metric), before in reference.values.items():
        after = other.values[level, metric]
        gained = after - before
        varies = reference.varies[level] and other.varies[level]
        interval = percentile_interval(gained[1:]) if varies else None
        low, high = interval or (np.nan, np.nan)
        values = (float(value) for value in (before[0], after[0], gained[0]))
        rows.append((level, metric, *values, low, high))
    columns = ["level", "metric", "reference", "run", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _resampled(units: Units, patients: Ints, draws: Floats) -> dict[str, Floats]:
    """Every metric under every resample, mean over repeats, each of shape (n_resamples,)."""
    k, n_patients = units.n_classes, len(patients)
    by_repeat: list[dict[str, Floats]] = []
    for repeat in np.unique(units.repeat):
        here = units.select(units.repeat == repeat)
        code = np.searchsorted(patients, here.patient)
        cells = per_patient(code, here.y * k + here.predicted, n_patients, k * k)
        found = rates((draws @ cells).reshape(len(draws), k, k))
        found["auc"] = _area(here, code, draws)
        by_repeat.append(found)
    if not by_repeat:
        return {name: np.full(len(draws), np.nan) for name in (*RATES, "auc")}
    return {
        name: np.asarray(np.mean([one[name] for one in by_repeat], axis=0), dtype=np.float64)
        for name in (*RATES, "auc")
    }


def _area(units: Units, code: Ints, draws: Floats) -> Floats:
    """AUC with every patient weighted by how often it was drawn; see `metrics.auc`."""
    positives = [1] if units.n_classes == 2 else list(range(units.n_classes))
    area = np.zeros(len(draws))
    for index in positives:
        positive = units.y == index
        won, owners, held = _pairs_won(units.probability[:, index], positive, code)
        weights = draws[:, owners], draws[:, held]
        counts = (
            np.bincount(code[side], minlength=draws.shape[1]) for side in (positive, ~positive)
        )
        pairs = np.prod([draws @ count for count in counts], axis=0)
        part = np.full(len(draws), np.nan)
        total = ((weights[0] @ won) * weights[1]).sum(axis=1)
        np.divide(total, pairs, out=part, where=pairs > 0)
        area += part / len(positives)
    return area


def _pairs_won(
    score: Floats, positive: npt.NDArray[np.bool_], code: Ints
) -> tuple[Floats, Ints, Ints]:
    """Pairs of a positive unit of one patient above a negative one of another; ties count half.

    Counted once for each two patients, a resample is a sum over patients instead of units: at
    27,000 spots a hundred times less work. Returns the pairs, and which patients lines and
    columns belong to.
    """
    negative = np.flatnonzero(~positive)
    negative = negative[np.argsort(score[negative], kind="stable")]
    member = np.flatnonzero(positive)
    member = member[np.argsort(code[member], kind="stable")]
    owners, first = np.unique(code[member], return_index=True)
    held = np.unique(code[negative])
    won = np.zeros((len(owners), len(held)))
    if not len(member) or not len(negative):
        return won, owners, held
    below = np.searchsorted(score[negative], score[member], side="left")
    upto = np.searchsorted(score[negative], score[member], side="right")
    size = max(1, _BLOCK // len(score))
    for start in range(0, len(held), size):
        block = held[start : start + size]
        ahead = np.zeros((len(negative) + 1, len(block)), dtype=np.int32)
        np.cumsum(code[negative][:, None] == block, axis=0, out=ahead[1:])
        gained = np.add.reduceat(ahead[below] + ahead[upto], first, axis=0)
        won[:, start : start + size] = gained / 2
    return won, owners, held
