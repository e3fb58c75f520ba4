"""Mean gradients by the spectra: against float64, and without a trace in the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from corespot.models.registry import build
from corespot.train.data import DeviceSpectra
from corespot.train.gradient import class_output, frozen, mean_gradients


def network(n_classes: int, n_bins: int = 700) -> nn.Module:
    torch.manual_seed(0)
    made = build("isotopenet", {}, n_bins, n_classes)
    made.train()
    with torch.no_grad():
        made(torch.rand(64, n_bins))  # running statistics that are not those of the start
    return made


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("n_spots", [1, 7, 75])
def test_float32_agrees_with_one_spectrum_at_a_time_in_float64(
    n_classes: int, n_spots: int
) -> None:
    net = network(n_classes)
    x = np.random.default_rng(1).gamma(2.0, size=(n_spots, 700)).astype(np.float32)
    spectra = DeviceSpectra(x, torch.device("cpu"), scale=1.5)
    found = mean_gradients(net, spectra, n_classes, 64)
    double = network(n_classes).double().eval()
    double.load_state_dict(net.state_dict())
    for of in ("probability", "logit"):
        expected = np.zeros((n_classes, 700))
        for each in x:
            for index in range(n_classes):
                at = torch.tensor(each[None], dtype=torch.float64, requires_grad=True)
                class_output(double(at * 1.5), index, of).sum().backward()
                assert at.grad is not None
                expected[index] += at.grad[0].numpy() / n_spots
        np.testing.assert_allclose(found[of], expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_the_batch_size_does_not_matter() -> None:
    net = network(2)
    x = np.random.default_rng(1).gamma(2.0, size=(50, 700)).astype(np.float32)
    one, other = (
        mean_gradients(net, DeviceSpectra(x, torch.device("cpu")), 2, size) for size in (3, 64)
    )
    for of in ("probability", "logit"):
        np.testing.assert_allclose(one[of], other[of], rtol=0, atol=1e-6 * np.abs(one[of]).max())


def test_weights_get_no_gradient_and_learn_again_afterwards() -> None:
    net = network(2)
    still = next(net.parameters())
    still.requires_grad_(False)
    asked: list[bool] = []
    net.register_forward_hook(
        lambda *_: asked.append(any(each.requires_grad for each in net.parameters()))
    )
    x = np.ones((3, 700), dtype=np.float32)
    mean_gradients(net, DeviceSpectra(x, torch.device("cpu")), 2, 2)
    assert asked == [False, False]
    assert [each.requires_grad for each in net.parameters()] == [
        each is not still for each in net.parameters()
    ]
    assert all(each.grad is None for each in net.parameters())
    with pytest.raises(ValueError, match="stop"), frozen(net):
        raise ValueError("stop")
    assert sum(each.requires_grad for each in net.parameters()) == len(list(net.parameters())) - 1
