"""What is done to the steps of a fit on a GPU: networks declare what pays, nothing is timed."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import nn

from corespot.train.data import DeviceSpectra, Examples
from corespot.train.objective import HasObjective
from corespot.train.settings import TrainSettings

#: Setting this variable to anything leaves every step as PyTorch runs it.
PLAIN = "CORESPOT_PLAIN_GPU"


@dataclass(frozen=True)
class GpuPlan:
    """How steps are run.

    Parameters
    ----------
    graph : str
        Empty if steps are recorded as CUDA graphs, else why they are not.
    compiled : str
        Empty if the network is compiled, else why it is not.
    """

    graph: str
    compiled: str


#: On any other device steps are run as they are.
NO_GPU = GpuPlan("no GPU", "no GPU")


def plan_for(
    network: nn.Module,
    examples: Examples,
    settings: TrainSettings,
    *,
    has_term: bool = False,
) -> GpuPlan:
    """The plan of a fit, from what its network declares.

    A network with ``steps_as_graph`` has steps of fixed shape that read nothing back to the host;
    one with ``compile_on_gpu`` has element-wise layers that a compiler joins.

    Parameters
    ----------
    network : nn.Module
        What is trained.
    examples : Examples
        What it is trained on.
    settings : TrainSettings
        How.
    has_term : bool
        Whether a term is added to the loss, which may do anything.
    """
    if examples.device.type != "cuda":
        return NO_GPU
    if os.environ.get(PLAIN):
        return GpuPlan(f"{PLAIN} is set", f"{PLAIN} is set")
    return GpuPlan(_why_no_graph(network, examples, settings, has_term), _why_not_compiled(network))


def _why_no_graph(
    network: nn.Module, examples: Examples, settings: TrainSettings, has_term: bool
) -> str:
    if not getattr(network, "steps_as_graph", False) or isinstance(network, HasObjective):
        return "the network does not declare that its steps can be recorded"
    if not isinstance(examples, DeviceSpectra):
        return "its examples are not spectra"
    if has_term:
        return "a term is added to the loss"
    if settings.optimizer != "adam":
        return f"the optimiser is {settings.optimizer}"
    return ""


def _why_not_compiled(network: nn.Module) -> str:
    if not getattr(network, "compile_on_gpu", False):
        return "the network does not declare that it pays"
    try:
        import triton  # noqa: F401
    except ImportError:
        return "triton is not installed"
    if torch.cuda.get_device_capability(next(network.parameters()).device) < (7, 0):
        return "the GPU is older than triton serves"
    return ""
