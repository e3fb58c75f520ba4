"""What a fitted model says of spectra that were changed, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError

FloatArray = npt.NDArray[np.float64]
Block = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

#: Values changed at a time (64 MiB); whole cores where a model looks at neighbouring spots.
_BLOCK_VALUES = 16_777_216
#: Smallest probability that a model without scores is taken at its word for.
_TINY = 1e-12


def log_odds(
    estimator: Any,
    x: npt.NDArray[np.floating],
    classes: Sequence[str],
    *,
    places: Mapping[str, SpotPositions] | None = None,
    change: Callable[[Block, Rows], Block] | None = None,
) -> FloatArray:
    """Log-odds of every class against all others together, log p/(1 − p), of changed spectra.

    Parameters
    ----------
    estimator : fitted estimator
        With `decision_scores` (scores before a softmax), or `predict_proba` alone.
    x : ndarray or memmap, shape (n_spots, n_bins)
        Spectra; they stay as they are.
    classes : sequence of str
        Class names in the order wanted.
    places : mapping, optional
        ``positions`` for models of patches or cores, as `where_they_lie` gives it: spots are then
        changed core by core.
    change : callable, optional
        Takes spectra (k, n_bins), which it may overwrite, and their rows in `x`; returns the
        spectra to be judged.

    Returns
    -------
    ndarray of float64, shape (n_spots, n_classes)

    Raises
    ------
    ModelError
        If the estimator was fitted on other classes, or its output is not finite.

    Notes
    -----
    From scores s the log-odds are s_j − log Σ_{k≠j} exp(s_k): they do not saturate where the
    probability does.
    """
    order = class_columns(estimator, classes)
    found = np.empty((len(x), len(order)))
    for rows in _blocks(x, places):
        block = np.array(x[rows], dtype=np.float32)
        if change is not None:
            block = change(block, rows)
        where = {name: positions.take(rows) for name, positions in (places or {}).items()}
        found[rows] = _log_odds(estimator, block, where)[:, order]
    if not np.all(np.isfinite(found)):
        raise ModelError(
            f"the log-odds of {type(estimator).__name__} are not finite on held-out spots; the "
            "training has diverged: lower the learning rate"
        )
    return found


def mean_slopes(
    estimator: Any,
    x: npt.NDArray[np.floating],
    classes: Sequence[str],
    *,
    places: Mapping[str, SpotPositions] | None = None,
) -> FloatArray:
    """Mean gradient of the log-odds over spots, (n_classes, n_bins), classes in the order wanted.

    Parameters
    ----------
    estimator, x, classes, places
        As for `log_odds`.

    Raises
    ------
    ModelError
        If the estimator gives no gradient, or was fitted on other classes.
    """
    if not hasattr(estimator, "mean_gradient"):
        raise ModelError(
            f"{type(estimator).__name__} has no mean_gradient, from which its sensitivity profile "
            "is made; audit a registered model, or give this one that method"
        )
    found = estimator.mean_gradient(x, of="logit", **(places or {}))
    return np.asarray(found, dtype=np.float64)[class_columns(estimator, classes)]


def class_columns(estimator: Any, classes: Sequence[str]) -> list[int]:
    """Column of the estimator's output for each of `classes`.

    Raises
    ------
    ModelError
        If it was fitted on classes that are neither these names nor their numbers.
    """
    fitted = [str(label) for label in estimator.classes_]
    for names in ([str(name) for name in classes], [str(code) for code in range(len(classes))]):
        if sorted(fitted) == sorted(names):
            return [fitted.index(name) for name in names]
    raise ModelError(
        f"the estimator was fitted on classes {', '.join(fitted)}, but {', '.join(classes)} are "
        "audited: pass the task's classes"
    )


def _log_odds(estimator: Any, block: Block, where: Mapping[str, SpotPositions]) -> FloatArray:
    if hasattr(estimator, "decision_scores"):
        scores = np.asarray(estimator.decision_scores(block, **where), dtype=np.float64)
    else:
        probability = np.asarray(estimator.predict_proba(block, **where), dtype=np.float64)
        scores = np.log(np.maximum(probability, _TINY))
    if scores.shape[1] == 2:
        difference = scores[:, 1] - scores[:, 0]
        return np.stack([-difference, difference], axis=1)
    found = np.empty_like(scores)
    for index in range(scores.shape[1]):
        found[:, index] = scores[:, index] - logsumexp(np.delete(scores, index, axis=1), axis=1)
    return found


def _blocks(
    x: npt.NDArray[np.floating], places: Mapping[str, SpotPositions] | None
) -> Iterator[Rows]:
    """Rows that are changed together: some spots, or some whole cores."""
    most = max(1, _BLOCK_VALUES // max(x.shape[1], 1))
    if not places:
        for start in range(0, len(x), most):
            yield np.arange(start, min(start + most, len(x)), dtype=np.int64)
        return
    (positions,) = places.values()
    held: list[Rows] = []
    for core in positions.by_core():
        if held and sum(map(len, held)) + len(core) > most:
            yield np.sort(np.concatenate(held))
            held = []
        held.append(core)
    if held:
        yield np.sort(np.concatenate(held))
