"""The optimisers, with the paper's L2 penalty, and their step size from epoch to epoch."""

from __future__ import annotations

from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn

from corespot.train.settings import TrainSettings

#: The ``step`` schedule, that of CompSegNet's later form.
_STEP_FACTOR, _STEP_EPOCHS = 0.9, 30


def make_optimizer(
    network: nn.Module, settings: TrainSettings, *, in_graph: bool = False
) -> torch.optim.Optimizer:
    """Adam or RMSprop with the penalty λ‖θ‖² in the loss: its gradient passes the moments.

    Parameters
    ----------
    network : nn.Module
        Whose parameters are trained, on their device.
    settings : TrainSettings
        Method, step size and λ.
    in_graph : bool
        Whether its steps are recorded as part of a CUDA graph: then nothing of its state may
        live on the host, the step size neither.

    Notes
    -----
    As Lasagne's ``regularize_network_params`` does, the penalty covers weights and the scales of
    batch normalisation, not offsets. On a GPU Adam updates all parameters in one kernel.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018; Kingma & Ba, ICLR 2015.
    """
    trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    decayed = [p for name, p in trained if name.endswith("weight")]
    offsets = [p for name, p in trained if not name.endswith("weight")]
    groups = [
        {"params": decayed, "weight_decay": 2 * settings.weight_decay},
        {"params": offsets, "weight_decay": 0.0},
    ]
    device = trained[0][1].device
    on_gpu = device.type == "cuda"
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.RMSprop
    more: dict[str, Any] = {"fused": True} if on_gpu and kind is torch.optim.Adam else {}
    rate: float | Tensor = settings.learning_rate
    if in_graph:
        rate = torch.tensor(settings.learning_rate, dtype=torch.float32, device=device)
        more["capturable"] = True
    optimizer = kind([g for g in groups if g["params"]], lr=rate, **more)
    # The first steps, which are not recorded yet, are no mistake to be warned of.
    optimizer._warned_capturable_if_run_uncaptured = True
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, settings: TrainSettings, epoch: int) -> None:
    """Set the step size of an epoch, counted from zero."""
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate *= 0.5 * (1.0 + cos(pi * epoch / settings.epochs))
    elif settings.schedule == "step":
        rate *= _STEP_FACTOR ** (epoch // _STEP_EPOCHS)
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
