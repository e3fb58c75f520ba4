"""What linear classifiers share: from scores to probabilities, decisions and closed-form slopes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from corespot.errors import ModelError
from corespot.models.nested_lda import mean_output_jacobian

Floats = npt.NDArray[np.float64]


class LinearClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base of classifiers whose scores are linear in the bins.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Labels, in the order of the columns.
    n_features_in_ : int
        Bins of the axis.
    """

    #: Attribute that is there once it is fitted.
    _fitted: ClassVar[str]

    classes_: npt.NDArray[Any]
    n_features_in_: int

    @abstractmethod
    def decision_scores(self, X: npt.ArrayLike) -> Floats:
        """Scores before the softmax, shape (n, n_classes)."""

    @abstractmethod
    def _coefficients(self) -> Floats:
        """Slope of each score by each bin, shape (n_classes, n_bins)."""

    def predict_proba(self, X: npt.ArrayLike) -> Floats:
        """Class probabilities, shape (n, n_classes)."""
        probability: Floats = softmax(self.decision_scores(X), axis=1)
        return probability

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Most probable class of each spectrum, shape (n,)."""
        best = self.decision_scores(X).argmax(axis=1)
        predicted: npt.NDArray[Any] = self.classes_[best]
        return predicted

    def mean_gradient(
        self, X: npt.ArrayLike, *, of: Literal["probability", "logit"] = "probability"
    ) -> Floats:
        """Mean over `X` of the derivative of each class's output by each bin, in closed form.

        Parameters
        ----------
        X : array-like, shape (n, n_bins)
            Spectra.
        of : {"probability", "logit"}
            Probability p of the class, or log(p / (1 - p)).

        Returns
        -------
        ndarray of float64, shape (n_classes, n_bins)
            Zero where a bin was not selected.
        """
        mixing = mean_output_jacobian(self.decision_scores(X), of)
        gradient: Floats = mixing @ self._coefficients()
        return gradient

    def _fitted_width(self) -> int:
        """Bins it was fitted on.

        Raises
        ------
        ModelError
            If it is not fitted yet.
        """
        if not hasattr(self, self._fitted):
            raise ModelError(f"this {type(self).__name__} is not fitted yet; call fit first")
        return int(self.n_features_in_)
