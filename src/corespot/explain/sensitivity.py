"""Sensitivity of a classifier to each m/z bin: standard deviation times mean gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
import numpy.typing as npt

from corespot.axis import AxisKind, MzAxis
from corespot.errors import ModelError, StoreError

FloatArray = npt.NDArray[np.float64]
Quantity = Literal["probability", "logit"]

#: Values held in float64 at a time while standard deviations are accumulated (32 MiB).
_BLOCK_VALUES = 4_194_304


class HasMeanGradient(Protocol):
    """A fitted classifier that can say how its output changes with each bin."""

    classes_: npt.NDArray[Any]

    def mean_gradient(self, X: npt.NDArray[Any], *, of: Quantity) -> FloatArray:
        """Mean over the rows of `X` of ∂f_j/∂x_k, shape (n_classes, n_bins)."""
        ...


@dataclass(frozen=True, eq=False)
class SensitivityProfile:
    """Signed sensitivity of every class to every m/z bin.

    Positive means: more intensity in this bin, by one standard deviation, raises the
    probability (or the log-odds) of the class, to first order and on average.

    Parameters
    ----------
    axis : MzAxis
        The m/z axis, n_bins long.
    classes : tuple of str
        Class names; row j of the arrays belongs to ``classes[j]``.
    probability : ndarray of float64, shape (n_classes, n_bins)
        Sensitivity of the softmax probability. Its columns sum to zero over the classes.
    logit : ndarray of float64, shape (n_classes, n_bins)
        Sensitivity of the log-odds of the class against all others together. Unlike the
        probability it does not fade where the model is sure of itself.
    sigma : ndarray of float64, shape (n_bins,)
        Standard deviation of each bin over the training spectra.
    probability_sd, logit_sd : ndarray of float64, shape (n_classes, n_bins), or None
        Standard deviation over folds; ``None`` for the profile of one fold.
    n_folds : int
        Number of profiles averaged.

    Raises
    ------
    ValueError
        If shapes do not fit the axis and the classes, or a value is not finite.
    """

    axis: MzAxis
    classes: tuple[str, ...]
    probability: FloatArray
    logit: FloatArray
    sigma: FloatArray
    probability_sd: FloatArray | None = None
    logit_sd: FloatArray | None = None
    n_folds: int = 1

    def __post_init__(self) -> None:
        expected = (len(self.classes), self.axis.n_bins)
        for name in ("probability", "logit", "probability_sd", "logit_sd", "sigma"):
            value = getattr(self, name)
            if value is None:
                continue
            array = np.array(value, dtype=np.float64)
            wanted = expected[1:] if name == "sigma" else expected
            if array.shape != wanted:
                raise ValueError(f"sensitivity {name}: expected shape {wanted}, got {array.shape}")
            if not np.all(np.isfinite(array)):
                bad = int(np.count_nonzero(~np.isfinite(array)))
                raise ValueError(f"sensitivity {name}: {bad} values are not finite")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def of(self, quantity: Quantity) -> FloatArray:
        """Sensitivity of ``"probability"`` or ``"logit"``, shape (n_classes, n_bins)."""
        return self.probability if _checked(quantity) == "probability" else self.logit

    def spread_of(self, quantity: Quantity) -> FloatArray | None:
        """Standard deviation over folds of `of(quantity)`, or None for one fold."""
        return self.probability_sd if _checked(quantity) == "probability" else self.logit_sd

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named plain arrays for an npz without objects; `from_arrays` is the inverse."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "mz": self.axis.mz,
            "axis_kind": np.array(self.axis.kind),
            "classes": np.array(self.classes, dtype=np.str_),
            "probability": self.probability,
            "logit": self.logit,
            "sigma": self.sigma,
            "n_folds": np.array(self.n_folds),
        }
        if self.probability_sd is not None:
            arrays["probability_sd"] = self.probability_sd
        if self.logit_sd is not None:
            arrays["logit_sd"] = self.logit_sd
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> SensitivityProfile:
        """Rebuild a profile from the arrays of `to_arrays`.

        Raises
        ------
        StoreError
            If an array is missing or they do not fit together.
        """
        needed = ("mz", "axis_kind", "classes", "probability", "logit", "sigma", "n_folds")
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise StoreError(
                f"sensitivity arrays lack {', '.join(missing)}; run the sensitivity stage again"
            )
        kind = str(arrays["axis_kind"])
        if kind not in get_args(AxisKind):
            raise StoreError(f"sensitivity arrays name an unknown axis kind {kind!r}")
        try:
            return cls(
                axis=MzAxis(arrays["mz"], kind),  # type: ignore[arg-type]
                classes=tuple(str(name) for name in arrays["classes"]),
                probability=arrays["probability"],
                logit=arrays["logit"],
                sigma=arrays["sigma"],
                probability_sd=arrays.get("probability_sd"),
                logit_sd=arrays.get("logit_sd"),
                n_folds=int(arrays["n_folds"]),
            )
        except ValueError as error:
            raise StoreError(f"sensitivity arrays do not fit together: {error}") from None


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
    order = _class_order(estimator, names)
    scale = bin_sd(X) if sigma is None else np.asarray(sigma, dtype=np.float64)
    if scale.shape != (axis.n_bins,):
        raise ModelError(f"sigma: expected shape ({axis.n_bins},), got {scale.shape}")
    return SensitivityProfile(
        axis=axis,
        classes=names,
        probability=_gradient(estimator, X, "probability", order) * scale,
        logit=_gradient(estimator, X, "logit", order) * scale,
        sigma=scale,
    )


def average_profiles(profiles: Sequence[SensitivityProfile]) -> SensitivityProfile:
    """Mean of the profiles of several folds, with their standard deviation over folds.

    Every fold counts the same. The spread is the population standard deviation, 0 for one fold.

    Raises
    ------
    ModelError
        If there is none, or they differ in axis or classes.
    """
    if not profiles:
        raise ModelError("there is no sensitivity profile to average")
    first = profiles[0]
    for position, profile in enumerate(profiles):
        if profile.axis != first.axis or profile.classes != first.classes:
            raise ModelError(
                f"sensitivity profile {position} has {profile.axis.n_bins} bins and classes "
                f"{', '.join(profile.classes)}; the first has {first.axis.n_bins} bins and "
                f"{', '.join(first.classes)}: only profiles of one task average"
            )
        if profile.n_folds != 1:
            raise ModelError(f"sensitivity profile {position} is an average already")
    probability = np.stack([profile.probability for profile in profiles])
    logit = np.stack([profile.logit for profile in profiles])
    return SensitivityProfile(
        axis=first.axis,
        classes=first.classes,
        probability=probability.mean(axis=0),
        logit=logit.mean(axis=0),
        sigma=np.mean([profile.sigma for profile in profiles], axis=0),
        probability_sd=probability.std(axis=0),
        logit_sd=logit.std(axis=0),
        n_folds=len(profiles),
    )


def _checked(quantity: Quantity) -> Quantity:
    if quantity not in get_args(Quantity):
        raise ValueError(f"sensitivity is of 'probability' or 'logit', got {quantity!r}")
    return quantity


def _class_order(estimator: HasMeanGradient, names: tuple[str, ...]) -> list[int]:
    """Row of the estimator's gradient for each of `names`."""
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


def _gradient(
    estimator: HasMeanGradient, X: npt.NDArray[Any], of: Quantity, order: list[int]
) -> FloatArray:
    gradient = np.asarray(estimator.mean_gradient(X, of=of), dtype=np.float64)
    if gradient.shape != (len(order), X.shape[1]):
        raise ModelError(
            f"mean_gradient of {type(estimator).__name__} has shape {gradient.shape}, "
            f"expected {(len(order), X.shape[1])}"
        )
    if not np.all(np.isfinite(gradient)):
        raise ModelError(
            f"the gradient of the {of} of {type(estimator).__name__} is not finite; "
            "the training has diverged: lower the learning rate"
        )
    return gradient[order]
