"""The convolutional baseline on the kept bins."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from corespot.errors import ParamsError
from corespot.models import registry
from corespot.models.conv1d import Conv1dNet
from corespot.models.layers import n_trainable
from corespot.train.estimator import make_estimator

N_BINS = 150


def built(n_bins: int = N_BINS, n_classes: int = 2, **settings: Any) -> Conv1dNet:
    torch.manual_seed(3)
    network = registry.build("conv1d", settings, n_bins, n_classes)
    assert isinstance(network, Conv1dNet)
    return network


def problem(n: int = 120) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(2)
    y = np.arange(n) % 2
    x = rng.gamma(1.0, size=(n, N_BINS))
    x[:, 100:110] += 2.0 * y[:, None]
    return (x * 1e-4).astype(np.float32), y


def test_layers_and_parameters() -> None:
    network = built(6400)
    convolutions = [m for m in network.convolutions if isinstance(m, nn.Conv1d)]
    # 1 -> 16 and 16 -> 32 channels, three taps and offsets; 32 maps of 100 bins into two classes.
    assert [n_trainable(c) for c in convolutions] == [16 * 3 + 16, 32 * 16 * 3 + 32]
    assert n_trainable(network.dense) == 2 * 3200 + 2
    assert registry.describe("conv1d", 6400, 2)["n_parameters"] == 8034
    assert registry.describe("conv1d", 27286, 2)["n_parameters"] == 8034
    assert network.forward_features(torch.rand(3, 6400)).shape == (3, 3200)
    assert not list(network.front.parameters())


def test_weights_are_he_initialised_and_offsets_zero() -> None:
    _, *_, second = [m for m in built(channels=64).convolutions if isinstance(m, nn.Conv1d)]
    assert second.weight.std().item() == pytest.approx((2 / (64 * 3)) ** 0.5, rel=0.02)
    assert second.bias is not None
    assert not second.bias.any()


def test_a_hidden_layer_and_further_convolutions() -> None:
    network = built(layers=3, channels=4, kernel=5, hidden=7, n_kept=20)
    widths = [m.out_channels for m in network.convolutions if isinstance(m, nn.Conv1d)]
    assert widths == [4, 8, 16]
    assert network.forward_features(torch.rand(3, N_BINS)).shape == (3, 7)
    assert n_trainable(network.dense) == 2 * 7 + 2


def test_a_short_axis_is_kept_whole() -> None:
    assert built(5, 3)(torch.rand(2, 5)).shape == (2, 3)
    assert built(5).front.n_channels == 5


def test_the_bins_are_fitted_before_training_and_nothing_else_reaches_the_network() -> None:
    x, y = problem()
    network = built(n_kept=10)
    network.prepare(x, y, 1e4)
    assert network.front.bins.tolist() == list(range(100, 110))
    network.eval()
    points = torch.from_numpy(x) * 1e4
    other = points.clone()
    other[:, :100] += torch.rand(120, 100)
    assert torch.equal(network(points), network(other))


def test_dropout_follows_every_hidden_layer() -> None:
    network = built(hidden=8, dropout=0.25)
    dropped = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
    assert dropped == [0.25] * 3


def test_the_estimator_fits_the_front_on_its_training_spots_and_learns() -> None:
    x, y = problem(200)
    train = np.arange(120)
    settings = {"n_kept": 10, "epochs": 8}
    model = make_estimator("conv1d", settings, seed=1, device="cpu").fit(x[train], y[train])
    front = model.network_.front
    assert front.bins.tolist() == list(range(100, 110))
    logs = np.log1p(x[train][:, 100:110].astype(np.float64) * model.input_scale_)
    np.testing.assert_allclose(front.centre.numpy(), logs.mean(axis=0), rtol=1e-5)
    assert model.score(x[120:], y[120:]) > 0.9
    gradient = model.mean_gradient(x[train], of="logit")
    assert gradient.shape == (2, N_BINS)
    assert not gradient[:, :100].any()
    assert (gradient[1, 100:110] > 0).all()


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ParamsError, match="must be odd"):
        registry.build("conv1d", {"kernel": 4}, 100, 2)
