"""The compiled passes of IsotopeNet's block, dealt out to threads, and what they are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from corespot.threads import in_threads, n_threads

Array = npt.NDArray[Any]

#: Values below which a pass is not worth dealing out to threads.
_SMALL = 200_000
#: Parts that each thread gets, so that none waits long for the last.
_PARTS = 4


@cache
def kernels() -> ModuleType | None:
    """The compiled passes; None where numba cannot be loaded."""
    try:
        from corespot.models import isotope_block_kernel
    except (ImportError, OSError):
        return None
    return isotope_block_kernel


@dataclass(frozen=True)
class Fixed:
    """What a block is not differentiated by."""

    stride: int
    eps: tuple[float, float]
    #: Mean and variance of both normalisations; None: those of the batch.
    known: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None


def deal(kernel: Callable[..., None], x: Array, *rest: Any) -> None:
    """Run a pass over all rows, dealt out to threads where that pays."""
    n, threads = len(x), min(n_threads(), torch.get_num_threads())
    parts = 1 if x.size < _SMALL else min(n, threads * _PARTS)
    bounds = np.linspace(0, n, parts + 1).astype(int)
    spans = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
    in_threads(lambda span: kernel(x, *rest, *span), spans, most=threads)


def affine(weight: Array, bias: Array, mean: Array, s: Array) -> list[Array]:
    """Scale and shift that normalise, from the mean and one over the deviation."""
    scale = weight.astype(np.float64) * s
    return cast(weight.dtype, scale, bias - mean * scale)


def cast(kind: Any, *arrays: Array) -> list[Array]:
    """Contiguous arrays of one kind."""
    return [np.ascontiguousarray(a, kind) for a in arrays]


def array(tensor: Tensor | None) -> Any:
    """A tensor's values as an array, shared where they are contiguous."""
    return None if tensor is None else np.ascontiguousarray(tensor.detach().numpy())
