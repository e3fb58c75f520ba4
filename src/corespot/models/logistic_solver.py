"""The solver of logistic regression: standardised bins, L-BFGS, and a plain word if it fails."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]

#: How many times more iterations a fit gets that did not converge.
_MORE = 10
#: Largest slope of the mean loss at which the fit counts as converged; scikit-learn's 1e-4 leaves
#: the third digit of a weight open.
_TOLERANCE = 1e-6


def standardised(x: npt.NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Bring every bin to mean 0 and spread 1.

    Parameters
    ----------
    x : ndarray, shape (n_spots, n_bins)
        Intensities.

    Returns
    -------
    z : ndarray of float64, shape (n_spots, n_bins)
        The standardised bins; 0 where a bin never changes.
    centre, spread : ndarray of float64, shape (n_bins,)
        What was subtracted and divided by; spread 1 where a bin never changes.
    """
    z = np.array(x, dtype=np.float64, order="C")
    # Counted from the first spectrum, a bin that never changes becomes exactly zero.
    first = z[0].copy()
    z -= first
    shift = z.mean(axis=0)
    z -= shift
    spread = np.sqrt(np.einsum("ij,ij->j", z, z) / len(z))
    spread[spread == 0] = 1.0
    z /= spread
    return z, first + shift, spread


def solve(
    z: Floats, y: npt.NDArray[np.int64], c: float, max_iterations: int
) -> tuple[LogisticRegression, bool]:
    """Find the weights, with ten times as many iterations where the first do not do.

    Parameters
    ----------
    z : ndarray of float64, shape (n_spots, n_bins)
        Standardised bins.
    y : ndarray of int64, shape (n_spots,)
        Class index of each row.
    c : float
        Inverse strength of the penalty.
    max_iterations : int
        Iterations of the first attempt.

    Returns
    -------
    LogisticRegression
        Fitted.
    bool
        Whether it converged; if not, a warning says what to do.
    """
    for most in (max_iterations, max_iterations * _MORE):
        solver = LogisticRegression(C=c, class_weight="balanced", tol=_TOLERANCE, max_iter=most)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            solver.fit(z, y)
        for each in said:
            if not issubclass(each.category, ConvergenceWarning):
                warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        if not any(issubclass(each.category, ConvergenceWarning) for each in said):
            return solver, True
    warnings.warn(
        f"logistic: the weights did not converge in {max_iterations * _MORE} iterations; "
        f"lower c (now {c:g}) or raise max_iterations (now {max_iterations})",
        UserWarning,
        stacklevel=3,
    )
    return solver, False
