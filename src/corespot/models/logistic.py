"""Logistic regression with an L2 penalty on all bins: the linear reference of every network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from corespot.errors import ModelError
from corespot.models.catalogue.logistic import LogisticConfig
from corespot.models.fitted_arrays import require_shapes
from corespot.models.linear_classifier import LinearClassifier
from corespot.models.logistic_solver import solve
from corespot.models.spectra_input import check_labels, check_spectra

Floats = npt.NDArray[np.float64]

#: Spectra times bins standardised at a time when predicting.
_BLOCK_VALUES = 4_000_000


class LogisticClassifier(LinearClassifier):
    """Logistic regression with an L2 penalty on standardised bins, every class counting alike.

    Parameters
    ----------
    c : float
        Inverse strength of the penalty.
    max_iterations : int
        Iterations of the solver (L-BFGS); a fit that needs more gets ten times as many.
    random_state : int
        Taken for the sake of a common signature; nothing is random.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Labels, in the order of the columns.
    centre_, spread_ : ndarray of float64, shape (n_bins,)
        Mean and standard deviation of every bin in training; spread 1 where it never changes.
    weights_ : ndarray of float64, shape (n_classes, n_bins)
        Weights of the standardised bins; they sum to zero over the classes.
    offsets_ : ndarray of float64, shape (n_classes,)
        Offset of each class; they sum to zero.
    n_iterations_ : int
        Iterations of the last solve.
    converged_ : bool
        Whether they were enough.
    n_parameters_, n_features_in_ : int
        Free parameters, and bins of the axis.

    References
    ----------
    Cox, "The regression analysis of binary sequences", J. R. Stat. Soc. B 20(2), 1958; le Cessie &
    van Houwelingen, "Ridge estimators in logistic regression", Appl. Stat. 41(1), 1992,
    doi:10.2307/2347628.

    Notes
    -----
    With z the standardised bins and s the class weights n / (k n_c), two classes minimise
    ½‖w‖² + c Σ s log(1 + exp(∓(w·z + b))), more classes ½ Σ‖w_k‖² + c Σ s (−log softmax).
    """

    _fitted: ClassVar[str] = "weights_"

    def __init__(
        self, *, c: float = 0.01, max_iterations: int = 1000, random_state: int = 0
    ) -> None:
        self.c = c
        self.max_iterations = max_iterations
        self.random_state = random_state

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        groups: npt.ArrayLike | None = None,
        on_epoch: Callable[[Mapping[str, float]], None] | None = None,
        checkpoint: Path | str | None = None,
    ) -> Self:
        """Standardise the bins and find the weights.

        Parameters
        ----------
        X : array-like or SpectraRows, shape (n_spots, n_bins)
            Spectra. In double precision they are held in memory up to 1 GiB; larger parts are
            read in blocks, once or twice an iteration.
        y : array-like, shape (n_spots,)
            Labels.
        groups, on_epoch, checkpoint : optional
            Taken for the sake of a common signature; there are no inner folds and no epochs.

        Raises
        ------
        ModelError
            If the input is unusable.
        ParamsError
            If a parameter is out of range.

        Warns
        -----
        UserWarning
            If the weights did not converge even with ten times `max_iterations`.
        """
        values = {"c": self.c, "max_iterations": self.max_iterations}
        config = LogisticConfig.parse(values, "logistic")
        x = check_spectra(X)
        self.classes_, index = check_labels(y, len(x))
        self.n_features_in_ = x.shape[1]
        solved = solve(x, index, config.c, config.max_iterations)
        self.centre_, self.spread_ = solved.centre, solved.spread
        self.n_iterations_, self.converged_ = solved.n_iterations, solved.converged
        weights, offsets = solved.weights, solved.offsets
        if len(self.classes_) == 2:
            # One row for the second class against the first; as scores it is half a row each.
            weights = np.concatenate([-weights, weights]) / 2
            offsets = np.concatenate([-offsets, offsets]) / 2
        self.weights_: Floats = np.asarray(weights, dtype=np.float64)
        self.offsets_: Floats = np.asarray(offsets, dtype=np.float64)
        self.history_: list[dict[str, float]] = []
        return self

    def decision_scores(self, X: npt.ArrayLike) -> Floats:
        """Scores before the softmax, shape (n, n_classes)."""
        x = check_spectra(X, self._fitted_width())
        scores = np.empty((len(x), len(self.classes_)))
        step = max(1, _BLOCK_VALUES // x.shape[1])
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            scores[rows] = self._standardise(x[rows]) @ self.weights_.T + self.offsets_
        return scores

    def embed(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The standardised bins, which is what the weights act on, shape (n, n_bins)."""
        x = check_spectra(X, self._fitted_width())
        embedded = np.empty(x.shape, dtype=np.float32)
        step = max(1, _BLOCK_VALUES // x.shape[1])
        for start in range(0, len(x), step):
            embedded[start : start + step] = self._standardise(x[start : start + step])
        return embedded

    @property
    def facts_(self) -> dict[str, Any]:
        """What the fit found worth telling beside its parameters."""
        return {"n_iterations": self.n_iterations_, "converged": self.converged_}

    @property
    def n_parameters_(self) -> int:
        """Free parameters: one weight a bin and an offset, for every class but one."""
        return (len(self.classes_) - 1) * (int(self.n_features_in_) + 1)

    def to_arrays(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Everything fitted: named arrays, and what is no array, JSON-able."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "centre": self.centre_,
            "spread": self.spread_,
            "weights": self.weights_,
            "offsets": self.offsets_,
        }
        return arrays, {"n_iterations": self.n_iterations_, "converged": self.converged_}

    def from_arrays(
        self, arrays: dict[str, npt.NDArray[Any]], fitted: Mapping[str, Any], where: str
    ) -> None:
        """Take over what `to_arrays` of a fitted classifier gave.

        Raises
        ------
        ModelError
            If an array is missing, unknown, of another shape, or a spread is not positive.
        """
        n_bins, n_classes = int(self.n_features_in_), len(self.classes_)
        expected = {"centre": (n_bins,), "spread": (n_bins,)}
        require_shapes(
            arrays, {**expected, "weights": (n_classes, n_bins), "offsets": (n_classes,)}, where
        )
        if not (arrays["spread"] > 0).all():
            raise ModelError(f"{where}: a bin has a spread of zero or less; the file is damaged")
        self.centre_, self.spread_ = arrays["centre"], arrays["spread"]
        self.weights_, self.offsets_ = arrays["weights"], arrays["offsets"]
        self.n_iterations_ = int(fitted["n_iterations"])
        self.converged_ = bool(fitted["converged"])

    def _standardise(self, x: npt.NDArray[np.floating]) -> Floats:
        standard: Floats = (x.astype(np.float64) - self.centre_) / self.spread_
        return standard

    def _coefficients(self) -> Floats:
        coefficients: Floats = self.weights_ / self.spread_
        return coefficients
