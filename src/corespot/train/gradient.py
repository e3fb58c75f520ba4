"""Mean derivative of a network's outputs by its input spectra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.train.data import DeviceSpectra

Output = Literal["probability", "logit"]

#: Spectra at a time on a CPU: more are no faster, and every layer's values are held for each.
_CPU_BATCH = 32


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Ask for no gradient of the weights meanwhile: it would be computed, and thrown away."""
    learning = [each for each in network.parameters() if each.requires_grad]
    for each in learning:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in learning:
            each.requires_grad_(True)


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


def mean_gradients(
    network: nn.Module, spectra: DeviceSpectra, n_classes: int, batch_size: int
) -> dict[Output, npt.NDArray[np.float64]]:
    """Mean over spectra of the derivative of each class's outputs by each unscaled bin.

    Parameters
    ----------
    network : nn.Module
        Put into evaluation mode, so that batch statistics play no part.
    spectra : DeviceSpectra
        Where to differentiate; its scale is part of the derivative.
    n_classes : int
        Number of classes.
    batch_size : int
        Spectra at a time; no more than 32 on a CPU.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_classes, n_bins)
        ``probability`` and ``logit``.

    Notes
    -----
    One backward pass a class gives the slope of the log-odds l of every spectrum; that of the
    probability p is p (1 - p) times as steep. Of two classes one pass serves both: their
    probabilities sum to one and their log-odds to zero.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, eq. 8.
    """
    network.eval()
    dtype = next(network.parameters()).dtype
    shape = (n_classes, spectra.shape[1])
    total: dict[Output, Tensor] = {
        of: torch.zeros(shape, dtype=torch.float64, device=spectra.device)
        for of in ("probability", "logit")
    }
    passes = range(1) if n_classes == 2 else range(n_classes)
    if spectra.device.type == "cpu":
        batch_size = min(batch_size, _CPU_BATCH)
    with frozen(network):
        for _, batch in spectra.batches(batch_size):
            x = batch.to(dtype).requires_grad_(True)
            # In float64 a saturated probability keeps its slope.
            scores = network(x).double()
            for index in passes:
                logit = class_output(scores, index, "logit")
                (slope,) = torch.autograd.grad(logit.sum(), x, retain_graph=index < passes[-1])
                steep = torch.sigmoid(logit.detach()) * torch.sigmoid(-logit.detach())
                total["logit"][index] += slope.sum(0, dtype=torch.float64)
                total["probability"][index] += steep @ slope.double()
    for of, summed in total.items():
        if n_classes == 2:
            summed[1] = -summed[0]
        total[of] = summed * (spectra.scale / len(spectra))
    return {of: summed.cpu().numpy() for of, summed in total.items()}
