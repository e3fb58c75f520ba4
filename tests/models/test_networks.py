"""Contract of every registered network, and the published facts about each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from corespot.errors import ModelError, ParamsError
from corespot.models import registry
from corespot.models.catalogue.isotopenet import block_receptive_field
from corespot.models.layers import Convolution, n_trainable
from corespot.train.objective import example_scores, losses

NETWORKS = [name for name in registry.names() if registry.entry(name).is_network]
SPATIAL = [name for name in NETWORKS if registry.entry(name).is_spatial]
N_BINS = 131


def examples(name: str, network: nn.Module, n: int, n_bins: int) -> torch.Tensor:
    """Examples as the network takes them: spectra, or images of what its front makes of them."""
    if name not in SPATIAL:
        return torch.rand(n, n_bins)
    side = 16
    with torch.no_grad():
        channels = network.front(torch.rand(n * side**2, n_bins)).reshape(n, side, side, -1)
    mask = (torch.rand(n, side, side, 1) < 0.9).float()
    return torch.cat([channels * mask, mask], 3).permute(0, 3, 1, 2).contiguous()


def built(name: str, n_bins: int = N_BINS, n_classes: int = 2) -> nn.Module:
    torch.manual_seed(3)
    network = registry.build(name, {}, n_bins, n_classes)
    assert isinstance(network, nn.Module)
    if hasattr(network, "prepare"):
        spectra = np.random.default_rng(0).random((40, n_bins))
        network.prepare(spectra, np.arange(40) % n_classes, 1.0)
    return network


def counts(blocks: nn.Module) -> list[int]:
    return [n_trainable(block) for block in blocks.children()]


def test_isotopenet_has_the_published_parameters() -> None:
    network = built("isotopenet", 27286)
    assert counts(network.blocks) == [256, 480, 416, 39]
    assert n_trainable(network.local) == 9100
    assert n_trainable(network.norm) == 2
    assert n_trainable(network.dense) == 3642
    assert n_trainable(network) == 13935
    narrow = registry.describe(
        "isotopenet", 27286, 2, registry.entry("isotopenet").config(local_kernel=3)
    )
    assert narrow["n_parameters"] == 10295


def test_isotopenet_block_lengths_are_the_published_ones() -> None:
    network = built("isotopenet", 27286)
    x = torch.zeros(1, 1, 27286)
    lengths = []
    with torch.no_grad():
        for block in network.eval().blocks:
            x = block(x)
            lengths.append(x.shape[2])
    assert lengths == [27286, 5458, 5458, 1820]


def test_residualnet_has_the_published_parameters() -> None:
    network = built("residualnet", 27286)
    expected = [1440, 8320, 10368, 33024, 41216, 131584, *([164352, 180736] * 4), 525312]
    assert counts(network.blocks) == expected
    assert n_trainable(network.dense) == 514
    assert n_trainable(network) == 2_132_130


def test_receptive_fields() -> None:
    assert block_receptive_field() == 49
    assert registry.describe("isotopenet", 6400, 2)["receptive_field"] == 109


def test_isotopenet_receptive_field_is_what_a_gradient_reaches() -> None:
    network = built("isotopenet", 900).eval().double()
    x = torch.rand(1, 900, dtype=torch.float64).requires_grad_()
    # Unrectified output of the locally connected layer at one position in the middle.
    h = functional.relu(network.blocks(x.unsqueeze(1)).squeeze(1) + 50.0)
    (slope,) = torch.autograd.grad(network.local(h)[0, 30], x)
    reached = slope[0].nonzero().flatten()
    assert reached.min() >= 30 * 15 - 54
    assert reached.max() <= 30 * 15 + 54
    assert reached.max() - reached.min() > 90


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("n_bins", "n_classes"), [(61, 2), (131, 3), (500, 5)])
def test_any_number_of_bins_and_classes(name: str, n_bins: int, n_classes: int) -> None:
    n_classes = min(n_classes, registry.entry(name).most_classes or n_classes)
    network = built(name, n_bins, n_classes)
    scores = example_scores(network, network(examples(name, network, 4, n_bins)))
    assert scores.shape == (4, n_classes)
    assert torch.isfinite(scores).all()
    described = registry.describe(name, n_bins, n_classes)
    assert described["n_parameters"] == n_trainable(network)


#: Settings that change the size of a network.
SIZES: dict[str, list[dict[str, Any]]] = {
    "compsegnet": [
        {"depth": 1, "width": 3, "channels": 7},
        {"depth": 4, "output_norm": True},
        {"form": "2018", "channels": 5000},
    ],
    "conv1d": [{"hidden": 32}, {"layers": 3, "kernel": 5, "n_kept": 1000}, {"channels": 1}],
    "conv3d": [{"channels": [8], "mz_strides": [1]}, {"channels": [8, 3], "mz_strides": [5, 2]}],
    "dilated": [{"channels": 2, "kernel": 3, "growth": 2}, {"maps": 3, "kernel": 13, "growth": 7}],
    "isotopenet": [{"local_kernel": 1}, {"local_kernel": 9}],
    "residualnet": [{"first_filters": 3, "most_filters": 20}, {"first_filters": 64}],
    "resnet_patch": [
        {"stem": "small", "n_components": 5},
        {"n_components": 1, "n_bins_kept": 9},
        {"weights": "resnet18.safetensors"},
    ],
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("n_bins", "n_classes"), [(131, 2), (2000, 3)])
def test_the_size_is_that_of_the_network(name: str, n_bins: int, n_classes: int) -> None:
    n_classes = min(n_classes, registry.entry(name).most_classes or n_classes)
    for settings in ({}, *SIZES[name]):
        config = registry.entry(name).config.parse(settings, name)
        with torch.device("meta"):
            network = registry.build(name, config, n_bins, n_classes)
        assert config.size(n_bins, n_classes)[0] == n_trainable(network), settings


@pytest.mark.parametrize("name", registry.names())
def test_a_model_lies_where_the_registry_says(name: str) -> None:
    found = registry.entry(name)
    assert isinstance(found.model, type) and found.path.endswith(f":{found.model.__name__}")
    assert issubclass(found.model, nn.Module) == found.is_network


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = built(name)
    output = network(examples(name, network, 8, N_BINS))
    losses(network, output, torch.arange(8) % 2, torch.ones(2)).sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name


@pytest.mark.parametrize("name", SPATIAL)
def test_a_lone_spot_and_a_ragged_core_are_scored(name: str) -> None:
    network = built(name).eval()
    images = examples(name, network, 2, N_BINS)
    lone = torch.zeros_like(images)
    lone[:, :, 7, 8] = images[:, :, 7, 8]
    lone[:, -1, 7, 8] = 1.0
    for batch in (images, lone):
        scores = example_scores(network, network(batch))
        assert torch.isfinite(scores).all()


@pytest.mark.parametrize(("name", "least"), [("isotopenet", 61), ("residualnet", 31)])
def test_too_short_an_axis_is_refused_with_the_minimum(name: str, least: int) -> None:
    registry.build(name, {}, least, 2)
    with pytest.raises(ModelError, match=f"at least {least} bins"):
        registry.build(name, {}, least - 1, 2)
    with pytest.raises(ModelError, match=f"at least {least} bins"):
        registry.describe(name, least - 1, 2)


def test_batch_norm_is_lasagnes() -> None:
    for name in ("isotopenet", "residualnet", "dilated"):
        norms = [m for m in built(name).modules() if isinstance(m, nn.BatchNorm1d)]
        assert norms
        assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-4, 0.1)}


def test_weights_are_he_initialised() -> None:
    network = built("residualnet", 5000)
    weight = network.blocks[-1].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (256 * 5)) ** 0.5, rel=0.02)
    assert not network.dense.bias.any()


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("length", [1, 2, 3, 17])
def test_convolution_by_taps_equals_pytorchs(kernel: int, length: int) -> None:
    torch.manual_seed(0)
    layer = Convolution(3, 4, kernel).double()
    x = torch.randn(2, 3, length, dtype=torch.float64, requires_grad=True)
    expected = functional.conv1d(x, layer.weight, padding=kernel // 2)
    torch.testing.assert_close(layer(x), expected)
    assert torch.autograd.gradcheck(layer, (x,))
    by_weight = torch.autograd.grad(layer(x).square().sum(), layer.weight)[0]
    torch.testing.assert_close(
        by_weight, torch.autograd.grad(expected.square().sum(), layer.weight)[0]
    )


def test_registry_refuses_a_second_entry_and_suggests_names() -> None:
    class Config(registry.ModelConfig):
        pass

    with pytest.raises(ModelError, match="registered twice"):
        registry.register("isotopenet", "torch.nn:Module", source="nowhere")(Config)
    with pytest.raises(ModelError, match="did you mean 'isotopenet'"):
        registry.entry("isotopnet")
    with pytest.raises(ModelError, match="no network to build"):
        registry.build("roc_lda", {}, 100, 2)


def test_configuration_is_closed_and_checked() -> None:
    with pytest.raises(ParamsError, match="did you mean 'local_kernel'"):
        registry.build("isotopenet", {"local_kernl": 3}, 200, 2)
    with pytest.raises(ParamsError, match="must be odd"):
        registry.build("isotopenet", {"local_kernel": 4}, 200, 2)
    for name in registry.names():
        fields = registry.entry(name).config.model_fields
        assert all(field.description for field in fields.values()), name


def test_every_model_is_described() -> None:
    for name in registry.names():
        described = registry.describe(name, 6400, 2)
        assert described["name"] == name
        assert described["input"] in ("spectrum", "patch", "core")
        assert described["source"]
        assert isinstance(described["n_parameters"], int)


@pytest.mark.parametrize("name", registry.names())
def test_every_model_has_a_card(name: str) -> None:
    card = Path(__file__).resolve().parents[2] / "docs/models" / f"{name}.md"
    text = card.read_text(encoding="utf-8")
    fields = registry.entry(name).config.model_fields
    missing = [field for field in fields if f"`{field}" not in text]
    assert not missing, f"{card.name} does not speak of {missing}"
    assert "eviation" in text or "reconstruction" in text
