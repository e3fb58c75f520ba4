"""Images of spots with a mask: means and scales over the spots that are there, and turns."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: A component that varies less than this in a patch is constant there.
_LEAST_RANGE = 1e-6


def masked_mean(maps: Tensor, mask: Tensor) -> Tensor:
    """Mean over the last two dimensions, weighted by the mask at the size of the maps.

    Parameters
    ----------
    maps : Tensor, shape (B, ..., height, width)
        Feature maps.
    mask : Tensor, shape (B, 1, rows, columns)
        1 where there is a spot. If the maps are smaller, a position counts with the share of
        spots in its part of the image.

    Returns
    -------
    Tensor, shape (B, ...)
        0 for an image without a spot.
    """
    weight = functional.adaptive_avg_pool2d(mask, (int(maps.shape[-2]), int(maps.shape[-1])))
    weight = weight.reshape(len(mask), *[1] * (maps.dim() - 3), *weight.shape[-2:])
    total = weight.sum((-2, -1))
    return (maps * weight).sum((-2, -1)) / torch.where(total > 0, total, 1.0)


def scaled_to_unit(values: Tensor, mask: Tensor) -> Tensor:
    """Each channel of each image scaled to [0, 1] over its spots; 0 where there is none.

    Parameters
    ----------
    values : Tensor, shape (B, C, height, width)
        Channels.
    mask : Tensor, shape (B, 1, height, width)
        1 where there is a spot.

    Returns
    -------
    Tensor, shape (B, C, height, width)
        A channel that does not vary in an image is 0 there.
    """
    there = mask > 0
    lowest = values.masked_fill(~there, torch.inf).amin((2, 3), keepdim=True)
    highest = values.masked_fill(~there, -torch.inf).amax((2, 3), keepdim=True)
    extent = highest - lowest
    varies = (extent > _LEAST_RANGE) & there  # without a spot the extent is -inf
    # The division is kept away from zero where its result is not used, for the gradient's sake.
    safe = torch.where(extent > _LEAST_RANGE, extent, 1.0)
    return torch.where(varies, (torch.where(varies, values, lowest) - lowest) / safe, 0.0)


def randomly_turned(images: Tensor) -> Tensor:
    """Each image flipped or not and turned by a random number of quarters.

    Parameters
    ----------
    images : Tensor, shape (B, C, height, width)
        Of any shape; images that are not square are flipped and turned by halves only. Draws
        from torch's generator of the CPU, so that every device turns alike.
    """
    square = images.shape[2] == images.shape[3]
    quarters = torch.randint(4, (len(images),)) if square else 2 * torch.randint(2, (len(images),))
    flipped = torch.randint(2, (len(images),))
    code = (2 * quarters + flipped).to(images.device)
    result = torch.empty_like(images)
    for value in torch.unique(code).tolist():
        chosen = code == value
        part = torch.rot90(images[chosen], value // 2, (2, 3))
        result[chosen] = part.flip(3) if value % 2 else part
    return result
