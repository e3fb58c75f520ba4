"""What a network is trained to lower: class-weighted cross entropy, unless it says otherwise."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn
from torch.nn import functional


@runtime_checkable
class HasObjective(Protocol):
    """A network with an objective of its own, as CompSegNet's pooled activation."""

    def losses(self, output: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """Loss of every example, shape (n,), given the weight of every class."""
        ...

    def example_scores(self, output: Tensor) -> Tensor:
        """Scores of every example, shape (n, n_classes)."""
        ...


class Penalty(Protocol):
    """A term added to the loss of every step, such as one on what a network must not read."""

    @property
    def fingerprint(self) -> str:
        """Identity of the term: a fit with another one is another fit."""
        ...

    def __call__(self, network: nn.Module, x: Tensor, scale: float) -> Tensor:
        """Its value for a batch (B, n_bins) of spectra that were multiplied by `scale`."""
        ...


def losses(network: nn.Module, output: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Loss of every example, shape (n,).

    Parameters
    ----------
    network : nn.Module
        Asked first.
    output : Tensor
        What it returned; scores before the softmax unless it has its own objective.
    y : Tensor of int64, shape (n,)
        Class of each example.
    weights : Tensor, shape (n_classes,)
        Weight of each class.
    """
    if isinstance(network, HasObjective):
        return network.losses(output, y, weights)
    scores = output.float() if output.dtype.itemsize < 4 else output
    weighted: Tensor = functional.cross_entropy(scores, y, reduction="none") * weights[y]
    return weighted


def example_scores(network: nn.Module, output: Tensor) -> Tensor:
    """Scores of every example, shape (n, n_classes), from what the network returned."""
    return network.example_scores(output) if isinstance(network, HasObjective) else output
