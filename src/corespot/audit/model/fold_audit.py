"""Audit of one fold's model: what is carried by what, on spots it was not trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.masking import MaskingDrop, balanced_accuracy, masking_drop
from corespot.audit.indicators.negative_controls import (
    NegativeControls,
    deal_spots,
    negative_controls,
)
from corespot.audit.indicators.profile_indicators import ProfileIndicators, profile_indicators
from corespot.audit.shares.artifact_share import artifact_share
from corespot.audit.shares.changed_spectra import log_odds, mean_slopes
from corespot.audit.shares.class_shares import ArtifactShare
from corespot.audit.shares.split_gap import SplitGap, split_gap
from corespot.cohort.groups import unit_ids
from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import Fold
from corespot.cohort.tasks import TaskSpots
from corespot.errors import StoreError
from corespot.io.store import SpectraStore
from corespot.seeding import derive_seed, generator
from corespot.threads import in_threads
from corespot.train.estimator import where_they_lie

FloatArray = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

#: Held-out spots of a fold whose differences are taken, and to which the model is put, at most.
#: Patients, and each patient's classes, take turns, so that none is lost; it is patients that vary.
MOST_DIFFERENCES, MOST_ASKED = 3000, 400
#: Cores of each class that a model of patches or cores is put to, at least.
FEWEST_CORES = 4
_BLOCK = 512


@dataclass(frozen=True, eq=False)
class FoldAudit:
    """What one fold's model does with held-out spots.

    Parameters
    ----------
    share : ArtifactShare
        Shares of the class gap.
    masking : MaskingDrop or NotApplicable
        Loss without off-peak signal.
    controls : NegativeControls
        Classifiers without peaks, in this fold.
    indicators : ProfileIndicators
        Of the fold's sensitivity profile.
    profile : ndarray of float64, shape (n_classes, n_bins)
        Mean gradient of the log-odds on held-out spots times each bin's standard deviation.
    split : SplitGap
        Peaks and parts of the class gap.
    mean_spectrum : ndarray of float64, shape (n_bins,)
        Mean of the training spots.
    rows : ndarray of int64, shape (n_asked,)
        Held-out rows of the store the model was put to.
    scores : ndarray of float64, shape (n_asked, n_classes)
        Its log-odds there.
    balanced_accuracy : float
        Its balanced accuracy there.
    """

    share: ArtifactShare
    masking: MaskingDrop | NotApplicable
    controls: NegativeControls
    indicators: ProfileIndicators
    profile: FloatArray
    split: SplitGap
    mean_spectrum: FloatArray
    rows: Rows
    scores: FloatArray
    balanced_accuracy: float


def audit_fold(
    store: SpectraStore,
    task: TaskSpots,
    fold: Fold,
    estimator: Any,
    *,
    model: str,
    seed: int = 0,
    n_bootstrap: int = 1000,
    most_asked: int = MOST_ASKED,
    controls: NegativeControls | None = None,
) -> FoldAudit:
    """Audit the model of one fold on its held-out spots.

    Parameters
    ----------
    store : SpectraStore
        Spectra of the cohort.
    task : TaskSpots
        Rows and labels.
    fold : Fold
        The fold.
    estimator : fitted estimator
        Its model.
    model : str
        Registered name: some models are told where spots lie.
    seed : int
        Seed of everything random.
    n_bootstrap : int
        Draws of patients behind intervals.
    most_asked : int
        Held-out spots the model is put to, at most; whole cores where it looks at neighbours.
    controls : NegativeControls, optional
        Those of this fold, where another model's audit has them already: they depend on data only.

    Raises
    ------
    ModelError
        If the model does not fit the spectra or the classes.
    """
    rng = generator(seed, "audit", task.name, fold.repeat, fold.index)
    patients = unit_ids(task.spots, "patient")
    at_test = np.searchsorted(task.rows, fold.test_rows)
    positions = SpotPositions.of(task.spots)
    is_spatial = bool(where_they_lie(model, positions))
    # A patient's few spots of a class must not be lost among those of another.
    of_class = np.char.add(np.char.add(patients, "\x1f"), task.y.astype(str))
    chosen = deal_spots(at_test, of_class[at_test], MOST_DIFFERENCES, rng)
    asked = (
        _deal_cores(at_test, task.y, patients, task.group_of("core"), most_asked, rng)
        if is_spatial
        else np.sort(deal_spots(chosen, of_class[chosen], most_asked, rng))
    )
    chosen = np.union1d(chosen, asked)
    places = where_they_lie(model, positions.take(asked))
    mean = mean_spectrum(store, fold.train_rows)
    x = store.take(task.rows[chosen])
    split = split_gap(
        x, task.y[chosen], patients[chosen], len(task.classes), mean_spectrum=mean, axis=store.axis
    )
    x = x[np.searchsorted(chosen, asked)]
    y = task.y[asked]
    scores = log_odds(estimator, x, task.classes, places=places)
    slopes = mean_slopes(estimator, x, task.classes, places=places)
    profile = slopes * x.std(axis=0, dtype=np.float64)
    return FoldAudit(
        share=artifact_share(
            estimator,
            x,
            y,
            patients[asked],
            task.classes,
            split,
            places=places,
            before=scores,
            slopes=slopes,
            n_bootstrap=n_bootstrap,
            seed=derive_seed(seed, fold.repeat, fold.index),
        ),
        masking=masking_drop(
            estimator,
            x,
            y,
            task.classes,
            mean_spectrum=mean,
            mask=split.mask,
            places=places,
            before=scores,
        ),
        controls=controls or fold_controls(store, task, fold, split, seed=seed),
        indicators=profile_indicators(profile, store.axis, mean, split.mask),
        profile=profile,
        split=split,
        mean_spectrum=mean,
        rows=task.rows[asked],
        scores=scores,
        balanced_accuracy=balanced_accuracy(y, scores.argmax(axis=1)),
    )


def fold_controls(
    store: SpectraStore, task: TaskSpots, fold: Fold, split: SplitGap, *, seed: int
) -> NegativeControls:
    """Negative controls of a fold; they depend on the data alone."""
    n = len(store.spots)
    y = np.full(n, -1, dtype=np.int64)
    y[task.rows] = task.y
    units = unit_ids(task.spots, "patient")
    patients = np.full(n, "", dtype=units.dtype)
    patients[task.rows] = units
    return negative_controls(
        store.spectra,
        y,
        patients,
        fold.train_rows,
        fold.test_rows,
        axis=store.axis,
        mask=split.mask,
        seed=seed,
    )


def mean_spectrum(store: SpectraStore, rows: Rows) -> FloatArray:
    """Mean of some rows of a store, shape (n_bins,), read block by block.

    Raises
    ------
    StoreError
        If a value is not finite.
    """

    def summed(start: int) -> FloatArray:
        block = store.take(rows[start : start + _BLOCK])
        if not np.all(np.isfinite(block)):
            bad = rows[start + int(np.argmin(np.isfinite(block).all(axis=1)))]
            raise StoreError(
                f"spectrum {bad} of the store holds values that are not finite; preprocess the "
                "cohort again, or leave that spot out"
            )
        return np.asarray(block.sum(axis=0, dtype=np.float64))

    total = np.zeros(store.axis.n_bins)
    for part in in_threads(summed, range(0, len(rows), _BLOCK)):
        total += part
    return total / len(rows)


def _deal_cores(
    at: Rows,
    y: Rows,
    patients: npt.NDArray[np.str_],
    cores: npt.NDArray[np.str_],
    most: int,
    rng: np.random.Generator,
) -> Rows:
    """All spots of some cores of every class, patients taking turns; about `most` spots."""
    names = np.unique(cores[at])
    present = np.unique(y[at])
    share = round(most * len(names) / len(at) / len(present))
    dealt = []
    for one in present:
        own = at[y[at] == one]
        _, first = np.unique(cores[own], return_index=True)
        held = own[first]
        dealt.append(cores[deal_spots(held, patients[held], max(share, FEWEST_CORES), rng)])
    return np.asarray(at[np.isin(cores[at], np.concatenate(dealt))], dtype=np.int64)
