"""Sensitivity profiles: of one fold, or averaged over folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from corespot.axis import AxisKind, MzAxis
from corespot.errors import ModelError, StoreError

FloatArray = npt.NDArray[np.float64]
Quantity = Literal["probability", "logit"]


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
