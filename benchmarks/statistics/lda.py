"""Discriminant analysis for twenty numbers of bins: one factorisation against twenty fits.

    python -m benchmarks.statistics.lda [--quick]

The best 100 bins of a training part of the paper's task LP, K = 5, 10 … 100, fitted and put to the
held-out part. Scikit-learn's three solvers are all timed; decisions are checked to be the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.side_by_side import Row, run, side_by_side
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from corespot.models.catalogue.roc_lda import DEFAULT_GRID
from corespot.models.nested_lda import NestedLda

N_TRAIN, N_TEST = 20_606, 6_869


def rows(quick: bool) -> list[Row]:
    """Against every solver of scikit-learn's; a tenth of the spots if it has to be quick."""
    share = 10 if quick else 1
    rng = np.random.default_rng(0)
    n_train, n_test, most = N_TRAIN // share, N_TEST // share, DEFAULT_GRID[-1]
    y = rng.integers(0, 2, n_train + n_test)
    factors = rng.normal(size=(len(y), 10)) @ rng.normal(size=(10, most))
    x = factors + rng.normal(size=factors.shape) + 0.2 * y[:, None] * rng.random(most)
    train, test, known = x[:n_train], x[n_train:], y[:n_train]
    grid = list(DEFAULT_GRID)

    def ours() -> Any:
        return NestedLda.fit(train, known, 2).scores(test, grid).argmax(axis=2)

    measured = []
    for solver in ("lsqr", "eigen", "svd"):

        def peer(solver: str = solver) -> Any:
            fitted = [
                LinearDiscriminantAnalysis(solver=solver, priors=[0.5, 0.5]).fit(
                    train[:, :k], known
                )
                for k in grid
            ]
            return np.stack([each.predict(test[:, : each.n_features_in_]) for each in fitted])

        if solver != "svd":  # which pools the classes by their sizes, whatever the prior
            assert np.mean(ours() != peer()) < 1e-4, solver
        measured.append(
            side_by_side(
                f"LDA for {len(grid)} numbers of bins, {n_train:,} + {n_test:,} spots",
                (f"scikit-learn, solver {solver}", peer),
                ours,
                rounds=1 if quick else 3,
            )
        )
    return measured


if __name__ == "__main__":
    run(rows, __doc__)
