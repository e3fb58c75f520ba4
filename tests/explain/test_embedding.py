"""Drawing spots by t-SNE: clusters found again, the choice of spots, determinism, tiny input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.explain import embedding as module
from corespot.explain.embedding import _principal_components, choose_spots, embed_spots, tsne


class Fake:
    """The first columns of the spectra are the activations; notes what it was shown."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.cores: list[set[str]] = []

    def embed(self, X, positions=None):
        self.seen.append(len(X))
        if positions is not None:
            assert len(positions) == len(X)
            assert np.array_equal(positions.x, X[:, -1])
            self.cores.append(set(positions.core))
        return X[:, :6]


def cohort(n: int = 150, seed: int = 0):
    rng = np.random.default_rng(seed)
    cluster = np.arange(n) % 3
    centres = rng.normal(0, 1, (3, 20))
    spectra = (8 * centres[cluster] + rng.normal(0, 1, (n, 20))).astype(np.float32)
    core = np.array([f"c{i // 10}" for i in range(n)])
    return spectra, cluster, core, np.arange(n) >= 2 * n // 3


def draw(spectra, core, held_out, estimator=None, **settings) -> pd.DataFrame:
    rows = 2 * np.arange(len(core))  # the task holds every second row of the store

    def take(wanted):
        return spectra[wanted // 2]

    return embed_spots(
        estimator or Fake(), take, rows=rows, cores=core, held_out=held_out, **settings
    )


def test_clusters_of_the_activations_are_clusters_of_the_drawing() -> None:
    spectra, cluster, core, held_out = cohort()
    table = draw(spectra, core, held_out)
    assert list(table.columns) == ["row", "tsne_x", "tsne_y", "held_out"]
    assert table["row"].tolist() == (2 * np.arange(150)).tolist()
    assert table["held_out"].tolist() == held_out.tolist()
    points = table[["tsne_x", "tsne_y"]].to_numpy()
    near = KNeighborsClassifier(5).fit(points[~held_out], cluster[~held_out])
    assert near.score(points[held_out], cluster[held_out]) == 1.0
    # Without clusters neighbours tell nothing: the score is not a matter of course.
    none = draw(np.random.default_rng(1).normal(size=spectra.shape), core, held_out)
    points = none[["tsne_x", "tsne_y"]].to_numpy()
    near = KNeighborsClassifier(5).fit(points[~held_out], cluster[~held_out])
    assert near.score(points[held_out], cluster[held_out]) < 0.6


def test_same_seed_same_drawing_whatever_the_order() -> None:
    spectra, _, core, held_out = cohort(60)
    first, again = (draw(spectra, core, held_out, most=40, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    mixed = np.random.default_rng(0).permutation(60)
    turned = embed_spots(
        Fake(),
        lambda wanted: spectra[wanted // 2],
        rows=2 * mixed,
        cores=core[mixed],
        held_out=held_out[mixed],
        most=40,
        seed=3,
    )
    pd.testing.assert_frame_equal(first, turned)
    other = draw(spectra, core, held_out, most=40, seed=4)
    assert set(other["row"]) != set(first["row"])


def test_number_of_threads_does_not_matter() -> None:
    activations = np.random.default_rng(0).normal(size=(120, 60))
    found = []
    for n in (1, 4):
        with threadpool_limits(limits=n):
            found.append(tsne(activations, seed=1))
    assert np.array_equal(*found)


def test_spots_are_spread_over_sides_and_cores() -> None:
    core = np.repeat([f"c{i}" for i in range(20)], [400] + [20] * 19)
    held_out = np.isin(core, ["c17", "c18", "c19"])
    chosen = choose_spots(core, held_out, most=100, seed=0)
    assert len(set(chosen.tolist())) == 100 and (np.diff(chosen) > 0).all()
    assert held_out[chosen].sum() == 50
    counts = pd.Series(core[chosen]).value_counts()
    train = counts.drop(["c17", "c18", "c19"])
    # 50 spots from 17 training cores, 50 from 3 held-out ones; the large core gets no more.
    assert set(train) == {2, 3} and len(train) == 17
    assert sorted(counts[["c17", "c18", "c19"]]) == [16, 17, 17]
    # A side with few spots leaves its places to the other.
    few = np.arange(len(core)) >= len(core) - 7
    chosen = choose_spots(core, few, most=100, seed=0)
    assert few[chosen].sum() == 7 and len(chosen) == 100
    assert len(choose_spots(core, np.zeros(len(core), bool), most=100, seed=0)) == 100


def test_only_the_chosen_spectra_are_read_unless_neighbours_matter() -> None:
    spectra, _, core, held_out = cohort(60)
    alone = Fake()
    draw(spectra, core, held_out, alone, most=20)
    assert alone.seen == [20] and alone.cores == []
    positions = SpotPositions(core, np.arange(60), np.zeros(60, dtype=np.int64))
    spectra[:, -1] = positions.x  # so that the fake can tell whose position it was given
    plain = draw(spectra, core, held_out, most=20)
    mixed = np.random.default_rng(0).permutation(60)
    spatial = Fake()
    placed = embed_spots(
        spatial,
        lambda wanted: spectra[wanted // 2],
        rows=2 * mixed,
        cores=core[mixed],
        held_out=held_out[mixed],
        positions=positions.take(mixed),
        most=20,
    )
    # Training and test spots are shown apart, as they were in training.
    assert spatial.seen == [40, 20]
    assert spatial.cores == [set(core[~held_out]), set(core[held_out])]
    pd.testing.assert_frame_equal(plain, placed)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7])
def test_few_spots_are_drawn_too(n) -> None:
    spectra, _, core, _ = cohort(n)
    table = draw(spectra, core, np.arange(n) >= 2)
    assert len(table) == n and np.isfinite(table[["tsne_x", "tsne_y"]].to_numpy()).all()
    assert len(table.drop_duplicates(["tsne_x", "tsne_y"])) == n


def test_few_spots_lie_where_principal_components_put_them() -> None:
    activations = np.random.default_rng(0).normal(size=(4, 9))
    found = tsne(activations, seed=0)
    expected = PCA(2).fit_transform(activations)
    ratio = found / expected
    assert np.abs(ratio) == pytest.approx(np.full((4, 2), np.abs(ratio[0, 0])))


@pytest.mark.parametrize("shape", [(40, 7), (12, 300)])
def test_principal_components_are_those_of_scikit_learn(shape) -> None:
    points = np.random.default_rng(0).normal(size=shape) * np.linspace(3, 1, shape[1])
    points -= points.mean(axis=0)
    k = min(5, *shape)
    ours, theirs = _principal_components(points, k), PCA(k).fit_transform(points)
    assert np.abs(ours) == pytest.approx(np.abs(theirs), abs=1e-8)


@pytest.mark.parametrize("value", [0.0, 7.25, 1e-20, 0.1])
def test_spots_that_the_model_does_not_tell_apart_lie_at_one_place(value) -> None:
    _, _, core, held_out = cohort(60)
    table = draw(np.full((60, 20), value, dtype=np.float32), core, held_out)
    assert (table[["tsne_x", "tsne_y"]] == 0.0).all(axis=None)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_size_of_the_activations_does_not_matter(scale) -> None:
    spectra, _, core, held_out = cohort(40)
    found = draw(spectra.astype(np.float64) * scale, core, held_out)
    expected = draw(spectra.astype(np.float64), core, held_out)
    near, far = (t[["tsne_x", "tsne_y"]].to_numpy() for t in (found, expected))
    assert np.isfinite(near).all() and np.ptp(near) == pytest.approx(np.ptp(far), rel=0.5)


def test_one_activation_and_one_spot_that_differs_are_no_obstacle() -> None:
    found = tsne(np.random.default_rng(0).normal(size=(30, 1)), seed=0)
    assert np.isfinite(found).all() and np.ptp(found[:, 0]) > 0
    one = np.zeros((30, 8))
    one[7] = 1.0
    assert np.isfinite(tsne(one, seed=0)).all()


def test_faulty_input_is_refused() -> None:
    spectra, _, core, held_out = cohort(30)
    with pytest.raises(ModelError, match="not finite"):
        draw(np.where(spectra == spectra[0, 0], np.nan, spectra), core, held_out)
    with pytest.raises(ModelError, match="30 rows, 30 cores and 29 sides"):
        draw(spectra, core, held_out[:-1])
    with pytest.raises(ModelError, match="0 rows"):
        draw(spectra[:0], core[:0], held_out[:0])

    class Deep:
        def embed(self, X):
            return X[:, :, None]

    with pytest.raises(ModelError, match=r"embed of Deep has shape \(30, 20, 1\)"):
        draw(spectra, core, held_out, Deep())


def test_principal_components_are_the_same_whichever_way_they_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(90, 70)) * 2.0 ** -np.arange(70)
    points -= points.mean(axis=0)
    left, length, _ = np.linalg.svd(points, full_matrices=False)
    by_points = _principal_components(points, 6, seed=0)
    np.testing.assert_allclose(np.abs(by_points), np.abs(left * length)[:, :6], atol=1e-9)
    monkeypatch.setattr(module, "_FEW", 80)
    np.testing.assert_allclose(_principal_components(points, 6, 0), by_points, atol=1e-9)
    monkeypatch.setattr(module, "_FEW", 10)
    found = _principal_components(points, 6, seed=0)
    np.testing.assert_allclose(found, by_points, atol=1e-6)
    np.testing.assert_array_equal(found, _principal_components(points, 6, seed=0))
