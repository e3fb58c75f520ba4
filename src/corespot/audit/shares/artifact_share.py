"""How much of a model's distinction of the classes is carried by artifacts of the measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.changed_spectra import log_odds, mean_slopes
from corespot.audit.shares.class_shares import (
    NON_PEPTIDE,
    ArtifactShare,
    ClassShares,
    combine_folds,
)
from corespot.audit.shares.gap_parts import PARTS
from corespot.audit.shares.share_intervals import WHOLE, PatientEffects, patient_readings, shares_of
from corespot.audit.shares.split_gap import SplitGap
from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.seeding import generator

__all__ = ["ArtifactShare", "ClassShares", "artifact_share", "combine_folds"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def artifact_share(
    estimator: Any,
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.int64],
    patients: npt.NDArray[np.str_],
    classes: Sequence[str],
    split: SplitGap,
    *,
    places: Mapping[str, SpotPositions] | None = None,
    before: FloatArray | None = None,
    slopes: FloatArray | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> ArtifactShare:
    """Share of a model's class gap that each part of the difference of the classes carries.

    With f the log-odds of a class, Δ_j a part of the difference and E₁, E₀ the means over the
    held-out spots of the class and of all others, share_j is
    ½{[E₀f(x + Δ_j) − E₀f(x)] + [E₁f(x) − E₁f(x − Δ_j)]} over the same with the whole Δ: a finite
    intervention. Patients count alike in both means.

    Parameters
    ----------
    estimator : fitted estimator
        The model of this fold.
    x : ndarray or memmap, shape (n_spots, n_bins)
        Spectra of held-out spots; for models of patches or cores, whole cores. Fewer spots of
        every patient than the split was made of do as well, where predictions are slow.
    y : ndarray of int64, shape (n_spots,)
        Class of each, an index into `classes`.
    patients : ndarray of str, shape (n_spots,)
        Patient (or core) of each.
    classes : sequence of str
        Class names.
    split : SplitGap
        The differences of the held-out spots, split; see `split_gap`.
    places : mapping, optional
        ``positions`` for models of patches or cores, as `where_they_lie` gives it. All spots are
        changed at once then.
    before : ndarray of float64, shape (n_spots, n_classes), optional
        Log-odds of the spots as they are, where they are known already.
    slopes : ndarray of float64, shape (n_classes, n_bins), optional
        Mean gradient of the log-odds over the spots, likewise.
    n_bootstrap : int
        Draws of patients; 0 for no interval.
    seed : int
        Seed of the draws.

    Returns
    -------
    ArtifactShare
        A class whose whole difference hardly moves the log-odds has a NotApplicable instead.

    Raises
    ------
    ModelError
        If the numbers do not fit together.

    Notes
    -----
    The interval draws patients anew, within those that are of the same classes. A patient that is
    drawn weighs in both places: in the mean effect of a fixed difference, and in the difference
    itself. The latter is followed to first order, along the mean gradient of the log-odds scaled
    to the effect of the whole: exact for linear models, and the model is asked only once.
    """
    if len(split.parts) != len(classes) or y.shape != (len(x),) or patients.shape != (len(x),):
        raise ModelError(
            f"got {len(split.parts)} differences for {len(classes)} classes, {len(x)} spectra, "
            f"{y.size} labels and {patients.size} patients; expected one difference for each "
            "class and one label and patient for each spectrum"
        )
    if before is None:
        before = log_odds(estimator, x, classes, places=places)
    if slopes is None and n_bootstrap and hasattr(estimator, "mean_gradient"):
        slopes = mean_slopes(estimator, x, classes, places=places)
    by_class: dict[str, ClassShares | NotApplicable] = {}
    for k in [1] if len(classes) == 2 else range(len(classes)):
        changes, missing = _changes(split, k)
        effects = {
            name: _spot_effects(estimator, x, y == k, classes, k, delta, before[:, k], places)
            for name, delta in changes.items()
        }
        by_class[classes[k]] = shares_of(
            PatientEffects.of(effects, before[:, k], y == k, patients, split.gap.names),
            missing,
            None if slopes is None or not n_bootstrap else patient_readings(split, k, slopes[k]),
            n_bootstrap=n_bootstrap,
            rng=generator(seed, "audit", "artifact share", k),
        )
    if len(classes) == 2:
        # Of two classes both log-odds and both differences differ in sign alone.
        by_class = {classes[0]: by_class[classes[1]], classes[1]: by_class[classes[1]]}
    return ArtifactShare(by_class)


def _changes(split: SplitGap, k: int) -> tuple[dict[str, FloatArray], dict[str, NotApplicable]]:
    """What is added to spectra: every part, the portion that is no peptide's, the whole."""
    parts = split.parts[k]
    changes = {name: parts.parts[name] for name in PARTS if name in parts.parts}
    missing = dict(parts.missing)
    if isinstance(split.non_peptide, NotApplicable):
        missing[NON_PEPTIDE] = split.non_peptide
    else:
        changes[NON_PEPTIDE] = np.where(split.non_peptide, parts.parts["peak"], 0.0)
    changes[WHOLE] = parts.whole
    return changes, missing


def _spot_effects(
    estimator: Any,
    x: npt.NDArray[np.floating],
    is_class: BoolArray,
    classes: Sequence[str],
    k: int,
    delta: FloatArray,
    before: FloatArray,
    places: Mapping[str, SpotPositions] | None,
) -> FloatArray:
    """By how much each spot's log-odds move when a part is added to it, or taken off it."""
    if not np.any(delta):
        return np.zeros(len(x))
    added = delta.astype(np.float32)
    if not places:
        sign = np.where(is_class, -1, 1).astype(np.float32)
        after = log_odds(
            estimator, x, classes, change=lambda block, rows: block + sign[rows, None] * added
        )[:, k]
    else:
        # Neighbours are seen as well: all spots change alike.
        up = log_odds(estimator, x, classes, places=places, change=lambda block, _: block + added)
        down = log_odds(estimator, x, classes, places=places, change=lambda block, _: block - added)
        after = np.where(is_class, down[:, k], up[:, k])
    return np.where(is_class, before - after, after - before)
