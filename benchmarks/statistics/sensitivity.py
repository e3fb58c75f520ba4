"""Sensitivity of IsotopeNet at 27,286 bins: 4,672 spectra, the size of the paper's task ADSQ.

    python -m benchmarks.statistics.sensitivity [--quick]

The peer is what a user writes: backpropagation batch by batch through plain PyTorch layers with
the same weights, then numpy's standard deviation. Seconds are of the processor, both cores added,
so that figures can be compared with a budget in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import corespot  # noqa: F401 - before torch, whose idle threads shall wait and not spin

# isort: split
import numpy as np
import torch
from benchmarks.side_by_side import Row, run
from torch import Tensor, nn
from torch.nn import functional

from corespot.axis import MzAxis
from corespot.explain.sensitivity import sensitivity_profile
from corespot.train.estimator import make_estimator

N_SPOTS, N_BINS, BATCH = 4_672, 27_286, 32


class PlainBlock(nn.Module):
    """A residual block of conv1d and batch_norm, weights of ours."""

    def __init__(self, ours: Any) -> None:
        super().__init__()
        self.of = ours

    def forward(self, x: Tensor) -> Tensor:
        """As IsotopeBlock."""
        of, stride = self.of, self.of.conv2.stride
        h = of.norm1(functional.conv1d(functional.relu(x), of.conv1.weight, padding=1))
        weight = of.conv2.weight
        h = of.norm2(functional.conv1d(functional.relu(h), weight, stride=stride, padding=1))
        if isinstance(of.shortcut, nn.Identity):
            return h + x
        return h + functional.conv1d(x, of.shortcut.weight, stride=stride)


def plainly(network: Any, scale: float, x: Any) -> Any:
    """Mean gradient of the second class's probability times σ, as a user would write it."""
    blocks = [PlainBlock(each) for each in network.blocks]
    total = torch.zeros(N_BINS)
    for start in range(0, len(x), BATCH):
        batch = torch.from_numpy(x[start : start + BATCH]).requires_grad_(True)
        h = (batch * scale).unsqueeze(1)
        for block in blocks:
            h = block(h)
        h = network.local(functional.relu(h.squeeze(1)))
        scores = network.dense(functional.relu(network.norm(h.unsqueeze(1)).squeeze(1)))
        torch.softmax(scores, 1)[:, 1].sum().backward()
        total += batch.grad.sum(0)
    return total.numpy() / len(x) * x.std(axis=0)


def processor_seconds(act: Callable[[], object], rounds: int) -> float:
    """Median over rounds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        act()
        times.append(time.process_time() - started)
    return median(times)


def rows(quick: bool) -> list[Row]:
    """All spectra, or a 73rd of them, multiplied."""
    n_spots = BATCH * (2 if quick else 146)
    rng = np.random.default_rng(0)
    x = rng.standard_gamma(2.0, size=(n_spots, N_BINS), dtype=np.float32)
    y = np.arange(n_spots) % 2
    some = slice(0, BATCH * 2)
    estimator = make_estimator("isotopenet", {"epochs": 1}, seed=0, device="cpu")
    estimator.fit(x[some], y[some])
    network = estimator.network_.eval()
    axis = MzAxis(np.linspace(600.0, 3200.0, N_BINS), "linear")

    def ours() -> Any:
        return sensitivity_profile(estimator, x, axis=axis, classes=["0", "1"]).probability[1]

    found = ours()
    shown = x[some]
    expected = plainly(network, estimator.input_scale_, shown)
    profile = sensitivity_profile(estimator, shown, axis=axis, classes=["0", "1"])
    assert np.allclose(profile.probability[1], expected, atol=1e-4 * np.abs(expected).max())
    del found, profile
    scale = estimator.input_scale_
    peer_s = processor_seconds(lambda: plainly(network, scale, shown), 3) / len(shown)
    ours_s = processor_seconds(ours, 1) / n_spots
    note = "processor seconds; peer timed on 64 spectra, multiplied"
    return [
        Row(
            f"sensitivity of {N_SPOTS:,} spectra, IsotopeNet, {N_BINS:,} bins",
            "backpropagation through plain conv1d",
            peer_s * N_SPOTS,
            ours_s * N_SPOTS,
            note if not quick else f"{note}; ours too",
        )
    ]


if __name__ == "__main__":
    run(rows, __doc__)
