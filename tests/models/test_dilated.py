"""What DilatedNet sees, how large it is, and its convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from corespot.errors import ParamsError
from corespot.models import registry
from corespot.models.catalogue.dilated import DilatedConfig, dilations
from corespot.models.dilated import DilatedNet
from corespot.models.layers import Convolution, n_trainable


def built(n_bins: int, n_classes: int = 2, **settings: Any) -> DilatedNet:
    torch.manual_seed(3)
    network = registry.build("dilated", settings, n_bins, n_classes)
    assert isinstance(network, DilatedNet)
    return network


def all_open(network: DilatedNet) -> DilatedNet:
    """With positive weights and spectra no ReLU blocks and no two paths cancel."""
    network = network.double().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, Convolution):
                module.weight.abs_().add_(0.1)
    return network


def bins_seen(network: DilatedNet, n_bins: int, position: int) -> Tensor:
    x = torch.rand(1, n_bins, dtype=torch.float64).add_(0.1).requires_grad_()
    (slope,) = torch.autograd.grad(network.forward_maps(x)[0, 0, position], x)
    return slope[0].nonzero().flatten()


@pytest.mark.parametrize(("n_bins", "layers", "parameters"), [(6400, 6, 13612), (27286, 7, 55536)])
def test_layers_and_parameters(n_bins: int, layers: int, parameters: int) -> None:
    config = DilatedConfig()
    assert dilations(config, n_bins) == [5**i for i in range(layers)]
    network = built(n_bins)
    assert n_trainable(network.stem) + n_trainable(network.stem_norm) == 44
    assert [n_trainable(block) for block in network.blocks] == [152] * (layers - 1)
    assert n_trainable(network.dense) == 2 * n_bins + 2
    described = registry.describe("dilated", n_bins, 2)
    assert described["n_parameters"] == n_trainable(network) == parameters


def test_far_fewer_parameters_than_residualnet_and_full_sight() -> None:
    described = registry.describe("dilated", 27286, 2)
    residualnet = registry.describe("residualnet", 27286, 2)["n_parameters"]
    assert isinstance(residualnet, int)
    assert isinstance(described["n_parameters"], int)
    assert described["n_parameters"] <= residualnet / 10
    assert described["receptive_field"] == 5**7 * 2 - 1
    assert 5**7 * 2 - 1 >= 2 * 27286 - 1


@pytest.mark.parametrize("settings", [{}, {"kernel": 3, "growth": 2}, {"kernel": 5, "growth": 3}])
@pytest.mark.parametrize("n_bins", [1, 7, 60, 151])
def test_every_position_sees_every_bin(n_bins: int, settings: dict[str, int]) -> None:
    network = all_open(built(n_bins, **settings))
    for position in sorted({0, 1 % n_bins, n_bins // 3, n_bins // 2, n_bins - 1}):
        assert len(bins_seen(network, n_bins, position)) == n_bins
    config = DilatedConfig(**settings)
    _, field = config.size(n_bins, 2)
    assert field is not None
    assert field >= 2 * n_bins - 1


def test_a_layer_less_would_not_reach_and_the_reported_field_is_exact() -> None:
    # A network for 140 bins has 4 layers; asked in the middle of a long axis it shows its field.
    assert len(dilations(DilatedConfig(kernel=5, growth=3), 140)) == 5
    network = all_open(built(140, kernel=5, growth=3))
    _, field = DilatedConfig(kernel=5, growth=3).size(140, 2)
    seen = bins_seen(network, 2001, 1000)
    assert seen.tolist() == list(range(1000 - field // 2, 1000 + field // 2 + 1))
    network.blocks = network.blocks[:-1]
    assert len(bins_seen(network, 140, 0)) < 140


@pytest.mark.parametrize("n_bins", [6400, 27286])
def test_edges_see_each_other_on_real_axes(n_bins: int) -> None:
    """Follow the taps that stay on the axis, from an edge and from inside, back to the spectrum."""
    config = DilatedConfig()
    for position in (0, n_bins // 3, n_bins - 2, n_bins - 1):
        reached = np.zeros(n_bins, dtype=bool)
        reached[position] = True
        for dilation in reversed(dilations(config, n_bins)):
            before = reached.copy()
            for tap in range(1, config.kernel // 2 + 1):
                shift = tap * dilation
                if shift < n_bins:
                    reached[shift:] |= before[:-shift]
                    reached[:-shift] |= before[shift:]
        assert reached.all()


def test_a_block_adds_to_its_input() -> None:
    block = built(60).blocks[0]
    torch.nn.init.zeros_(block.conv.weight)
    x = torch.randn(2, 4, 60)
    assert torch.equal(block(x.clone()), x)


def test_no_position_is_lost_before_the_head() -> None:
    network = built(331, maps=2)
    assert network.forward_maps(torch.rand(3, 331)).shape == (3, 2, 331)
    assert network.forward_features(torch.rand(3, 331)).shape == (3, 662)
    assert network.dense.in_features == 662


def test_logarithms_come_first_and_negative_intensities_count_as_zero() -> None:
    network = built(60).eval()
    x = torch.rand(2, 60)
    x[:, 7] = 0.0
    below = x.clone()
    below[:, 7] = -0.5
    assert torch.equal(network(below), network(x))
    expected = network.stem_norm(network.stem(torch.log(1 + x).unsqueeze(1)))
    seen: list[Tensor] = []
    network.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(x)
    torch.testing.assert_close(seen[0], expected)


def test_it_tells_apart_spectra_that_differ_by_where_the_peak_is() -> None:
    torch.manual_seed(0)
    y = torch.arange(32) % 2
    x = torch.rand(32, 120) * 0.3
    x[torch.arange(32), torch.where(y == 0, 40, 90)] += 3.0
    network = built(120)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    network.eval()
    assert torch.equal(network(x).argmax(1), y)


def test_growth_that_leaves_gaps_is_refused() -> None:
    for settings in ({"kernel": 9, "growth": 6}, {"kernel": 3, "growth": 3}):
        with pytest.raises(ParamsError, match=r"growth must be at most .*\(kernel \+ 1\) / 2"):
            registry.build("dilated", settings, 100, 2)
    with pytest.raises(ParamsError, match="must be odd"):
        registry.build("dilated", {"kernel": 8}, 100, 2)


@pytest.mark.parametrize("channels", [(3, 4), (1, 2)])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 2), (5, 3), (5, 16), (9, 5), (3, 17)])
def test_dilated_convolution_by_taps_equals_pytorchs(
    channels: tuple[int, int], kernel: int, dilation: int
) -> None:
    torch.manual_seed(0)
    layer = Convolution(*channels, kernel, dilation=dilation).double()
    x = torch.randn(2, channels[0], 17, dtype=torch.float64, requires_grad=True)
    padding = dilation * (kernel // 2)
    expected = functional.conv1d(x, layer.weight, padding=padding, dilation=dilation)
    found = layer(x)
    assert type(found.grad_fn).__name__ == "_TapConvolutionBackward"
    torch.testing.assert_close(found, expected)
    assert torch.autograd.gradcheck(layer, (x,))
    by_weight = torch.autograd.grad(found.square().sum(), layer.weight)[0]
    torch.testing.assert_close(
        by_weight, torch.autograd.grad(expected.square().sum(), layer.weight)[0]
    )


def test_wide_or_strided_convolutions_go_pytorchs_way() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 20, 40)
    wide = Convolution(20, 20, 3, dilation=4)
    expected = functional.conv1d(x, wide.weight, padding=4, dilation=4)
    torch.testing.assert_close(wide(x), expected)
    strided = Convolution(20, 2, 5, 3, dilation=2)
    assert strided(x).shape == (2, 2, 14)
