"""Sensitivity for the TMA: what tells TMAs apart within a class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.negative_controls import MOST_SPOTS, deal_spots
from corespot.errors import ModelError
from corespot.seeding import generator

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]

#: Strength of the penalty on standardised bins, per bin.
_RIDGE_PER_BIN = 0.1
#: Values converted at a time (32 MiB in float64).
_BLOCK_VALUES = 4_194_304
#: Below this share of its mean a bin varies by no more than float32 rounds.
_CONSTANT = 1e-6


@dataclass(frozen=True, eq=False)
class TmaSensitivity:
    """What a linear classifier of TMAs looks at, differences between classes taken out.

    Parameters
    ----------
    profile : ndarray of float64, shape (n_bins,)
        Sensitivity for the TMA: coefficients times standard deviation within classes, root mean
        square over TMAs.
    tmas : tuple of str
        The TMAs that were told apart.
    n_spots, n_patients : int
        Training spots that were used, and their patients.
    """

    profile: FloatArray
    tmas: tuple[str, ...]
    n_spots: int
    n_patients: int


def tma_sensitivity(
    x: npt.NDArray[np.floating],
    y: Rows,
    tmas: Names,
    patients: Names,
    *,
    rows: Rows | None = None,
    seed: int = 0,
) -> TmaSensitivity | NotApplicable:
    """Find what tells TMAs apart within a class: a ridge regression of TMA on all bins.

    Parameters
    ----------
    x : ndarray or memmap, shape (n_rows, n_bins)
        Spectra; read in blocks.
    y : ndarray of int64, shape (n_spots,)
        Class of each training spot.
    tmas, patients : ndarray of str, shape (n_spots,)
        TMA and patient (or core) of each.
    rows : ndarray of int64, shape (n_spots,), optional
        Row of `x` of each; the rows as they stand if left out.
    seed : int
        Seed by which spots are dealt where there are too many.

    Returns
    -------
    TmaSensitivity or NotApplicable
        Not applicable where every class lies on one TMA.

    Raises
    ------
    ModelError
        If the arrays do not fit together.

    Notes
    -----
    Bins and TMA indicators are centred within class, so that what differs between classes plays
    no part, also where class and TMA are nested; bins are scaled to their standard deviation
    within classes. Patients (each patient's spots of a class) count alike. At most 3,000 spots
    are used, dealt evenly over patients. The penalty is a tenth of the number of bins, as in
    `negative_controls`. As there are more bins than spots, the regression is solved in its dual
    form, B = Xᵀ(XXᵀ + αI)⁻¹T. TMAs of few patients differ in their patients, too: not all of the
    profile is the measurement.

    References
    ----------
    Saunders, Gammerman & Vovk, "Ridge regression learning algorithm in dual variables", Proc. 15th
    Int. Conf. on Machine Learning (ICML), 515 (1998).
    """
    spots = np.arange(len(x), dtype=np.int64) if rows is None else rows
    if x.ndim != 2 or not len(spots) == len(y) == len(tmas) == len(patients):
        raise ModelError(
            f"spectra of shape {x.shape}, {len(spots)} rows, {len(y)} classes, {len(tmas)} TMAs "
            f"and {len(patients)} patients do not fit together"
        )
    comparable = [int(k) for k in np.unique(y) if len(np.unique(tmas[y == k])) > 1]
    if not comparable:
        return NotApplicable(
            "each class lies on one TMA: what differs between TMAs cannot be told from what "
            "differs between classes"
        )
    usable = np.flatnonzero(np.isin(y, comparable)).astype(np.int64)
    rng = generator(seed, "audit", "tma sensitivity")
    chosen = np.sort(deal_spots(usable, patients[usable], MOST_SPOTS, rng))
    # In order of class, so that the spots of a class are a slice and need no copy.
    chosen = chosen[np.argsort(y[chosen], kind="stable")]
    label = np.unique(y[chosen], return_inverse=True)[1]
    weight = _equal_patients(label, patients[chosen])
    bins = _centred_bins(x, spots[chosen], label, weight)
    names, code = np.unique(tmas[chosen], return_inverse=True)
    target = np.eye(len(names))[code]
    for k in range(int(label.max()) + 1):
        own = label == k
        target[own] -= np.average(target[own], axis=0, weights=weight[own])
    target *= np.sqrt(weight)[:, None]
    # In units of the number of bins, so that the penalty is the same whatever the axis.
    n_bins = max(1, int(np.count_nonzero(bins.any(axis=0))))
    products = (bins @ bins.T).astype(np.float64) / n_bins
    products[np.diag_indices_from(products)] += _RIDGE_PER_BIN
    dual = solve(products, target, assume_a="pos", overwrite_a=True, check_finite=False)
    slopes = (bins.T @ dual.astype(np.float32)).astype(np.float64) / n_bins
    return TmaSensitivity(
        profile=np.sqrt(np.mean(slopes**2, axis=1)),
        tmas=tuple(str(name) for name in names),
        n_spots=len(chosen),
        n_patients=len(np.unique(patients[chosen])),
    )


def _equal_patients(label: npt.NDArray[np.intp], patients: Names) -> FloatArray:
    """Weight of each spot so that each patient of a class counts alike; the mean is one."""
    patient = np.unique(patients, return_inverse=True)[1]
    cell = np.unique(label * (patient.max() + 1) + patient, return_inverse=True)[1]
    weight: FloatArray = 1.0 / np.bincount(cell)[cell]
    weight *= len(weight) / weight.sum()
    return weight


def _centred_bins(
    x: npt.NDArray[np.floating], rows: Rows, label: npt.NDArray[np.intp], weight: FloatArray
) -> npt.NDArray[np.float32]:
    """Bins less their class's mean, in standard deviations, times the root of each weight."""
    step = max(1, _BLOCK_VALUES // x.shape[1])
    bins = np.empty((len(rows), x.shape[1]), dtype=np.float32)
    sums = np.zeros((int(label.max()) + 1, x.shape[1]))
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        bins[part] = x[rows[part]]
        for k in np.unique(label[part]):
            own = label[part] == k
            sums[k] += weight[part][own] @ bins[part][own].astype(np.float64)
    sums /= np.bincount(label, weights=weight)[:, None]
    squares = np.zeros(x.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        centred = bins[part] - sums[label[part]]
        centred *= np.sqrt(weight[part])[:, None]
        squares += np.einsum("ij,ij->j", centred, centred)
        bins[part] = centred
    spread = np.sqrt(squares / weight.sum())
    varies = spread > _CONSTANT * np.abs(sums).max(axis=0)
    bins *= np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0).astype(np.float32)
    return bins
