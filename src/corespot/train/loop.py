"""The training loop: class weights, the paper's L2 penalty, optional early stopping."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from math import ceil, cos, pi
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from corespot.errors import ModelError
from corespot.models.search_space import Choice, Range
from corespot.progress import track
from corespot.seeding import derive_seed, generator
from corespot.settings import Settings
from corespot.train.data import Examples
from corespot.train.objective import example_scores, losses
from corespot.train.resume import FitState, read_checkpoint, write_checkpoint

OnEpoch = Callable[[Mapping[str, float]], None]
Watch = Callable[[], Mapping[str, float]]
#: What is added to the loss of a step, given the network and its batch.
Term = Callable[[nn.Module, Tensor], Tensor]
Rows = npt.NDArray[np.int64]

#: Spectra predicted at a time.
PREDICT_BATCH = 128

#: The ``step`` schedule, that of CompSegNet's later form.
_STEP_FACTOR, _STEP_EPOCHS = 0.9, 30


class TrainSettings(Settings):
    """Parameters of the training loop, the same for every network."""

    epochs: int = Field(100, ge=1, description="passes over the training spectra")
    batch_size: int = Field(256, ge=2, description="most spectra in a step")
    optimizer: Literal["adam", "rmsprop"] = Field("adam", description="gradient descent method")
    learning_rate: float = Field(1e-3, gt=0, description="step size")
    weight_decay: float = Field(
        0.0, ge=0, description="λ of the penalty λ‖θ‖² on weights and batch norm scales"
    )
    schedule: Literal["constant", "cosine", "step"] = Field(
        "constant",
        description="of the step size; cosine: falls to zero, step: times 0.9 every 30 epochs",
    )
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="auto: bfloat16 where it pays and the hardware has it"
    )
    early_stopping: bool = Field(
        False, description="stop on an inner grouped split and keep its best epoch"
    )
    patience: int = Field(20, ge=1, description="epochs without a better validation loss")
    validation_folds: int = Field(
        4, ge=2, description="one of so many inner folds is the validation part"
    )


#: What may be tuned of the training of any network; models say where theirs differs.
LOOP_SPACE: dict[str, Range | Choice] = {
    "learning_rate": Range(1e-5, 5e-2, log=True),
    "weight_decay": Choice((0.0, 1e-5, 1e-4, 1e-3, 1e-2, 5e-2)),
    "batch_size": Choice((16, 32, 64, 128, 256)),
}


@dataclass(frozen=True)
class Labelled:
    """Examples with the class index of each, and the rows to learn from and to validate on.

    Parameters
    ----------
    examples : Examples
        Spectra, patches or cores, served in batches.
    y : Tensor of int64, shape (n_examples,)
        Class indices, on the device of the examples.
    n_classes : int
        Number of classes.
    train : ndarray of int64
        Rows to learn from.
    validation : ndarray of int64
        Rows to validate on, may be empty.
    """

    examples: Examples
    y: Tensor
    n_classes: int
    train: Rows
    validation: Rows


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
    optimizer = make_optimizer(network, settings)
    state = FitState()
    if checkpoint is not None:
        state = read_checkpoint(checkpoint, fingerprint, network, optimizer, settings.epochs)
    weights = class_weights(data.y[torch.from_numpy(data.train)], data.n_classes)
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
            _set_rate(optimizer, settings, state.epoch)
            entry = _epoch(network, data, batches, optimizer, weights, bf16, ticks, term)
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
    if state.best:
        network.load_state_dict(state.best)
    network.eval()
    return state.history


def make_optimizer(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """Adam or RMSprop with the penalty λ‖θ‖² in the loss: its gradient passes the moments.

    Notes
    -----
    As Lasagne's ``regularize_network_params`` does, the penalty covers weights and the scales of
    batch normalisation, not offsets.

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
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.RMSprop
    return kind([g for g in groups if g["params"]], lr=settings.learning_rate)


def _set_rate(optimizer: torch.optim.Optimizer, settings: TrainSettings, epoch: int) -> None:
    rate = settings.learning_rate
    if settings.schedule == "cosine":
        rate *= 0.5 * (1.0 + cos(pi * epoch / settings.epochs))
    elif settings.schedule == "step":
        rate *= _STEP_FACTOR ** (epoch // _STEP_EPOCHS)
    for group in optimizer.param_groups:
        group["lr"] = rate


def class_weights(y: Tensor, n_classes: int) -> Tensor:
    """Weight n / (k n_c) of each class, so that every class counts alike; 0 for an absent one."""
    counts = torch.bincount(y, minlength=n_classes).float()
    return torch.where(counts > 0, counts.sum() / (n_classes * counts.clamp(min=1)), 0.0)


def balanced_accuracy(confusion: npt.NDArray[np.int64]) -> float:
    """Mean recall over the classes that occur, from counts (true, predicted)."""
    occurs = confusion.sum(axis=1) > 0
    recall = np.diag(confusion)[occurs] / confusion.sum(axis=1)[occurs]
    return float(recall.mean())


def _epoch(
    network: nn.Module,
    data: Labelled,
    batches: list[Rows],
    optimizer: torch.optim.Optimizer,
    weights: Tensor,
    bf16: bool,
    ticks: object,
    term: Term | None = None,
) -> dict[str, float]:
    network.train()
    device, k = data.examples.device, data.n_classes
    total = torch.zeros((), dtype=torch.float64, device=device)
    confusion = torch.zeros(k * k, dtype=torch.int64, device=device)
    for rows in batches:
        x = data.examples.batch(rows)
        y = data.y[torch.from_numpy(rows).to(device)]
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            output = network(x)
        loss = losses(network, output, y, weights).mean()
        whole = loss if term is None else loss + term(network, x)
        whole.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        total += loss.detach() * len(rows)
        predicted = example_scores(network, output.detach()).argmax(1)
        confusion += torch.bincount(y * k + predicted, minlength=k * k)
        next(ticks)  # type: ignore[call-overload]
    mean = float(total) / len(data.train)
    if not np.isfinite(mean):
        raise ModelError(
            f"the training loss is {mean}: the network diverged; lower learning_rate (for example "
            "to a tenth), raise batch_size, or set precision: float32"
        )
    counts = confusion.cpu().numpy().reshape(k, k)
    return {"train_loss": mean, "train_balanced_accuracy": balanced_accuracy(counts)}


def _validate(network: nn.Module, data: Labelled, weights: Tensor) -> dict[str, float]:
    network.eval()
    k, rows = data.n_classes, data.validation
    total, confusion = 0.0, np.zeros((k, k), dtype=np.int64)
    with torch.no_grad():
        for start in range(0, len(rows), PREDICT_BATCH):
            part = rows[start : start + PREDICT_BATCH]
            y = data.y[torch.from_numpy(part).to(data.examples.device)]
            output = network(data.examples.batch(part)).double()
            total += float(losses(network, output, y, weights).sum())
            predicted = example_scores(network, output).argmax(1)
            np.add.at(confusion, (y.cpu().numpy(), predicted.cpu().numpy()), 1)
    return {
        "validation_loss": total / len(rows),
        "validation_balanced_accuracy": balanced_accuracy(confusion),
    }


def _remember_best(state: FitState, network: nn.Module, loss: float) -> None:
    if loss < state.best_loss:
        state.best_loss, state.stale = loss, 0
        state.best = {name: value.clone() for name, value in network.state_dict().items()}
    else:
        state.stale += 1


def _exhausted(state: FitState, settings: TrainSettings) -> bool:
    return settings.early_stopping and state.stale >= settings.patience
