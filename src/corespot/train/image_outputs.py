"""What a network says of images of spots: of each image, each spot, and by which channels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.train.gradient import Output, class_output, frozen
from corespot.train.spot_images import SpotImages

Floats = npt.NDArray[np.float64]

#: Images that pass a network at a time.
_BATCH = 64


def image_probabilities(network: nn.Module, images: SpotImages) -> Floats:
    """Class probabilities of every image, shape (n_images, n_classes)."""
    network.eval()
    rows_of, found = [], []
    with torch.no_grad():
        for rows, _, batch in images.batches(_BATCH):
            rows_of.append(rows)
            found.append(torch.softmax(network(batch).double(), 1).cpu().numpy())
    ordered: Floats = np.concatenate(found)[np.argsort(np.concatenate(rows_of))]
    return ordered


def spot_means(network: nn.Module, images: SpotImages, of: Callable[[Tensor], Tensor]) -> Floats:
    """Mean over the images that each spot is in of what `of` makes of an image.

    Parameters
    ----------
    network : nn.Module
        Put into evaluation mode.
    images : SpotImages
        Together they hold every spot.
    of : callable
        Images to vectors, (n, channels, height, width) -> (n, d).

    Returns
    -------
    ndarray of float64, shape (n_spots, d)
    """
    network.eval()
    total: Tensor | None = None
    count = torch.zeros(images.n_spots, dtype=torch.float64, device=images.device)
    with torch.no_grad():
        for _, spots, batch in images.batches(_BATCH):
            values = of(batch).double()
            if total is None:
                total = values.new_zeros(images.n_spots, values.shape[1])
            image, members, _ = occupied(spots, images.device)
            total.index_add_(0, members, values[image])
            count.index_add_(0, members, torch.ones_like(members, dtype=torch.float64))
    assert total is not None
    found: Floats = (total / count.unsqueeze(1)).cpu().numpy()
    return found


def channel_slopes(network: nn.Module, images: SpotImages, n_classes: int, of: Output) -> Tensor:
    """Slope of each class's mean output over images by each channel of each spot.

    Parameters
    ----------
    network : nn.Module
        Put into evaluation mode.
    images : SpotImages
        Patches of spots.
    n_classes : int
        Number of classes.
    of : {"probability", "logit"}
        Which output.

    Returns
    -------
    Tensor of float64, shape (n_classes, n_spots, n_channels)
        Of two classes only the first: the other mirrors it.
    """
    network.eval()
    passes = range(1) if n_classes == 2 else range(n_classes)
    shape = (len(passes), images.n_spots, images.n_channels)
    slopes = torch.zeros(shape, dtype=torch.float64, device=images.device)
    with frozen(network):
        for _, spots, batch in images.batches(_BATCH):
            batch.requires_grad_(True)
            scores = network(batch).double()
            image, members, (row, column) = occupied(spots, images.device)
            for at in passes:
                output = class_output(scores, at, of).sum()
                (slope,) = torch.autograd.grad(output, batch, retain_graph=at < passes[-1])
                values = slope[image, :-1, row, column].double() / len(images)
                slopes[at].index_add_(0, members, values)
    return slopes


def occupied(
    spots: npt.NDArray[np.int64], device: torch.device
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Places of images that hold a spot: the image, the spot, and its row and column."""
    index = torch.from_numpy(spots).to(device)
    image, row, column = (index >= 0).nonzero(as_tuple=True)
    return image, index[image, row, column], (row, column)
