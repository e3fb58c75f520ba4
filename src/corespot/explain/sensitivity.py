"""Sensitivity of a classifier to each m/z bin: standard deviation times mean gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from corespot.axis import MzAxis
from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.explain.profile import FloatArray, Quantity, SensitivityProfile

#: Values held in float64 at a time while standard deviations are accumulated (32 MiB).
_BLOCK_VALUES = 4_194_304


class HasMeanGradient(Protocol):
    """A fitted classifier that can say how its output changes with each bin."""

    classes_: npt.NDArray[Any]

    def mean_gradient(self, X: npt.NDArray[Any], *, of: Quantity, **places: Any) -> FloatArray:
        """Mean over the rows of `X` of ∂f_j/∂x_k, shape (n_classes, n_bins).

        Models of patches or cores are also told where the spots lie (`positions`).
        """
        ...


def bin_sd(X: npt.NDArray[Any]) -> FloatArray:
    """Population standard deviation of each bin, read block by block and summed in float64.

    Parameters
    ----------
    X : ndarray or memmap, shape (n_spots, n_bins)
        Spectra of any float type.

    Returns
    -------
    ndarray of float64, shape (n_bins,)

    Raises
    ------
    ModelError
        If `X` is not a table of at least one spectrum.

    References
    ----------
    Chan, Golub, LeVeque, "Algorithms for computing the sample variance", The American
    Statistician 37(3), 1983, equation 2.1: merging the moments of two parts.
    """
    if X.ndim != 2 or X.shape[0] == 0:
        raise ModelError(f"sensitivity needs spectra of shape (n >= 1, n_bins), got {X.shape}")
    n_spots, n_bins = X.shape
    rows = max(1, _BLOCK_VALUES // max(n_bins, 1))
    mean = np.zeros(n_bins)
    squares = np.zeros(n_bins)
    seen = 0
    for start in range(0, n_spots, rows):
        block = np.asarray(X[start : start + rows], dtype=np.float64)
        block_mean = block.mean(axis=0)
        block_squares = np.square(block - block_mean).sum(axis=0)
        total = seen + len(block)
        delta = block_mean - mean
        squares += block_squares + np.square(delta) * (seen * len(block) / total)
        mean += delta * (len(block) / total)
        seen = total
    result: FloatArray = np.sqrt(squares / n_spots)
    return result


def sensitivity_profile(
    estimator: HasMeanGradient,
    X: npt.NDArray[Any],
    *,
    axis: MzAxis,
    classes: Sequence[str],
    sigma: FloatArray | None = None,
    positions: SpotPositions | None = None,
) -> SensitivityProfile:
    """Sensitivity of a fitted classifier, averaged over its training spectra.

    Computes sens_jk = σ_k · mean_i ∂f_j(x_i)/∂x_k for the softmax probability and for the
    log-odds of every class. Linear models supply the gradient in closed form through the same
    method as networks do by backpropagation.

    Parameters
    ----------
    estimator : fitted classifier with `mean_gradient` and `classes_`
        Labels it was fitted on are class names, or 0 … n_classes − 1.
    X : ndarray or memmap of float32, shape (n_spots, n_bins)
        The spectra it was *trained* on.
    axis : MzAxis
        Their m/z axis.
    classes : sequence of str
        Class names in the order wanted.
    sigma : ndarray of float64, shape (n_bins,), optional
        Standard deviation of each bin over the training spectra, if already known.
    positions : SpotPositions, optional
        Where the spots lie; for models of patches or cores, whose sensitivity is the mean over
        patches of the effect of a bin that rises in all their spots.

    Raises
    ------
    ModelError
        If the estimator's classes are not `classes`, its gradient has another shape or is not
        finite, or `X` does not lie on `axis`.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, doi:10.1093/bioinformatics/btx724, equation 8.

    Deviations
    ----------
    The log-odds variant is an addition; the paper differentiates the probability only.
    """
    names = tuple(str(name) for name in classes)
    if X.ndim != 2 or X.shape[1] != axis.n_bins:
        raise ModelError(f"spectra of shape {X.shape} do not lie on an axis of {len(axis)} bins")
    order = class_order(estimator, names)
    places = {} if positions is None else {"positions": positions}
    scale = bin_sd(X) if sigma is None else np.asarray(sigma, dtype=np.float64)
    if scale.shape != (axis.n_bins,):
        raise ModelError(f"sigma: expected shape ({axis.n_bins},), got {scale.shape}")
    found = _gradients(estimator, X, places)
    checked = {of: _checked(estimator, of, found[of], (len(order), X.shape[1])) for of in found}
    return SensitivityProfile(
        axis=axis,
        classes=names,
        probability=checked["probability"][order] * scale,
        logit=checked["logit"][order] * scale,
        sigma=scale,
    )


def class_order(estimator: HasMeanGradient, names: tuple[str, ...]) -> list[int]:
    """Row of the estimator's gradient for each of `names`.

    Raises
    ------
    ModelError
        If the estimator was fitted on other classes.
    """
    fitted = [str(label) for label in estimator.classes_]
    if sorted(fitted) == sorted(names):
        return [fitted.index(name) for name in names]
    codes = [str(code) for code in range(len(names))]
    if sorted(fitted) == sorted(codes):
        return [fitted.index(code) for code in codes]
    raise ModelError(
        f"the estimator was fitted on classes {', '.join(fitted)}, "
        f"but sensitivity was asked for {', '.join(names)}"
    )


def _gradients(
    estimator: HasMeanGradient, X: npt.NDArray[Any], places: dict[str, SpotPositions]
) -> dict[Quantity, FloatArray]:
    """Mean gradients of both outputs, in one go where the estimator can."""
    both = getattr(estimator, "mean_gradients", None)
    if both is not None:
        return dict(both(X, **places))
    kinds: tuple[Quantity, ...] = ("probability", "logit")
    return {of: estimator.mean_gradient(X, of=of, **places) for of in kinds}


def _checked(
    estimator: HasMeanGradient, of: Quantity, found: FloatArray, shape: tuple[int, int]
) -> FloatArray:
    gradient = np.asarray(found, dtype=np.float64)
    if gradient.shape != shape:
        raise ModelError(
            f"mean_gradient of {type(estimator).__name__} has shape {gradient.shape}, "
            f"expected {shape}"
        )
    if not np.all(np.isfinite(gradient)):
        raise ModelError(
            f"the gradient of the {of} of {type(estimator).__name__} is not finite; "
            "the training has diverged: lower the learning rate"
        )
    return gradient
