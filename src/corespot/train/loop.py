"""The training loop: class weights, the paper's L2 penalty, optional early stopping."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import repeat
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.progress import track
from corespot.seeding import derive_seed, generator
from corespot.train.data import in_turn
from corespot.train.epoch import EpochRunner, Labelled, Term, balanced_accuracy
from corespot.train.gpu_plan import plan_for
from corespot.train.objective import example_scores, losses
from corespot.train.optimizer import make_optimizer, set_rate
from corespot.train.resume import FitState, read_checkpoint, write_checkpoint
from corespot.train.settings import LOOP_SPACE, TrainSettings

__all__ = [
    "LOOP_SPACE",
    "PREDICT_BATCH",
    "Labelled",
    "OnEpoch",
    "Term",
    "TrainSettings",
    "balanced_accuracy",
    "class_weights",
    "make_optimizer",
    "train_network",
]

OnEpoch = Callable[[Mapping[str, float]], None]
Watch = Callable[[], Mapping[str, float]]
Rows = npt.NDArray[np.int64]

#: Spectra predicted at a time.
PREDICT_BATCH = 128


def train_network(
    network: nn.Module,
    data: Labelled,
    settings: TrainSettings,
    *,
    seed: int,
    bf16: bool,
    label: str,
    fingerprint: str = "",
    watch: Watch | None = None,
    on_epoch: OnEpoch | None = None,
    checkpoint: Path | str | None = None,
    term: Term | None = None,
    facts: dict[str, Any] | None = None,
) -> list[dict[str, float]]:
    """Train `network` in place.

    Parameters
    ----------
    network : nn.Module
        Initialised, on the device of the data.
    data : Labelled
        What to learn.
    settings : TrainSettings
        How.
    seed : int
        Seed of order and dropout; each epoch has its own streams.
    bf16 : bool
        Whether to multiply in bfloat16.
    label : str
        Name on the progress bar.
    fingerprint : str
        Identity of the fit; a checkpoint of another one is not used.
    watch : callable, optional
        Called after every epoch; what it returns is added to the history, and never acted upon.
    on_epoch : callable, optional
        Called with the history entry of every epoch.
    checkpoint : Path, optional
        Where the state is kept after every epoch, and picked up from.
    term : callable, optional
        Added to the loss of every step; the losses in the history are without it.
    facts : dict, optional
        How the steps were run is written into it where that is worth telling: on a GPU.

    Returns
    -------
    list of dict
        Per epoch: ``epoch``, ``train_loss`` (class-weighted, without penalty),
        ``train_balanced_accuracy`` of the training passes (dropout on), ``seconds``, and with
        early stopping ``validation_loss`` and ``validation_balanced_accuracy``.

    Raises
    ------
    ModelError
        If the loss is not finite any more.
    """
    plan = plan_for(network, data.examples, settings, has_term=term is not None)
    optimizer = make_optimizer(network, settings, in_graph=not plan.graph)
    state = FitState()
    if checkpoint is not None:
        state = read_checkpoint(checkpoint, fingerprint, network, optimizer, settings.epochs)
    weights = class_weights(data.y[torch.from_numpy(data.train)], data.n_classes)
    runner = EpochRunner(network, data, optimizer, weights, bf16=bf16, term=term, plan=plan)
    n_batches = ceil(len(data.train) / settings.batch_size)
    left = (settings.epochs - state.epoch) * len(data.train)
    share = ceil(len(data.train) / n_batches)
    ticks = track(repeat(None), label=label, total=left, unit="spectra", scale=share)
    try:
        while state.epoch < settings.epochs and not _exhausted(state, settings):
            started = time.perf_counter()
            torch.manual_seed(derive_seed(seed, "epoch", state.epoch))
            order = generator(seed, "order", state.epoch).permutation(data.train)
            # Even parts: a last batch of one or two would upset the batch statistics.
            batches = np.array_split(order, n_batches)
            set_rate(optimizer, settings, state.epoch)
            entry = runner.run(batches, ticks)
            if len(data.validation):
                entry |= _validate(network, data, weights)
                _remember_best(state, network, entry["validation_loss"])
            entry |= watch() if watch is not None else {}
            entry = {"epoch": state.epoch + 1, **entry, "seconds": time.perf_counter() - started}
            state.epoch += 1
            state.history.append(entry)
            if checkpoint is not None:
                write_checkpoint(checkpoint, fingerprint, network, optimizer, state)
            if on_epoch is not None:
                on_epoch(entry)
    finally:
        ticks.close()  # type: ignore[attr-defined]
        if facts is not None:
            facts.update(runner.facts)
    if state.best:
        network.load_state_dict(state.best)
    network.eval()
    return state.history


def class_weights(y: Tensor, n_classes: int) -> Tensor:
    """Weight n / (k n_c) of each class, so that every class counts alike; 0 for an absent one."""
    counts = torch.bincount(y, minlength=n_classes).float()
    return torch.where(counts > 0, counts.sum() / (n_classes * counts.clamp(min=1)), 0.0)


def _validate(network: nn.Module, data: Labelled, weights: Tensor) -> dict[str, float]:
    network.eval()
    k, device = data.n_classes, data.examples.device
    parts = np.split(data.validation, range(PREDICT_BATCH, len(data.validation), PREDICT_BATCH))
    total = torch.zeros((), dtype=torch.float64, device=device)
    confusion = torch.zeros(k * k, dtype=torch.int64, device=device)
    with torch.no_grad():
        for part, batch in zip(parts, in_turn(data.examples, parts), strict=True):
            y = data.y[torch.from_numpy(part).to(device)]
            output = network(batch).double()
            total += losses(network, output, y, weights).sum()
            predicted = example_scores(network, output).argmax(1)
            confusion.scatter_add_(0, y * k + predicted, torch.ones_like(y))
    counts = confusion.cpu().numpy().reshape(k, k)
    return {
        "validation_loss": float(total) / len(data.validation),
        "validation_balanced_accuracy": balanced_accuracy(counts),
    }


def _remember_best(state: FitState, network: nn.Module, loss: float) -> None:
    if loss < state.best_loss:
        state.best_loss, state.stale = loss, 0
        state.best = {name: value.clone() for name, value in network.state_dict().items()}
    else:
        state.stale += 1


def _exhausted(state: FitState, settings: TrainSettings) -> bool:
    return settings.early_stopping and state.stale >= settings.patience
