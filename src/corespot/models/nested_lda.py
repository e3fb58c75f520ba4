"""Linear discriminant analysis on 1, 2, 3 … leading features from a single factorisation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.special import logsumexp, softmax

from corespot.errors import ModelError

Floats = npt.NDArray[np.float64]

#: A pivot below this share of a feature's variance means it is a combination of earlier ones.
_LEAST_PIVOT = 1e-10
_FIRST_RIDGE = 1e-8


@dataclass(frozen=True)
class NestedLda:
    """Fitted discriminant analysis, ready for any number of leading features.

    Parameters
    ----------
    centre, scale : ndarray of float64, shape (n_features,)
        Subtracted from and divided into each feature; the result does not depend on them.
    factor : ndarray of float64, shape (n_features, n_features)
        Lower Cholesky factor of the within-class covariance of the scaled features. Its leading
        K × K block is the factor for the first K features.
    whitened : ndarray of float64, shape (n_classes, n_features)
        Class means solved against `factor`.
    ridge : float
        Added to the diagonal, as a share of each feature's variance; 0 unless it was singular.
    """

    centre: Floats
    scale: Floats
    factor: Floats
    whitened: Floats
    ridge: float

    @property
    def n_features(self) -> int:
        """Number of features it was fitted on."""
        return int(self.centre.size)

    @classmethod
    def fit(cls, x: Floats, y: npt.NDArray[np.int64], n_classes: int) -> NestedLda:
        """Fit with a uniform prior.

        Parameters
        ----------
        x : ndarray of float64, shape (n_spots, n_features)
            Features, the most important first.
        y : ndarray of int, shape (n_spots,)
            Class index of each row.
        n_classes : int
            Number of classes, each present.

        Notes
        -----
        The within-class covariance is the mean over the classes of their covariances, each over
        its n_c spectra: what a uniform prior means in scikit-learn's solvers ``lsqr`` and
        ``eigen``. Where it is singular (more features than spectra, or duplicate features) the
        smallest of 1e-8, 1e-7, … of each feature's variance is added that makes it regular, and
        a warning says so.
        """
        centre = x.mean(axis=0)
        residual = x - centre
        means = np.stack([residual[y == c].mean(axis=0) for c in range(n_classes)])
        weight = 1.0 / (n_classes * np.bincount(y, minlength=n_classes))
        residual -= means[y]
        variance = weight[y] @ residual**2
        spread = np.sqrt(variance)
        # A feature without spread inside the classes keeps its unit; the ridge then bounds it.
        overall = np.abs(means).max(axis=0)
        scale = np.where(spread > 0, spread, np.where(overall > 0, overall, 1.0))
        residual /= scale
        covariance = (residual * weight[y][:, None]).T @ residual
        factor, ridge = _regular_factor(covariance)
        if ridge:
            warnings.warn(
                # One text for all sizes, so that Python says it once and not for every fold.
                "a within-class covariance is singular (more bins than spectra, or bins that are "
                "alike); a small share of each bin's variance was added to it, see `ridge_`",
                UserWarning,
                stacklevel=3,
            )
        whitened = solve_triangular(factor, (means / scale).T, lower=True).T
        return cls(centre, scale, factor, np.ascontiguousarray(whitened), ridge)

    def scores(self, x: Floats, n_leading: list[int]) -> Floats:
        """Discriminant scores (log posterior up to a constant) for several numbers of features.

        Parameters
        ----------
        x : ndarray of float64, shape (n, n_features)
            Features in the order of the fit.
        n_leading : list of int, increasing
            Numbers of leading features.

        Returns
        -------
        ndarray of float64, shape (len(n_leading), n, n_classes)
        """
        most = n_leading[-1]
        scaled = ((x - self.centre) / self.scale)[:, :most]
        white = solve_triangular(self.factor[:most, :most], scaled.T, lower=True)
        result = np.empty((len(n_leading), len(x), len(self.whitened)))
        running = np.zeros(result.shape[1:])
        start = 0
        for index, stop in enumerate(n_leading):
            means = self.whitened[:, start:stop]
            running += white[start:stop].T @ means.T - 0.5 * (means**2).sum(axis=1)
            result[index] = running
            start = stop
        return result

    def coefficients(self, n_leading: int) -> Floats:
        """Gradient of the scores in the original features, shape (n_classes, n_leading)."""
        block = self.factor[:n_leading, :n_leading]
        solved = solve_triangular(block, self.whitened[:, :n_leading].T, lower=True, trans="T")
        result: Floats = solved.T / self.scale[:n_leading]
        return result


def mean_output_jacobian(scores: Floats, of: Literal["probability", "logit"]) -> Floats:
    """Mean derivative of each class's output by each class's score, shape (n_classes, n_classes).

    Parameters
    ----------
    scores : ndarray of float64, shape (n, n_classes)
        Scores before the softmax.
    of : {"probability", "logit"}
        Probability p of the class, or log(p / (1 - p)).
    """
    n_classes = scores.shape[1]
    if of == "probability":
        p = softmax(scores, axis=1)
        result: Floats = np.diag(p.mean(axis=0)) - p.T @ p / len(p)
        return result
    if of != "logit":
        raise ModelError(f"expected of='probability' or of='logit', got {of!r}")
    jacobian = np.eye(n_classes)
    for j in range(n_classes):
        others = [i for i in range(n_classes) if i != j]
        share = np.exp(scores[:, others] - logsumexp(scores[:, others], axis=1, keepdims=True))
        jacobian[j, others] = -share.mean(axis=0)
    return jacobian


def _regular_factor(covariance: Floats) -> tuple[Floats, float]:
    """Cholesky factor of `covariance`, with the smallest ridge that makes it regular."""
    ridge = 0.0
    while ridge < 1.0:
        try:
            factor: Floats | None = np.asarray(
                np.linalg.cholesky(covariance + ridge * np.eye(len(covariance))), np.float64
            )
        except np.linalg.LinAlgError:
            factor = None
        if factor is not None and np.diag(factor).min() ** 2 > _LEAST_PIVOT:
            return factor, ridge
        ridge = max(_FIRST_RIDGE, ridge * 10)
    raise ModelError("the within-class covariance cannot be factorised; are the spectra finite?")
