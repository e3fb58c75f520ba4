"""Mean derivative of a network's outputs by its input spectra."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.errors import ModelError
from corespot.train.data import DeviceSpectra

Output = Literal["probability", "logit"]


def class_output(scores: Tensor, index: int, of: Output) -> Tensor:
    """Output of one class for each spectrum: probability p, or log(p / (1 - p)).

    Parameters
    ----------
    scores : Tensor, shape (n, n_classes)
        Scores before the softmax.
    index : int
        The class.
    of : {"probability", "logit"}
        Which output.
    """
    if of == "probability":
        return torch.softmax(scores, 1)[:, index]
    others = [i for i in range(scores.shape[1]) if i != index]
    return scores[:, index] - torch.logsumexp(scores[:, others], 1)


def mean_gradient(
    network: nn.Module, spectra: DeviceSpectra, n_classes: int, of: Output, batch_size: int
) -> npt.NDArray[np.float64]:
    """Mean over spectra of the derivative of each class's output by each unscaled bin.

    Parameters
    ----------
    network : nn.Module
        Put into evaluation mode, so that batch statistics play no part.
    spectra : DeviceSpectra
        Where to differentiate; its scale is part of the derivative.
    n_classes : int
        Number of classes.
    of : {"probability", "logit"}
        Which output.
    batch_size : int
        Spectra at a time.

    Returns
    -------
    ndarray of float64, shape (n_classes, n_bins)

    Raises
    ------
    ModelError
        If `of` is neither.

    Notes
    -----
    The output summed over a batch takes one backward pass a class. Of two classes one pass
    serves both: their probabilities sum to one and their logits to zero.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, eq. 8.
    """
    if of not in ("probability", "logit"):
        raise ModelError(f"expected of='probability' or of='logit', got {of!r}")
    network.eval()
    dtype = next(network.parameters()).dtype
    total = torch.zeros(n_classes, spectra.shape[1], dtype=torch.float64, device=spectra.device)
    passes = range(1) if n_classes == 2 else range(n_classes)
    for _, batch in spectra.batches(batch_size):
        x = batch.to(dtype).requires_grad_(True)
        # In float64 a saturated probability keeps its slope.
        scores = network(x).double()
        for index in passes:
            output = class_output(scores, index, of).sum()
            (slope,) = torch.autograd.grad(output, x, retain_graph=index < passes[-1])
            total[index] += slope.sum(0, dtype=torch.float64)
    if n_classes == 2:
        total[1] = -total[0]
    result: npt.NDArray[np.float64] = (total * (spectra.scale / len(spectra))).cpu().numpy()
    return result
