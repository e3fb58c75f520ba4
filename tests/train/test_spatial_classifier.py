"""Images of spots, and a spatial estimator whose network is known in closed form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.models import registry
from corespot.train.spatial_classifier import SpatialClassifier, none_in_place
from corespot.train.spot_images import SpotImages


class ToyConfig(registry.ModelConfig):
    """Patches of three by three."""

    patch: int = 3
    stride: int = 1
    min_coverage: float = 0.0

    def size(self, n_bins: int, n_classes: int) -> tuple[int, None]:
        return 2, None


class LogFront(nn.Module):
    """Two channels: log(1 + x) of the first two bins."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log1p(x[:, :2])


class Toy(nn.Module):
    """Scores ± the mean over the spots of a patch of a weighted sum of the channels."""

    def __init__(self, config: ToyConfig, n_bins: int, n_classes: int) -> None:
        super().__init__()
        self.front = LogFront()
        self.weight = nn.Parameter(torch.tensor([1.5, -0.5]))

    def forward_features(self, images: Tensor) -> Tensor:
        values, mask = images[:, :-1], images[:, -1:]
        return values.sum((2, 3)) / mask.sum((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        score = self.forward_features(images) @ self.weight
        return torch.stack([score, -score], 1)


class ToyClassifier(SpatialClassifier):
    """As the estimators that the registry makes."""

    model_name = "toy"

    def __init__(
        self,
        *,
        patch: int = 3,
        stride: int = 1,
        min_coverage: float = 0.0,
        epochs: int = 1,
        batch_size: int = 8,
        learning_rate: float = 1e-6,
        weight_decay: float = 0.0,
        optimizer: str = "adam",
        schedule: str = "constant",
        precision: str = "float32",
        early_stopping: bool = False,
        patience: int = 5,
        validation_folds: int = 2,
        random_state: int = 0,
        device: str = "cpu",
    ) -> None:
        for name, value in locals().items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    entry = registry.ModelEntry("toy", f"{__name__}:Toy", ToyConfig, "a test", "patch", True)
    monkeypatch.setitem(registry._ENTRIES, "toy", entry)
    yield


def ring_and_line() -> SpotPositions:
    ring = [(x, y) for x in range(4) for y in range(4) if not (x in (1, 2) and y in (1, 2))]
    line = [(x, 0) for x in range(5)]
    places = [("ring", x, y) for x, y in ring] + [("line", x, y) for x, y in line]
    core, x, y = (np.array(column) for column in zip(*places, strict=True))
    return SpotPositions(core, x, y)


def fitted(**settings: Any) -> tuple[ToyClassifier, Any, SpotPositions]:
    positions = ring_and_line()
    x = np.random.default_rng(3).gamma(2.0, size=(len(positions), 4))
    y = (positions.core == "line").astype(int)
    model = ToyClassifier(**settings).fit(x, y, positions=positions)
    model.network_.double()
    return model, x, positions


def by_hand(model: ToyClassifier, x: Any, positions: SpotPositions) -> Any:
    """Probability of the first class of every spot: a slow reference for stride one."""
    weight = model.network_.weight.detach().numpy()  # type: ignore[union-attr]
    value = np.log1p(x[:, :2] * model.input_scale_) @ weight
    total, count = np.zeros(len(x)), np.zeros(len(x))
    for core in ("ring", "line"):
        inside = np.flatnonzero(positions.core == core)
        px, py = positions.x[inside], positions.y[inside]
        rows = range(py.max() + 1 - 3 + 1) if py.max() >= 3 else [-((3 - py.max() - 1) // 2)]
        columns = range(px.max() + 1 - 3 + 1) if px.max() >= 3 else [0]
        for top in rows:
            for left in columns:
                members = inside[(py - top < 3) & (py >= top) & (px - left < 3) & (px >= left)]
                if len(members):
                    total[members] += 1 / (1 + np.exp(-2 * value[members].mean()))
                    count[members] += 1
    return total / count


def test_a_spot_gets_the_mean_of_its_patches() -> None:
    model, x, positions = fitted()
    np.testing.assert_allclose(
        model.predict_proba(x, positions=positions)[:, 0], by_hand(model, x, positions), rtol=1e-6
    )


def test_the_order_of_the_spots_plays_no_part() -> None:
    model, x, positions = fitted()
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_allclose(
        model.predict_proba(x[order], positions=positions.take(order)),
        model.predict_proba(x, positions=positions)[order],
        rtol=1e-9,
    )


@pytest.mark.parametrize("of", ["probability", "logit"])
def test_gradient_and_spot_sensitivity_equal_finite_differences(of: Any) -> None:
    model, x, positions = fitted()

    def mean_output(spectra: Any) -> float:
        _, p = model.predict_patches(spectra, positions=positions)
        first = p[:, 0]
        return float((first if of == "probability" else np.log(first / (1 - first))).mean())

    step = 1e-4
    slopes = np.zeros_like(x)
    for spot, column in np.ndindex(*x.shape):
        shift = np.zeros_like(x)
        shift[spot, column] = step
        slopes[spot, column] = (mean_output(x + shift) - mean_output(x - shift)) / (2 * step)
    gradient = model.mean_gradient(x, of=of, positions=positions)
    np.testing.assert_allclose(gradient[0], slopes.sum(axis=0), rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(gradient[1], -gradient[0])
    sigma = x.std(axis=0)
    found = model.spot_sensitivity(x, sigma, of=of, positions=positions)
    expected = np.abs(slopes * sigma).sum(axis=1) * len(x)
    np.testing.assert_allclose(found[0], expected, rtol=2e-3, atol=1e-5)
    np.testing.assert_array_equal(found[0], found[1])


def test_spot_sensitivity_goes_where_the_network_is_not_where_it_was_trained() -> None:
    model, x, positions = fitted()
    sigma = x.std(axis=0)
    sigma.flags.writeable = False
    here = model.spot_sensitivity(x, sigma, of="logit", positions=positions)
    arrays, about = model.to_arrays()
    moved = ToyClassifier()
    moved.classes_, moved.n_features_in_ = model.classes_, model.n_features_in_
    moved.from_arrays(arrays, {**about, "trained_on": "cuda:7"}, "a test")
    moved.network_.double()
    there = moved.spot_sensitivity(x, sigma, of="logit", positions=positions)
    np.testing.assert_array_equal(there, here)
    with pytest.raises(ModelError, match=r"sigma: expected shape \(4,\), got \(3,\)"):
        model.spot_sensitivity(x, sigma[:3], of="logit", positions=positions)


def test_ablations_destroy_one_structure_and_keep_the_other() -> None:
    model, x, positions = fitted(patch=6)
    intact = model.predict_proba(x, positions=positions)
    # A patch that holds a whole core, and a network that takes its mean: order is nothing to it.
    shuffled = model.predict_proba(x, positions=positions, ablate="spatial", seed=1)
    np.testing.assert_allclose(shuffled, intact, rtol=1e-9)
    mixed = [
        model.predict_proba(x, positions=positions, ablate="spectral", seed=seed)
        for seed in range(6)
    ]
    assert max(np.abs(one - intact).max() for one in mixed) > 0.02
    with pytest.raises(ModelError, match="ablate="):
        model.predict_proba(x, positions=positions, ablate="all")  # type: ignore[arg-type]
    small, x, positions = fitted()
    intact = small.predict_proba(x, positions=positions)
    assert np.abs(small.predict_proba(x, positions=positions, ablate="spatial") - intact).max() > 0


def test_mixing_up_leaves_no_channel_in_place() -> None:
    for n in (2, 3, 5, 96):
        for seed in range(10):
            order = none_in_place(n, np.random.default_rng(seed))
            assert sorted(order) == list(range(n))
            assert not np.any(order == np.arange(n))
    assert none_in_place(1, np.random.default_rng(0)).tolist() == [0]


def test_positions_are_asked_for() -> None:
    model, x, positions = fitted()
    with pytest.raises(ModelError, match="looks at neighbouring spots"):
        model.predict_proba(x)
    with pytest.raises(ModelError, match="got 5 spectra, but positions of 17"):
        model.predict_proba(x[:5], positions=positions)
    with pytest.raises(ModelError, match="positions=SpotPositions"):
        ToyClassifier().fit(x, positions.core == "line")


def test_training_patches_are_counted() -> None:
    model, _, _ = fitted(patch=4, stride=4, min_coverage=0.5)
    # The ring is one patch of 12 spots; the line's two patches are both low, one is kept.
    assert model.facts_ == {"n_patches": 2, "n_skipped_patches": 1}


def test_images_are_padded_alike_whatever_lies_beside_them() -> None:
    channels = torch.arange(1.0, 13).reshape(6, 2)
    small, large = np.array([[0, -1], [1, 2]]), np.array([[3, 4, 5]])
    both = SpotImages(channels, [small, large], multiple=4)
    found = {int(rows[0]): batch for rows, _, batch in both.batches(1)}
    alone = SpotImages(channels, [large], multiple=4).batch(np.array([0]))
    assert torch.equal(found[1], alone)
    assert found[0].shape == (1, 3, 4, 4)
    # Centred, missing places zero in channels and mask.
    assert found[0][0, 0, 1:3, 1:3].tolist() == [[1, 0], [3, 5]]
    assert found[0][0, 2].sum() == 3
