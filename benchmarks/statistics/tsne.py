"""Spots in the plane: t-SNE on a PCA of the activations, against t-SNE on the activations.

    python -m benchmarks.statistics.tsne [--quick]

Activations are as wide as IsotopeNet's last hidden layer at 27,286 bins, with eight directions in
which spots differ. 600 spots are what a page draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from benchmarks.side_by_side import Row, run
from benchmarks.statistics.sensitivity import processor_seconds
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from corespot.explain.embedding import MOST_SPOTS, tsne

N_ACTIVATIONS = 1_820


def activations(n_spots: int) -> Any:
    """Eight directions of difference, and noise."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(n_spots, 8)) @ rng.normal(size=(8, N_ACTIVATIONS))
    return np.maximum(places + 0.3 * rng.normal(size=places.shape), 0.0)


def rows(quick: bool) -> list[Row]:
    """600 spots; also 4,000 where there is time."""
    measured = []
    for n_spots in (MOST_SPOTS,) if quick else (MOST_SPOTS, 4_000):
        values = activations(n_spots)

        def peer(values: Any = values) -> Any:
            with threadpool_limits(limits=1):
                return TSNE(2, init="pca", random_state=0).fit_transform(values)

        tsne(values[:50], seed=0)  # what is imported on first use is imported
        measured.append(
            Row(
                f"t-SNE of {n_spots:,} spots, {N_ACTIVATIONS:,} activations",
                "scikit-learn TSNE on the activations, one thread",
                processor_seconds(peer, 1),
                processor_seconds(lambda values=values: tsne(values, seed=0), 1),
                "processor seconds",
            )
        )
    return measured


if __name__ == "__main__":
    run(rows, __doc__)
