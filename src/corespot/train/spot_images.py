"""Images of spots: channels of every spot laid out on the measurement grid, with a mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.train.data import DeviceSpectra

Rows = npt.NDArray[np.int64]

#: Spectra that pass a front at a time.
_FRONT_BATCH = 512


class SpotImages:
    """Patches or cores as images, built batch by batch from the channels of their spots.

    Parameters
    ----------
    channels : Tensor, shape (n_spots, n_channels)
        What the front made of every spot, on the device.
    grids : sequence of ndarray of int64, shape (height, width)
        Index of the spot at each place, -1 where there is none.
    multiple : int
        Height and width of a batch are padded to a multiple of it.
    """

    def __init__(self, channels: Tensor, grids: Sequence[Rows], *, multiple: int = 1) -> None:
        self.device = channels.device
        self.grids = [np.asarray(grid) for grid in grids]
        self.multiple = multiple
        # The row past the last one stands for a missing spot.
        self._channels = torch.cat([channels, channels.new_zeros(1, channels.shape[1])])

    def __len__(self) -> int:
        return len(self.grids)

    @property
    def n_spots(self) -> int:
        """Spots that the channels are of."""
        return len(self._channels) - 1

    @property
    def n_channels(self) -> int:
        """Channels of a spot, without the mask."""
        return int(self._channels.shape[1])

    def spots(self, rows: Rows) -> Rows:
        """Spot index at every place of the images `rows`, (n, height, width), -1 for none."""
        shapes = np.array([self.grids[row].shape for row in rows])
        height, width = -(-shapes.max(axis=0) // self.multiple) * self.multiple
        index = np.full((len(rows), height, width), -1, dtype=np.int64)
        for number, row in enumerate(rows):
            grid = self.grids[row]
            top, left = (height - grid.shape[0]) // 2, (width - grid.shape[1]) // 2
            index[number, top : top + grid.shape[0], left : left + grid.shape[1]] = grid
        return index

    def image(self, spots: Rows) -> Tensor:
        """Images of spot indices (n, height, width): (n, n_channels + 1, height, width)."""
        index = torch.from_numpy(spots).to(self.device)
        mask = index >= 0
        values = self._channels[torch.where(mask, index, self.n_spots)]
        image: Tensor = torch.cat([values, mask.unsqueeze(3).to(values.dtype)], 3)
        return image.permute(0, 3, 1, 2).contiguous()

    def batch(self, rows: Rows) -> Tensor:
        """Images `rows`, (n, n_channels + 1, height, width); the last channel is the mask."""
        return self.image(self.spots(rows))

    def batches(self, batch_size: int) -> Iterator[tuple[Rows, Rows, Tensor]]:
        """All images as (rows, spots, batch), those of one padded size together.

        So an image is padded alike whatever else is predicted with it.
        """
        sizes: dict[tuple[int, int], list[int]] = {}
        for row, grid in enumerate(self.grids):
            height, width = (-(-side // self.multiple) * self.multiple for side in grid.shape)
            sizes.setdefault((height, width), []).append(row)
        for same in sizes.values():
            for start in range(0, len(same), batch_size):
                rows = np.array(same[start : start + batch_size], dtype=np.int64)
                spots = self.spots(rows)
                yield rows, spots, self.image(spots)


def spot_channels(front: nn.Module, spectra: DeviceSpectra) -> Tensor:
    """What `front` makes of every spectrum, shape (n_spots, n_channels), without gradient."""
    with torch.no_grad():
        return torch.cat([front(batch).float() for _, batch in spectra.batches(_FRONT_BATCH)])


def carry_back(
    front: nn.Module, spectra: DeviceSpectra, slopes: Tensor
) -> Iterator[tuple[slice, Tensor]]:
    """Carry slopes by the channels of every spot back to its unscaled bins, block by block.

    Parameters
    ----------
    front : nn.Module
        Acts on each spot by itself.
    spectra : DeviceSpectra
        The spots.
    slopes : Tensor, shape (n_spots, n_channels)
        Derivative of one number by every channel of every spot.

    Yields
    ------
    slice, Tensor of float64, shape (n, n_bins)
        Spots, and the derivative of that number by their bins.
    """
    for rows, batch in spectra.batches(_FRONT_BATCH):
        x = batch.requires_grad_(True)
        channels = front(x)
        (slope,) = torch.autograd.grad(channels, x, slopes[rows].to(channels.dtype))
        yield rows, slope.double() * spectra.scale
