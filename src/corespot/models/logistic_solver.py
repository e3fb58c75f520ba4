"""The solver of logistic regression: standardised bins, L-BFGS, and a plain word if it fails."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from corespot.models.logistic_loss import BlockedLoss, moments

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Standardised bins are held in memory up to this size; larger parts are read in blocks, again in
#: every iteration.
_HELD_BYTES = 2**30
#: How many times more iterations a fit gets that did not converge.
_MORE = 10
#: Largest slope of the mean loss at which the fit counts as converged; scikit-learn's 1e-4 leaves
#: the third digit of a weight open.
_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Solution:
    """What a fit found.

    Parameters
    ----------
    centre, spread : ndarray of float64, shape (n_bins,)
        Mean and standard deviation of every bin; spread 1 where it never changes.
    weights : ndarray of float64, shape (n_rows, n_bins)
        Weights of the standardised bins, of every class; of two, one row for the second class.
    offsets : ndarray of float64, shape (n_rows,)
        Offsets.
    n_iterations : int
        Iterations of the last attempt.
    converged : bool
        Whether they were enough.
    """

    centre: Floats
    spread: Floats
    weights: Floats
    offsets: Floats
    n_iterations: int
    converged: bool


def solve(x: npt.NDArray[np.floating], y: Ints, c: float, max_iterations: int) -> Solution:
    """Standardise the bins and find the weights; a warning says what to do if that fails.

    Parameters
    ----------
    x : ndarray or SpectraRows, shape (n_spots, n_bins)
        Intensities.
    y : ndarray of int64, shape (n_spots,)
        Class index of each row.
    c : float
        Inverse strength of the penalty.
    max_iterations : int
        Iterations; ten times as many where these do not do.
    """
    held = x.size * np.dtype(np.float64).itemsize <= _HELD_BYTES
    found = (_solve_held if held else _solve_in_blocks)(x, y, c, max_iterations)
    if not found.converged:
        warnings.warn(
            f"logistic: the weights did not converge in {max_iterations * _MORE} iterations; "
            f"lower c (now {c:g}) or raise max_iterations (now {max_iterations})",
            UserWarning,
            stacklevel=3,
        )
    return found


def standardised(x: npt.NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Bring every bin to mean 0 and spread 1.

    Parameters
    ----------
    x : ndarray or SpectraRows, shape (n_spots, n_bins)
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


def _solve_held(x: npt.NDArray[np.floating], y: Ints, c: float, max_iterations: int) -> Solution:
    """Solve with scikit-learn."""
    z, centre, spread = standardised(x)
    for most in (max_iterations, max_iterations * _MORE):
        solver = LogisticRegression(C=c, class_weight="balanced", tol=_TOLERANCE, max_iter=most)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            solver.fit(z, y)
        for each in said:
            if not issubclass(each.category, ConvergenceWarning):
                warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        converged = not any(issubclass(each.category, ConvergenceWarning) for each in said)
        if converged:
            break
    n_iterations = int(np.max(solver.n_iter_))
    return Solution(centre, spread, solver.coef_, solver.intercept_, n_iterations, converged)


def _solve_in_blocks(
    x: npt.NDArray[np.floating], y: Ints, c: float, max_iterations: int
) -> Solution:
    """Solve with what scikit-learn solves with: the same loss, start, method and end."""
    from scipy.optimize import minimize

    centre, spread = moments(x)
    loss = BlockedLoss(x, y, centre=centre, spread=spread, c=c)
    options = {
        # A second attempt from the start would take the same steps again.
        "maxiter": max_iterations * _MORE,
        "maxls": 50,
        "gtol": _TOLERANCE,
        "ftol": 64 * np.finfo(np.float64).eps,
    }
    found = minimize(loss, loss.start, method="L-BFGS-B", jac=True, options=options)
    weights, offsets = loss.parts(found.x)
    return Solution(centre, spread, weights, offsets, int(found.nit), found.status == 0)
