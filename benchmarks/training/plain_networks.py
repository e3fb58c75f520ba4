"""The paper's two networks as one writes them down in PyTorch, trained by the usual loop."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PlainIsotopeBlock(nn.Module):
    """ReLU, convolution, normalisation, twice, plus a shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(n_in, n_out, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, 3, stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm1d(n_out)
        changes = n_in != n_out or stride != 1
        around = nn.Conv1d(n_in, n_out, 1, stride, bias=False) if changes else nn.Identity()
        self.shortcut = around

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, L) -> (B, n_out, (L - 1) // stride + 1)."""
        h = self.norm1(self.conv1(functional.relu(x)))
        return self.norm2(self.conv2(functional.relu(h))) + self.shortcut(x)


class PlainIsotopeNet(nn.Module):
    """IsotopeNet of plain layers."""

    def __init__(self, n_bins: int) -> None:
        super().__init__()
        plan = ((1, 8, 1), (8, 8, 5), (8, 8, 1), (8, 1, 3))
        self.blocks = nn.Sequential(*(PlainIsotopeBlock(*block) for block in plan))
        length = ((n_bins - 1) // 5) // 3 + 1
        self.local = nn.Parameter(torch.randn(length, 5) * 0.6)
        self.norm, self.dense = nn.BatchNorm1d(1), nn.Linear(length, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, 2)."""
        h = functional.relu(self.blocks(x.unsqueeze(1)).squeeze(1))
        h = functional.pad(functional.dropout(h, 0.3, self.training), (2, 2)).unfold(1, 5, 1)
        h = self.norm((h * self.local).sum(2).unsqueeze(1)).squeeze(1)
        return self.dense(functional.relu(h))


class PlainResidualNetBlock(nn.Module):
    """ReLU, convolution, normalisation, ReLU, normalisation, convolution, plus a shortcut."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(n_in, n_out, 5, padding=2, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm1d(n_out), nn.BatchNorm1d(n_out)
        self.conv2 = nn.Conv1d(n_out, n_out, 5, stride, padding=2, bias=False)
        changes = n_in != n_out or stride != 1
        around = nn.Conv1d(n_in, n_out, 1, stride, bias=False) if changes else nn.Identity()
        self.shortcut = around

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in, L) -> (B, n_out, (L - 1) // stride + 1)."""
        h = self.norm1(self.conv1(functional.relu(x)))
        return self.conv2(self.norm2(functional.relu(h))) + self.shortcut(x)


class PlainResidualNet(nn.Module):
    """ResidualNet of plain layers."""

    def __init__(self, n_bins: int) -> None:
        super().__init__()
        blocks, n_in, filters, width = [], 1, 16, n_bins
        while width >= 31:
            blocks.append(PlainResidualNetBlock(n_in, filters, 1))
            n_in, filters = filters, min(2 * filters, 128)
            blocks.append(PlainResidualNetBlock(n_in, filters, 3))
            n_in, width = filters, width // 3
        blocks.append(PlainResidualNetBlock(n_in, 256, 3))
        self.blocks, self.dense = nn.Sequential(*blocks), nn.Linear(256, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_bins) -> (B, 2)."""
        return self.dense(self.blocks(x.unsqueeze(1)).mean(2))


NETWORKS = {"isotopenet": PlainIsotopeNet, "residualnet": PlainResidualNet}


class PlainTraining:
    """A network, its optimiser and spectra in memory; no DataLoader, whole batches by index."""

    def __init__(self, name: str, spectra: Tensor, y: Tensor, batch_size: int) -> None:
        torch.manual_seed(0)
        self.network = NETWORKS[name](spectra.shape[1])
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.spectra, self.y, self.batch_size = spectra, y, batch_size

    def epoch(self) -> float:
        """One pass over the spectra in steps."""
        self.network.train()
        total = 0.0
        for rows in torch.randperm(len(self.y)).split(self.batch_size):
            self.optimizer.zero_grad()
            loss = functional.cross_entropy(self.network(self.spectra[rows]), self.y[rows])
            loss.backward()
            self.optimizer.step()
            total += float(loss.detach())
        return total

    def evaluate(self) -> Tensor:
        """Scores of all spectra."""
        self.network.eval()
        with torch.no_grad():
            return torch.cat([self.network(part) for part in self.spectra.split(128)])
