"""Means, scales and turns of images with missing spots; batch norm of a lone value."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from corespot.models.masked import masked_mean, randomly_turned, scaled_to_unit
from corespot.models.steady_norm import SteadyNorm2d, SteadyNorm3d


def ring() -> torch.Tensor:
    """A mask of one image, 4 × 4, with a hole of 2 × 2."""
    mask = torch.ones(1, 1, 4, 4)
    mask[:, :, 1:3, 1:3] = 0
    return mask


def test_the_mean_is_over_the_spots() -> None:
    maps = torch.arange(32.0).reshape(1, 2, 4, 4)
    there = ring()[0, 0] > 0
    expected = torch.stack([maps[0, k][there].mean() for k in range(2)])
    torch.testing.assert_close(masked_mean(maps, ring()), expected[None])
    volumes = maps.reshape(1, 1, 2, 4, 4)
    torch.testing.assert_close(masked_mean(volumes, ring()), expected[None, None])


def test_a_position_of_a_smaller_map_counts_with_its_share_of_spots() -> None:
    mask = torch.zeros(1, 1, 4, 4)
    mask[:, :, :2, :2] = 1  # a full quarter
    mask[:, :, 3, 3] = 1  # a quarter of one
    maps = torch.tensor([[[[1.0, 50.0], [70.0, 6.0]]]])
    torch.testing.assert_close(masked_mean(maps, mask), torch.tensor([[(4 * 1.0 + 6.0) / 5]]))


def test_an_image_without_spots_has_mean_zero() -> None:
    assert masked_mean(torch.ones(1, 3, 2, 2), torch.zeros(1, 1, 2, 2)).tolist() == [[0, 0, 0]]


def test_scaling_fills_the_unit_interval_over_the_spots() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 2, 4, 4, generator=generator) * 10
    mask = ring().repeat(3, 1, 1, 1)
    scaled = scaled_to_unit(values * mask, mask)
    there = (mask > 0).expand_as(scaled)
    per_channel = scaled[there].reshape(3, 2, -1)
    assert per_channel.amin(2).eq(0).all()
    assert per_channel.amax(2).eq(1).all()
    assert not scaled[~there].any()
    # What is at missing places, the unit and the offset are of no concern.
    torch.testing.assert_close(scaled_to_unit(values * 3 - 7, mask), scaled)


@pytest.mark.parametrize("n_spots", [0, 1, 16])
def test_a_patch_without_contrast_is_zero_with_a_finite_slope(n_spots: int) -> None:
    mask = torch.zeros(1, 1, 4, 4)
    mask.flatten()[:n_spots] = 1
    values = (5 * mask).requires_grad_()
    scaled = scaled_to_unit(values, mask)
    assert not scaled.any()
    scaled.sum().backward()
    assert torch.isfinite(values.grad).all()


def test_scaling_has_the_slope_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(2, 2, 3, 3, dtype=torch.float64, generator=generator).requires_grad_()
    mask = torch.ones(2, 1, 3, 3, dtype=torch.float64)
    mask[:, :, 1, 1] = 0
    assert torch.autograd.gradcheck(lambda v: scaled_to_unit(v, mask), (values,))


def test_turns_are_the_eight_of_a_square_and_nothing_else() -> None:
    torch.manual_seed(0)
    image = torch.arange(18.0).reshape(1, 2, 3, 3)
    turned = randomly_turned(image.repeat(400, 1, 1, 1))
    whole = {
        tuple(torch.rot90(flipped, k, (2, 3)).flatten().tolist())
        for flipped in (image, image.flip(3))
        for k in range(4)
    }
    counts = dict.fromkeys(whole, 0)
    for found in turned:
        counts[tuple(found.flatten().tolist())] += 1
    assert len(whole) == 8
    assert min(counts.values()) > 20
    torch.manual_seed(0)
    torch.testing.assert_close(randomly_turned(image.repeat(400, 1, 1, 1)), turned)


def test_images_that_are_not_square_keep_their_shape() -> None:
    torch.manual_seed(0)
    image = torch.arange(6.0).reshape(1, 1, 1, 6)
    found = {tuple(row) for row in randomly_turned(image.repeat(30, 1, 1, 1)).flatten(1).tolist()}
    assert found == {(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0)}


@pytest.mark.parametrize(
    ("norm", "plain", "shape"),
    [
        (SteadyNorm2d(3), nn.BatchNorm2d(3), (3, 1, 1)),
        (SteadyNorm3d(3), nn.BatchNorm3d(3), (3, 1, 1, 1)),
    ],
)
def test_a_lone_value_trains_on_running_statistics(
    norm: nn.Module, plain: nn.Module, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    many = torch.from_numpy(rng.normal(2, 3, (9, *shape)).astype(np.float32))
    torch.testing.assert_close(norm(many), plain(many))
    torch.testing.assert_close(norm.running_var, plain.running_var)
    with pytest.raises(ValueError, match="more than 1 value"):
        plain(many[:1])
    torch.testing.assert_close(norm(many[:1]), plain.eval()(many[:1]))
    torch.testing.assert_close(norm.running_mean, plain.running_mean)
