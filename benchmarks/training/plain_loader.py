"""The peer of the published table: plain networks trained eagerly from a DataLoader."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from benchmarks.training.plain_networks import NETWORKS
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

Rows = npt.NDArray[np.int64]


class _Spectra(Dataset[tuple[Tensor, int]]):
    def __init__(self, x: npt.NDArray[np.float16], y: Rows, rows: Rows) -> None:
        self._x, self._y, self._rows = x, y, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = self._rows[index]
        return torch.from_numpy(self._x[row]).float(), int(self._y[row])


def epoch_seconds(
    model: str,
    x: npt.NDArray[np.float16],
    y: Rows,
    rows: Rows,
    *,
    epochs: int,
    batch_size: int,
    weight_decay: float,
    device: torch.device,
    workers: int = 2,
    most_steps: int | None = None,
) -> Iterator[float]:
    """Train eagerly in float32 from a DataLoader; yield seconds a spectrum times spectra an epoch.

    Parameters
    ----------
    model : str
        isotopenet or residualnet.
    x, y, rows : ndarray
        Spectra and classes of a task, and the rows to learn from.
    epochs, batch_size, weight_decay
        As published.
    device : torch.device
        Where.
    workers : int
        Processes of the DataLoader.
    most_steps : int, optional
        Steps after which an epoch is cut short, its time being multiplied.
    """
    network = NETWORKS[model](x.shape[1]).to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=2 * weight_decay)
    counts = torch.bincount(torch.from_numpy(y[rows]), minlength=2).float()
    weights = (counts.sum() / (2 * counts)).to(device)
    loader = DataLoader(
        _Spectra(x, y, rows),
        batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        drop_last=len(rows) > batch_size,
        persistent_workers=workers > 0,
    )
    for _ in range(epochs):
        started, learnt = time.perf_counter(), 0
        for step, (batch, labels) in enumerate(loader):
            if most_steps is not None and step >= most_steps:
                break
            optimizer.zero_grad()
            output = network(batch.to(device, non_blocking=True))
            labels = labels.to(device, non_blocking=True)
            functional.cross_entropy(output, labels, weights).backward()
            optimizer.step()
            learnt += len(batch)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        yield (time.perf_counter() - started) * len(rows) / learnt
