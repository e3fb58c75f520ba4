"""How fast a device copies, and what a training step must move at the least.

The floor. A residual block normalises by the statistics of a whole batch, and a batch is larger
than any cache: before a value can be normalised, all values have been seen. So each of the two
normalisations of a block is one pass over its input more. At the least,

- forward, the input is read three times (statistics of the first convolution, of the second, the
  output) and the output written once, if nothing in between is stored;
- backward, input and output gradient are read three times (sums of the second normalisation, of
  the first, gradient of the input) and the gradient of the input written once; none is needed of
  the spectra themselves.

Whatever is stored is a bfloat16 on a GPU and a float32 elsewhere; spectra are read as they are
held. Adam reads weight, gradient and two moments and writes three of them, in float32. What the
arithmetic takes is not part of the floor: for ResidualNet it may well be more.
"""

from __future__ import annotations

import time

import torch

_SHAPES = {"isotopenet": ((1, 8, 1), (8, 8, 5), (8, 8, 1), (8, 1, 3))}


def copied_bytes_per_second(device: torch.device, n_bytes: int = 1 << 30) -> float:
    """Bytes read plus bytes written a second by the best of five copies on the device."""
    if device.type != "cuda":
        n_bytes = min(n_bytes, 1 << 28)
    source = torch.ones(n_bytes // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    best = float("inf")
    for _ in range(5):
        _wait(device)
        started = time.perf_counter()
        target.copy_(source)
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * source.numel() * 4 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def least_bytes(
    model: str, n_bins: int, batch: int, n_parameters: int, *, stored: int, held: int
) -> int:
    """Bytes a step must move.

    Parameters
    ----------
    model : str
        isotopenet or residualnet.
    n_bins, batch : int
        Sizes.
    n_parameters : int
        Trainable.
    stored, held : int
        Bytes of a stored value, and of a value of a held spectrum.
    """
    moved, length = 0, n_bins
    for number, (n_in, n_out, stride) in enumerate(_plan(model, n_bins)):
        out_length = (length - 1) // stride + 1
        seen = batch * n_in * length * (held if number == 0 else stored)
        made = batch * n_out * out_length * stored
        moved += 3 * seen + made  # forward
        moved += 3 * (seen + made) + (seen if number else 0)  # backward
        length = out_length
    return moved + 7 * 4 * n_parameters


def _plan(model: str, n_bins: int) -> list[tuple[int, int, int]]:
    if model in _SHAPES:
        return list(_SHAPES[model])
    from corespot.models.catalogue.residualnet import ResidualNetConfig, block_plan

    return block_plan(ResidualNetConfig(), n_bins)
