"""Where a model puts spots: its last hidden activations, drawn in the plane by t-SNE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.seeding import derive_seed, generator

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Take = Callable[[Rows], npt.NDArray[np.float32]]

#: Spots that are drawn at most: more hide each other, and t-SNE takes a minute.
MOST_SPOTS = 600
_MOST_COMPONENTS = 50
_PERPLEXITY = 30.0
#: Up to as many points, or dimensions, all their products are taken (32 MB, a second).
_FEW = 2000
#: Below this many spots there are no neighbourhoods to speak of.
_FEWEST = 5
#: Spread of the starting positions, as scikit-learn recommends.
_START_SPREAD = 1e-4


class HasEmbedding(Protocol):
    """A fitted classifier that gives the activations of its penultimate layer.

    One that looks at neighbouring spots takes ``positions`` as well.
    """

    def embed(self, X: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
        """Activations, shape (n, d)."""
        ...


def embed_spots(
    estimator: HasEmbedding,
    take: Take,
    *,
    rows: Rows,
    cores: npt.NDArray[np.str_],
    held_out: npt.NDArray[np.bool_],
    positions: SpotPositions | None = None,
    most: int = MOST_SPOTS,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw the spots of one fold's model by how alike the model finds them.

    Parameters
    ----------
    estimator : fitted classifier with `embed`
        The model of one fold: embeddings of two models have nothing in common.
    take : callable
        Gives the spectra of some rows, shape (n, n_bins); `SpectraStore.take`.
    rows : ndarray of int64, shape (n,)
        Rows of the store that could be drawn: the fold's training and test spots.
    cores : ndarray of str, shape (n,)
        Core of each.
    held_out : ndarray of bool, shape (n,)
        True for the fold's test spots.
    positions : SpotPositions, optional
        Where they lie; for models that look at neighbouring spots, which then see all of them,
        training and test spots apart.
    most : int
        Spots that are drawn at most.
    seed : int
        Seed of the choice and of t-SNE.

    Returns
    -------
    DataFrame
        ``row``, ``tsne_x``, ``tsne_y``, ``held_out``; by row.

    Raises
    ------
    ModelError
        If there is no spot, lengths differ, or the activations are not finite.

    References
    ----------
    van der Maaten & Hinton, "Visualizing data using t-SNE", JMLR 9, 2008. Shamsher, "Spatial-
    spectral deep learning for tumor detection in colorectal cancer": t-SNE of the penultimate
    layer.

    Notes
    -----
    Held-out spots are half of those drawn if there are enough, whatever the fold's share of them.
    """
    if not len(rows) == len(cores) == len(held_out) > 0 or (
        positions is not None and len(positions) != len(rows)
    ):
        raise ModelError(
            f"an embedding needs a core and a side for each of one or more spots, got {len(rows)} "
            f"rows, {len(cores)} cores and {len(held_out)} sides"
        )
    order = np.argsort(rows, kind="stable")
    rows, cores, held_out = rows[order], cores[order], held_out[order]
    chosen = choose_spots(cores, held_out, most=most, seed=seed)
    if positions is None:
        activations = np.asarray(estimator.embed(take(rows[chosen])), dtype=np.float64)
    else:
        activations = _in_place(estimator, take, rows, held_out, positions.take(order))[chosen]
    if activations.ndim != 2 or len(activations) != len(chosen):
        raise ModelError(
            f"embed of {type(estimator).__name__} has shape {activations.shape}, expected "
            f"({len(chosen)}, number of activations)"
        )
    if not np.all(np.isfinite(activations)):
        raise ModelError(
            f"activations of {type(estimator).__name__} are not finite; the training has "
            "diverged: lower the learning rate"
        )
    plane = tsne(activations, seed=derive_seed(seed, "tsne") % 2**31)
    return pd.DataFrame(
        {
            "row": rows[chosen],
            "tsne_x": plane[:, 0],
            "tsne_y": plane[:, 1],
            "held_out": held_out[chosen],
        }
    )


def choose_spots(
    cores: npt.NDArray[np.str_], held_out: npt.NDArray[np.bool_], *, most: int, seed: int
) -> Rows:
    """Choose spots, half of them held out and alike many of each core, as far as there are any.

    Parameters
    ----------
    cores : ndarray of str, shape (n,)
        Core of each spot.
    held_out : ndarray of bool, shape (n,)
        Side of each spot.
    most : int
        How many to choose at most.
    seed : int
        Seed of the choice.

    Returns
    -------
    ndarray of int64
        Indices, increasing.
    """
    rng = generator(seed, "embedding", "spots")
    sides = [np.flatnonzero(held_out == side) for side in (False, True)]
    fewest = min(len(side) for side in sides)
    n_smaller = min(fewest, most // 2)
    chosen = []
    for side in sides:
        wanted = n_smaller if len(side) == fewest else most - n_smaller
        mixed = rng.permutation(side)
        _, core = np.unique(cores[mixed], return_inverse=True)
        # The turn of a spot is its rank within its core: first turns of all cores, then seconds.
        turn = pd.Series(core).groupby(core).cumcount().to_numpy()
        chosen.append(mixed[np.argsort(turn, kind="stable")][:wanted])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def tsne(activations: Floats, *, seed: int) -> Floats:
    """Lay points out in the plane so that neighbours stay neighbours, shape (n, 2).

    First rotated to at most 50 principal components. The perplexity is 30, and less where there
    are fewer than 91 points. Fewer than 5 points stay where the first two components put them, and
    points that are all alike lie at the origin.

    Parameters
    ----------
    activations : ndarray of float64, shape (n, d)
        Finite values.
    seed : int
        Seed of what is random.
    """
    from sklearn.manifold import TSNE

    n, d = activations.shape
    plane = np.zeros((n, 2))
    # In units of their largest deviation, activations of any size neither overflow nor vanish.
    centred = activations - activations.mean(axis=0)
    largest = float(np.abs(centred).max(initial=0.0))
    if largest <= 1e-9 * float(np.abs(activations).max(initial=0.0)):
        return plane
    # One thread, so that nothing hangs on their number; on a busy machine more are slower
    # (1,000 spots, two cores: 11 s with one, 38 s with two).
    with threadpool_limits(limits=1):
        parts = _principal_components(centred / largest, min(_MOST_COMPONENTS, n, d), seed)
        plane[:, : min(2, n, d)] = parts[:, :2]
        if n < _FEWEST:
            return plane
        start = plane / plane[:, 0].std() * _START_SPREAD
        jitter = np.random.default_rng(seed).normal(0.0, 0.01 * _START_SPREAD, (n, 2))
        found: Floats = TSNE(
            2,
            perplexity=min(_PERPLEXITY, (n - 1) / 3),
            init=(start + jitter).astype(np.float32),
            random_state=seed,
        ).fit_transform(parts)
    return found.astype(np.float64)


def _principal_components(centred: Floats, n_components: int, seed: int = 0) -> Floats:
    """Principal components of centred points, (n, n_components), longest first.

    By the products of points where these are few, by those of dimensions where they are fewer,
    and by a random projection where there are many of both.
    """
    from sklearn.utils.extmath import randomized_svd

    n, d = centred.shape
    if n <= _FEW:
        variance, directions = np.linalg.eigh(centred @ centred.T)
        length = np.sqrt(np.maximum(variance[::-1][:n_components], 0.0))
        leading = directions[:, ::-1][:, :n_components]
        parts = leading * length
    elif d <= _FEW:
        _, directions = np.linalg.eigh(centred.T @ centred)
        parts = leading = centred @ directions[:, ::-1][:, :n_components]
    else:
        left, length, _ = randomized_svd(centred, n_components, random_state=seed)
        leading, parts = left, left * length
    peak = leading[np.abs(leading).argmax(axis=0), np.arange(n_components)]
    return np.asarray(parts * np.where(peak < 0, -1.0, 1.0), dtype=np.float64)


def _in_place(
    estimator: Any,
    take: Take,
    rows: Rows,
    held_out: npt.NDArray[np.bool_],
    positions: SpotPositions,
) -> Floats:
    """Activations of all spots, among their neighbours of the same side."""
    found: Floats | None = None
    for side in (False, True):
        here = np.flatnonzero(held_out == side).astype(np.int64)
        if not len(here):
            continue
        values = np.asarray(estimator.embed(take(rows[here]), positions=positions.take(here)))
        if found is None:
            found = np.full((len(rows), *values.shape[1:]), np.nan)
        found[here] = values
    assert found is not None, "there is at least one spot"
    return found
