"""Kept bins and their scales against a direct computation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from corespot.errors import ModelError
from corespot.models import log_bins as module
from corespot.models.log_bins import LogBins

SCALE = 37.0


def problem(
    n: int = 90, n_bins: int = 40, n_classes: int = 2
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(5)
    y = np.arange(n) % n_classes
    x = rng.gamma(1.0, size=(n, n_bins)) * rng.uniform(0.1, 5.0, n_bins)
    for c in range(n_classes):
        x[y == c, 9 * c + 3 : 9 * c + 6] *= 1.8
    x[:, 30] = 0.25  # never changes
    x[:, 31] -= 1.0  # a baseline that went too far
    return (x * 0.01).astype(np.float32), y


@pytest.mark.parametrize("n_classes", [2, 3])
def test_bins_and_scales_are_those_of_a_direct_computation(n_classes: int) -> None:
    x, y = problem(n_classes=n_classes)
    front = LogBins(40, 12)
    front.fit(x, y, SCALE)
    logs = np.log1p(np.clip(x.astype(np.float64) * SCALE, 0, None))
    spread = logs.std(axis=0)
    spread[30] = 1.0
    standard = (logs - logs.mean(axis=0)) / spread
    means = [standard[y == c].mean(axis=0) for c in range(n_classes)]
    strength = np.max([np.abs(a - b) for a in means for b in means], axis=0)
    bins = sorted(range(40), key=lambda j: (-strength[j], j))[:12]
    assert front.bins.tolist() == sorted(bins)
    found = front(torch.from_numpy(x) * SCALE)
    np.testing.assert_allclose(found.numpy(), standard[:, sorted(bins)], atol=2e-6)
    np.testing.assert_allclose(found.numpy().std(axis=0), 1.0, atol=1e-5)


def test_only_the_given_rows_matter_and_blocks_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = problem()
    rows = np.arange(0, 60)
    alone, mapped = LogBins(40, 9), LogBins(40, 9)
    alone.fit(x[rows], y[rows], SCALE)
    np.save(tmp_path / "x.npy", x[rows])
    monkeypatch.setattr(module, "_BLOCK_VALUES", 7 * 40)
    mapped.fit(np.load(tmp_path / "x.npy", mmap_mode="r"), y[rows], SCALE)
    everything = LogBins(40, 9)
    everything.fit(x, y, SCALE)
    for name in ("bins", "centre", "spread"):
        torch.testing.assert_close(getattr(mapped, name), getattr(alone, name))
    assert not torch.allclose(everything.centre, alone.centre)


def test_bins_that_never_change_get_spread_one_and_come_last() -> None:
    x, y = problem()
    x[:, 30:] = np.float32(0.1) * np.arange(10, dtype=np.float32)
    front = LogBins(40, 40)
    front.fit(x, y, SCALE)
    assert front.spread[30:].tolist() == [1.0] * 10
    assert front(torch.from_numpy(x) * SCALE)[:, 30:].abs().max() < 1e-6
    few = LogBins(40, 30)
    few.fit(x, y, SCALE)
    assert few.bins.tolist() == list(range(30))


def test_of_equal_bins_the_lower_is_kept() -> None:
    x, y = problem()
    x[:, 3] *= 1 + 9 * y  # the best by far
    x[:, [10, 20, 39]] = x[:, [3]]
    front = LogBins(40, 2)
    front.fit(x, y, SCALE)
    assert front.bins.tolist() == [3, 10]


def test_an_axis_shorter_than_wanted_is_kept_whole() -> None:
    front = LogBins(7, 100)
    assert front.n_channels == 7
    assert front(torch.rand(2, 7)).shape == (2, 7)


def test_gradients_go_back_to_the_kept_bins_only() -> None:
    x, y = problem()
    front = LogBins(40, 6)
    front.fit(x, y, SCALE)
    points = (torch.from_numpy(x[:4]) * SCALE).double().requires_grad_()
    front = front.double()
    (slope,) = torch.autograd.grad(front(points).sum(), points)
    reached = slope.abs().sum(0).nonzero().flatten()
    assert reached.tolist() == front.bins.tolist()
    expected = 1 / (1 + points[:, front.bins]) / front.spread
    torch.testing.assert_close(slope[:, front.bins], expected)


def test_state_travels_with_the_network() -> None:
    x, y = problem()
    front, other = LogBins(40, 6), LogBins(40, 6)
    front.fit(x, y, SCALE)
    other.load_state_dict(front.state_dict())
    points = torch.from_numpy(x)
    assert torch.equal(front(points), other(points))
    assert not list(front.parameters())


def test_wrong_input_is_refused() -> None:
    x, y = problem()
    with pytest.raises(ModelError, match="spectra of 41 bins"):
        LogBins(41, 5).fit(x, y, SCALE)
    with pytest.raises(ModelError, match="class index each"):
        LogBins(40, 5).fit(x, y[1:], SCALE)
    with pytest.raises(ModelError, match="1 or more"):
        LogBins(40, 0)
