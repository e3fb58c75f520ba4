"""The state of an interrupted fit in one file, from which it goes on bit by bit the same."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from corespot.io.artifacts import whole_file

FORMAT_VERSION = 1
_NAME = "checkpoint.safetensors"


@dataclass
class FitState:
    """How far a fit has come, beside its weights and the optimiser's moments.

    Parameters
    ----------
    epoch : int
        Epochs done.
    history : list of dict
        One entry an epoch done.
    best_loss : float
        Lowest validation loss so far.
    stale : int
        Epochs since then.
    best : dict of Tensor
        The network's state at that time; empty without early stopping.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_loss: float = float("inf")
    stale: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)


def checkpoint_file(path: Path | str) -> Path:
    """File of a checkpoint; a name without suffix means a folder that holds it."""
    chosen = Path(path)
    return chosen if chosen.suffix else chosen / _NAME


def write_checkpoint(
    path: Path | str,
    fingerprint: str,
    network: nn.Module,
    optimizer: Optimizer,
    state: FitState,
) -> None:
    """Write everything a fit needs to go on, whole or not at all.

    Notes
    -----
    No generator state is stored: the random streams of an epoch derive from the fit's seed and
    the number of the epoch.
    """
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in moments.items()}
    about = {
        "format_version": FORMAT_VERSION,
        "fingerprint": fingerprint,
        "epoch": state.epoch,
        "history": state.history,
        "best_loss": state.best_loss if state.best else None,
        "stale": state.stale,
    }
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with whole_file(checkpoint_file(path)) as part:
        save_file(held, part, metadata={"corespot": json.dumps(about)})


def read_checkpoint(
    path: Path | str,
    fingerprint: str,
    network: nn.Module,
    optimizer: Optimizer,
    most_epochs: int,
) -> FitState:
    """Load a checkpoint into `network` and `optimizer`.

    A missing checkpoint starts a fit; one that is damaged, of another fit (other spectra, labels
    or settings) or beyond `most_epochs` is passed over with a warning.
    """
    file = checkpoint_file(path)
    if not file.is_file():
        return FitState()
    try:
        with safe_open(file, framework="pt") as archive:
            about: Mapping[str, Any] = json.loads((archive.metadata() or {})["corespot"])
            if about["format_version"] != FORMAT_VERSION or about["fingerprint"] != fingerprint:
                raise ValueError("it belongs to another fit")
            if about["epoch"] > most_epochs:
                raise ValueError(f"it has {about['epoch']} epochs, asked for are {most_epochs}")
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError) as error:
        warnings.warn(f"{file} is not used: {error}; training starts anew", stacklevel=3)
        return FitState()
    network.load_state_dict(_under("network.", tensors))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _under("optimizer.", tensors).items():
        index, key = name.split(".")
        moments.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    device = next(network.parameters()).device
    best = {name: value.to(device) for name, value in _under("best.", tensors).items()}
    best_loss = float("inf") if about["best_loss"] is None else float(about["best_loss"])
    return FitState(int(about["epoch"]), list(about["history"]), best_loss, about["stale"], best)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        n.removeprefix(prefix): torch.clone(t) for n, t in tensors.items() if n.startswith(prefix)
    }
