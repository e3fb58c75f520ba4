"""The peer: both networks and their training as one would write them in PyTorch, run eagerly."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

Rows = npt.NDArray[np.int64]


def _convolution(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Conv1d:
    return nn.Conv1d(n_in, n_out, kernel, stride, (kernel - 1) // 2, bias=False)


class _Block(nn.Module):
    """ReLU, convolution, batch norm, ReLU, convolution, batch norm, plus shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int, kernel: int, *, norm_last: bool) -> None:
        super().__init__()
        first = [nn.ReLU(), _convolution(n_in, n_out, kernel), nn.BatchNorm1d(n_out)]
        second = _convolution(n_out, n_out, kernel, stride)
        norm = nn.BatchNorm1d(n_out)
        last = [second, norm] if norm_last else [norm, second]
        self.body = nn.Sequential(*first, nn.ReLU(), *last)
        plain = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if plain else _convolution(n_in, n_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)


class PlainIsotopeNet(nn.Module):
    """IsotopeNet in PyTorch's own layers."""

    def __init__(self, n_bins: int) -> None:
        super().__init__()
        plan = ((1, 8, 1), (8, 8, 5), (8, 8, 1), (8, 1, 3))
        self.blocks = nn.Sequential(*(_Block(*block, 3, norm_last=True) for block in plan))
        length = ((n_bins - 1) // 5 + 1 - 1) // 3 + 1
        self.local = nn.Parameter(torch.randn(length, 5) * 0.4**0.5)
        self.norm, self.dense = nn.BatchNorm1d(1), nn.Linear(length, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, 2)."""
        h = functional.dropout(functional.relu(self.blocks(x[:, None])), 0.3, self.training)
        h = (functional.pad(h[:, 0], (2, 2)).unfold(1, 5, 1) * self.local).sum(2)
        return self.dense(functional.relu(self.norm(h[:, None]))[:, 0])


class PlainResidualNet(nn.Module):
    """ResidualNet in PyTorch's own layers."""

    def __init__(self, n_bins: int) -> None:
        super().__init__()
        plan, n_in, filters, width = [], 1, 16, n_bins
        while width > 30:
            plan.append((n_in, filters, 1))
            plan.append((filters, min(2 * filters, 128), 3))
            n_in = filters = min(2 * filters, 128)
            width //= 3
        plan.append((n_in, 256, 3))
        self.blocks = nn.Sequential(*(_Block(*block, 5, norm_last=False) for block in plan))
        self.dense = nn.Linear(256, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, 2)."""
        return self.dense(self.blocks(x[:, None]).mean(2))


PLAIN = {"isotopenet": PlainIsotopeNet, "residualnet": PlainResidualNet}


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
    network = PLAIN[model](x.shape[1]).to(device).train()
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
