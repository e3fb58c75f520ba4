"""One pass over the training examples: steps one after the other, read back once at its end."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from corespot.errors import ModelError
from corespot.train.cuda_graph import CudaRecorder, GraphedSteps, Step
from corespot.train.data import DeviceSpectra, Examples, in_turn
from corespot.train.gpu_plan import NO_GPU, GpuPlan
from corespot.train.objective import example_scores, losses

Rows = npt.NDArray[np.int64]
#: What is added to the loss of a step, given the network and its batch.
Term = Callable[[nn.Module, Tensor], Tensor]


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


class EpochRunner:
    """Trains a network epoch by epoch without waiting for the device within one.

    Rows of an epoch go to the device at once; loss and confusion are summed there and read when
    it is over. On a GPU steps are compiled and recorded as the plan says, or run as they are.

    Parameters
    ----------
    network : nn.Module
        On the device of the data.
    data : Labelled
        What to learn.
    optimizer : Optimizer
        Of the network's parameters.
    weights : Tensor, shape (n_classes,)
        Weight of each class.
    bf16 : bool
        Whether to multiply in bfloat16.
    term : callable, optional
        Added to the loss of every step.
    plan : GpuPlan
        What is done on a GPU.
    """

    def __init__(
        self,
        network: nn.Module,
        data: Labelled,
        optimizer: torch.optim.Optimizer,
        weights: Tensor,
        *,
        bf16: bool,
        term: Term | None = None,
        plan: GpuPlan = NO_GPU,
    ) -> None:
        self._network, self._data, self._optimizer = network, data, optimizer
        self._weights, self._bf16, self._term, self.plan = weights, bf16, term, plan
        examples = data.examples
        #: The examples if a step can find its spectra by a tensor of rows.
        self._by_row: DeviceSpectra | None = None
        if isinstance(examples, DeviceSpectra) and examples.resident:
            self._by_row = examples
        self._total = torch.zeros((), dtype=torch.float64, device=examples.device)
        self._confusion = torch.zeros(data.n_classes**2, dtype=torch.int64, device=examples.device)
        self._not_compiled = plan.compiled
        self._forward: Callable[[Tensor], Any] = network
        if not plan.compiled:
            self._forward = torch.compile(network, dynamic=False)
        self._step: Step | GraphedSteps = self._learn
        if not plan.graph:
            self._step = GraphedSteps(self._learn, CudaRecorder(examples.device))

    @property
    def facts(self) -> dict[str, str]:
        """How steps were run on a GPU, and why not otherwise; empty without one."""
        if self.plan == NO_GPU:
            return {}
        refused = self._step.refused if isinstance(self._step, GraphedSteps) else self.plan.graph
        return {
            "gpu_steps": f"run one by one: {refused}" if refused else "recorded as CUDA graphs",
            "gpu_network": f"not compiled: {self._not_compiled}"
            if self._not_compiled
            else "compiled",
        }

    def run(self, batches: list[Rows], ticks: Iterator[None]) -> dict[str, float]:
        """Learn from `batches` in turn.

        Parameters
        ----------
        batches : list of ndarray of int64
            Rows of each step.
        ticks : iterator
            Advanced after every step.

        Returns
        -------
        dict
            ``train_loss`` (without the term) and ``train_balanced_accuracy``.

        Raises
        ------
        ModelError
            If the loss is not finite any more.
        """
        self._network.train()
        self._total.zero_()
        self._confusion.zero_()
        order = torch.from_numpy(np.concatenate(batches)).to(self._data.examples.device)
        sizes = [len(rows) for rows in batches]
        y = torch.split(self._data.y[order], sizes)
        if self._by_row is not None:
            examples: Iterator[Tensor] = iter(torch.split(order, sizes))
        else:
            examples = in_turn(self._data.examples, batches)
        for batch, labels in zip(examples, y, strict=True):
            self._step(batch, labels)
            next(ticks)
        return self._read(sum(sizes))

    def _learn(self, examples: Tensor, y: Tensor) -> None:
        """One step; changes nothing on the host and reads nothing from the device."""
        device, k = self._data.examples.device, self._data.n_classes
        x = examples if self._by_row is None else self._by_row.batch_at(examples)
        self._optimizer.zero_grad(set_to_none=True)
        recorded = not self.plan.graph
        with torch.autocast(
            device.type, torch.bfloat16, enabled=self._bf16, cache_enabled=not recorded
        ):
            output = self._output(x)
        loss = losses(self._network, output, y, self._weights).mean()
        whole = loss if self._term is None else loss + self._term(self._network, x)
        whole.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._total += loss.detach() * len(y)
        predicted = example_scores(self._network, output.detach()).argmax(1)
        # Unlike bincount, which waits for a GPU to learn the largest value.
        self._confusion.scatter_add_(0, y * k + predicted, torch.ones_like(y))

    def _output(self, x: Tensor) -> Tensor:
        if self._forward is not self._network:
            try:
                return self._forward(x)  # type: ignore[no-any-return]
            except Exception as error:  # compilers fail in ways of their own
                # The network itself tells an error that is not the compiler's.
                self._not_compiled = f"{type(error).__name__} in the compiler"
                warnings.warn(
                    f"the network is not compiled ({error}); it is trained as it is", stacklevel=2
                )
                self._forward = self._network
        return self._network(x)  # type: ignore[no-any-return]

    def _read(self, n_examples: int) -> dict[str, float]:
        k = self._data.n_classes
        # Counts are exact in float64: one copy brings all.
        found = torch.cat([self._total.reshape(1), self._confusion.double()]).cpu().numpy()
        mean = float(found[0]) / n_examples
        if not np.isfinite(mean):
            raise ModelError(
                f"the training loss is {mean}: the network diverged; lower learning_rate (for "
                "example to a tenth), raise batch_size, or set precision: float32"
            )
        counts = found[1:].astype(np.int64).reshape(k, k)
        return {"train_loss": mean, "train_balanced_accuracy": balanced_accuracy(counts)}


def balanced_accuracy(confusion: npt.NDArray[np.int64]) -> float:
    """Mean recall over the classes that occur, from counts (true, predicted)."""
    occurs = confusion.sum(axis=1) > 0
    recall = np.diag(confusion)[occurs] / confusion.sum(axis=1)[occurs]
    return float(recall.mean())
