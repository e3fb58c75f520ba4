"""What a classifier can do that sees nothing but how the spectra were measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.preprocessing import StandardScaler

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.masking import balanced_accuracy
from corespot.audit.indicators.nuisance_features import nuisance_features
from corespot.audit.shares.peak_mask import PeakMask
from corespot.axis import MzAxis
from corespot.errors import ModelError
from corespot.seeding import generator

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

#: Training spots that are used, at most, dealt evenly over patients: they vary, not their spots.
MOST_SPOTS = 3000
#: Off-peak bins that are used, at most, spread evenly over the axis.
MOST_BINS = 16_384
#: Strength of the penalty on standardised bins, per bin.
_RIDGE_PER_BIN = 0.1
#: Inverse strength of the penalty on standardised features.
_LOGISTIC_C = 1.0
#: Values standardised at a time when test spots are judged (32 MiB).
_BLOCK_VALUES = 8_388_608


@dataclass(frozen=True)
class NegativeControls:
    """Balanced accuracy on held-out spots of classifiers that see no peaks.

    Parameters
    ----------
    off_peak : float or NotApplicable
        Of a ridge classifier on the bins outside peaks.
    nuisance : float or NotApplicable
        Of a logistic regression on the nuisance features.
    """

    off_peak: float | NotApplicable
    nuisance: float | NotApplicable

    @property
    def largest(self) -> float | NotApplicable:
        """The better of the two; not applicable where neither is."""
        known = [v for v in (self.off_peak, self.nuisance) if not isinstance(v, NotApplicable)]
        return max(known) if known else self.off_peak

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {"off_peak": self.off_peak, "nuisance": self.nuisance, "largest": self.largest}
        return {
            name: value.as_dict() if isinstance(value, NotApplicable) else value
            for name, value in values.items()
        }


def negative_controls(
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.int64],
    patients: npt.NDArray[np.str_],
    train: Rows,
    test: Rows,
    *,
    axis: MzAxis,
    mask: PeakMask,
    seed: int = 0,
) -> NegativeControls:
    """Balanced accuracy of what has no business knowing the class, in the folds of the model.

    Parameters
    ----------
    x : ndarray or memmap, shape (n_rows, n_bins)
        Spectra of a store.
    y : ndarray of int64, shape (n_rows,)
        Class of each row; only those of `train` and `test` are looked at.
    patients : ndarray of str, shape (n_rows,)
        Patient (or core) of each row.
    train, test : ndarray of int64
        Rows of the fold's training and test part.
    axis : MzAxis
        The m/z axis.
    mask : PeakMask
        Bins of peaks of the training mean spectrum.
    seed : int
        Seed by which training spots are dealt where there are too many.

    Raises
    ------
    ModelError
        If the arrays do not fit together.

    Notes
    -----
    At most 3,000 training spots are used, as many of each patient as there are, and at most
    16,384 bins. Classes count alike in both fits. The ridge penalty is a tenth of the number of
    bins on standardised bins: patients are few and bins many, so that it must be strong.
    """
    if x.ndim != 2 or x.shape[1] != axis.n_bins or {y.shape, patients.shape} != {(len(x),)}:
        raise ModelError(
            f"spectra of shape {x.shape}, {y.size} classes and {patients.size} patients do not "
            f"fit together on an axis of {axis.n_bins} bins"
        )
    learnable, tested = np.unique(y[train]).tolist(), np.unique(y[test]).tolist()
    if len(learnable) < 2 or learnable != tested:
        reason = NotApplicable(
            f"the training part holds classes {learnable}, the test part {tested}: a control "
            "needs the same two or more in both"
        )
        return NegativeControls(reason, reason)
    rng = generator(seed, "audit", "negative controls")
    learnt = np.sort(deal_spots(train, patients[train], MOST_SPOTS, rng))
    return NegativeControls(
        mask.no_off_peak or _off_peak(x, y, learnt, test, mask), _nuisance(x, y, learnt, test, axis)
    )


def deal_spots(
    rows: Rows, patients: npt.NDArray[np.str_], most: int, rng: np.random.Generator
) -> Rows:
    """At most `most` rows, patients taking turns until there are enough.

    Parameters
    ----------
    rows : ndarray of int64, shape (n,)
        Rows to choose from.
    patients : ndarray of str, shape (n,)
        Patient of each.
    most : int
        How many are wanted.
    rng : Generator
        Source of randomness.
    """
    if len(rows) <= most:
        return rows
    order = rng.permutation(len(rows))
    _, patient = np.unique(patients[order], return_inverse=True)
    by_patient = np.argsort(patient, kind="stable")
    sizes = np.bincount(patient)
    turn = np.empty(len(rows), dtype=np.int64)
    turn[by_patient] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.asarray(rows[order[np.argsort(turn, kind="stable")[:most]]], dtype=np.int64)


def _off_peak(
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.int64],
    train: Rows,
    test: Rows,
    mask: PeakMask,
) -> float:
    bins = np.flatnonzero(mask.off_peak)
    if len(bins) > MOST_BINS:
        bins = bins[np.linspace(0, len(bins) - 1, MOST_BINS).astype(np.int64)]
    seen = np.empty((len(train), len(bins)), dtype=np.float32)
    filled = 0
    for block in _blocks(x, train, bins):
        seen[filled : filled + len(block)] = block
        filled += len(block)
    centre = seen.mean(axis=0, dtype=np.float64).astype(np.float32)
    seen -= centre
    spread = np.sqrt(np.einsum("ij,ij->j", seen, seen) / len(seen))
    spread[spread == 0] = 1.0
    seen /= spread
    model = RidgeClassifier(
        alpha=_RIDGE_PER_BIN * len(bins), class_weight="balanced", solver="cholesky", copy_X=False
    ).fit(seen, y[train])
    del seen
    predicted = []
    for block in _blocks(x, test, bins):
        block -= centre
        block /= spread
        predicted.append(model.predict(block))
    return balanced_accuracy(y[test], np.concatenate(predicted))


def _nuisance(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], train: Rows, test: Rows, axis: MzAxis
) -> float | NotApplicable:
    parts = []
    for rows in (train, test):
        blocks = []
        for chosen in _chunks(rows, axis.n_bins):
            features = nuisance_features(x[chosen], axis)
            if isinstance(features, NotApplicable):
                return features
            blocks.append(features)
        parts.append(np.concatenate(blocks))
    scaler = StandardScaler().fit(parts[0])
    model = LogisticRegression(C=_LOGISTIC_C, class_weight="balanced", max_iter=2000)
    model.fit(scaler.transform(parts[0]), y[train])
    return balanced_accuracy(y[test], model.predict(scaler.transform(parts[1])))


def _chunks(rows: Rows, n_bins: int) -> Sequence[Rows]:
    """Rows in pieces of bounded size."""
    return np.array_split(rows, max(1, -(-len(rows) * n_bins // _BLOCK_VALUES)))


def _blocks(
    x: npt.NDArray[np.floating], rows: Rows, bins: Rows
) -> Iterator[npt.NDArray[np.float32]]:
    """Some bins of some rows as float32, block by block."""
    for chosen in _chunks(rows, x.shape[1]):
        yield np.asarray(x[chosen], dtype=np.float32)[:, bins]
