"""What the 3-D network sees: the whole patch, the whole axis, and nothing where no spot is."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from corespot.errors import ParamsError
from corespot.models import registry
from corespot.models.catalogue.conv3d import Conv3dConfig
from corespot.models.conv3d import Conv3d

N_PEAKS = 48


def network(n_bins: int = 300, n_classes: int = 2, seed: int = 3, **settings: object) -> Conv3d:
    torch.manual_seed(seed)
    built = registry.build("conv3d", {"n_peaks": N_PEAKS, **settings}, n_bins, n_classes)
    assert isinstance(built, Conv3d)
    return built


def image_of(mask: torch.Tensor, n: int = 1, n_peaks: int = N_PEAKS, seed: int = 0) -> torch.Tensor:
    """Random images (n, n_peaks + 1, height, width) with spots where `mask` is 1."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(n, n_peaks, *mask.shape, generator=generator)
    return torch.cat([values * mask, mask.expand(n, 1, *mask.shape)], 1)


SHAPES = {
    "one spot": torch.ones(1, 1),
    "one spot in a frame": functional.pad(torch.ones(1, 1), (2, 2, 2, 2)),
    "a line": functional.pad(torch.ones(1, 5), (0, 0, 2, 2)),
    "a ring": torch.ones(5, 5) - functional.pad(torch.ones(3, 3), (1, 1, 1, 1)),
    "full": torch.ones(5, 5),
    "not square": torch.ones(3, 7),
}


def test_parameters_are_those_of_the_layers() -> None:
    # Kernels 7, 3 and 3 along m/z; 96 peaks leave 24, 12 and 6 positions.
    layers = [2 * 16 * 7 * 9 + 32, 16 * 16 * 3 * 9 + 32, 16 * 16 * 3 * 9 + 32]
    head = 16 * 6 * 2 + 2
    described = registry.describe("conv3d", 6400, 2)
    assert described["n_parameters"] == sum(layers) + head == 16_130
    assert described["input"] == "patch"
    three = registry.describe("conv3d", 6400, 3)["n_parameters"]
    assert three == sum(layers) + 16 * 6 * 3 + 3
    few = registry.describe("conv3d", 30, 2, Conv3dConfig(channels=(4,), mz_strides=(2,)))
    assert few["n_parameters"] == 2 * 4 * 3 * 9 + 8 + 4 * 15 * 2 + 2


@pytest.mark.parametrize("mz_strides", [(4, 2, 2), (5, 3, 1), (1, 1, 1)])
def test_every_peak_of_every_spot_is_seen(mz_strides: tuple[int, ...]) -> None:
    net = network(mz_strides=mz_strides).eval()
    image = image_of(torch.ones(7, 7)).requires_grad_()
    (slope,) = torch.autograd.grad(net(image)[0, 0], image)
    assert (slope[0, :-1] != 0).all()


def test_what_lies_where_no_spot_is_cannot_be_seen() -> None:
    net = network().eval()
    ring = SHAPES["a ring"]
    image = image_of(ring).requires_grad_()
    (slope,) = torch.autograd.grad(net(image)[0, 0], image)
    seen = (slope[0, :-1] != 0).any(0)
    assert torch.equal(seen, ring > 0)


@pytest.mark.parametrize("name", SHAPES)
def test_an_empty_frame_changes_nothing(name: str) -> None:
    net = network().eval()
    image = image_of(SHAPES[name], n=3)
    framed = functional.pad(image, (3, 1, 2, 4))
    torch.testing.assert_close(net(framed), net(image), rtol=1e-4, atol=1e-5)


def test_a_missing_spot_is_not_one_of_average_intensity() -> None:
    net = network().eval()
    image = image_of(SHAPES["full"])
    image[:, :-1, 1, 1] = 0
    missing = image.clone()
    missing[:, -1, 1, 1] = 0
    assert (net(image) - net(missing)).abs().max() > 1e-3


def test_which_peak_is_high_matters() -> None:
    net = network().eval()
    low = torch.cat([torch.zeros(1, N_PEAKS, 5, 5), torch.ones(1, 1, 5, 5)], 1)
    found = []
    # Sixteen peaks apart they stand alike in the strides, so that only the head tells them apart.
    for peak in (8, 24):
        image = low.clone()
        image[:, peak] = 4.0
        found.append(net(image))
    assert (found[0] - found[1]).abs().max() > 0.05


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("n_classes", [2, 5])
def test_a_batch_of_one_trains_on_any_shape(name: str, n_classes: int) -> None:
    net = network(n_classes=n_classes).train()
    scores = net(image_of(SHAPES[name]))
    assert scores.shape == (1, n_classes)
    functional.cross_entropy(scores, torch.tensor([1])).backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_one_peak_of_one_spot_trains() -> None:
    net = network(n_bins=1).train()
    scores = net(image_of(torch.ones(1, 1), n_peaks=1))
    scores.sum().backward()
    assert torch.isfinite(scores).all()


def test_scores_of_an_image_do_not_depend_on_its_batch() -> None:
    net = network().eval()
    images = image_of(torch.ones(5, 5), n=6)
    alone = torch.cat([net(image[None]) for image in images])
    torch.testing.assert_close(net(images), alone, rtol=1e-4, atol=1e-5)


def test_eight_patches_are_learnt_by_heart() -> None:
    net = network(dropout=0.0, augment=False).train()
    images, y = image_of(torch.ones(5, 5), n=8), torch.arange(8) % 2
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        functional.cross_entropy(net(images), y).backward()
        optimizer.step()
    assert torch.equal(net(images).argmax(1), y)


def test_patches_turn_in_training_only() -> None:
    net = network(dropout=0.0)
    images = image_of(torch.ones(5, 5), n=4)
    assert torch.equal(net.eval()(images), net(images))
    net.train()
    for layer in net.layers:
        layer.norm.eval()
    assert not torch.equal(net(images), net(images))
    still = network(dropout=0.0, augment=False).eval()
    torch.testing.assert_close(still.train()(images), still(images))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"patch": 4, "stride": 5}, r"stride: must not exceed patch \(4\)"),
        ({"patch": 1}, r"stride: must not exceed patch \(1\)"),
        ({"channels": [8, 8]}, "mz_strides: must be as many as channels, 2"),
        ({"channels": [8, 0, 8]}, "channels: must be 1 or more"),
        ({"mz_strides": [0, 2, 2]}, "mz_strides: must be 1 or more"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        registry.build("conv3d", settings, 300, 2)
