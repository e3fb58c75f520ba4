"""What the arithmetic of a network alone would take, at the rate of a plain matrix product.

    OMP_NUM_THREADS=1 python -m benchmarks.training.arithmetic

A step multiplies three times as often as a forward pass: once forward, once for the gradient of
the weights, once for that of the input. At the rate at which this processor multiplies two large
float32 matrices, with nothing else costing anything, that is the least a step can take which does
the same multiplications; the plain network's time over it is the most that could be gained.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from benchmarks.training.plain_networks import NETWORKS
from torch import Tensor, nn

N_BINS = 27_286
#: Spectra a step, as in `cpu.py`.
_BATCH = {"isotopenet": 64, "residualnet": 16}
_SIDE, _ROUNDS = 1024, 3


def main() -> None:
    """Measure and print."""
    rate = matrix_rate()
    print(f"float32 matrix product: {rate / 1e9:.1f} billion multiplications a CPU-second\n")
    print("| network | a step, billion | least, CPU-s | plain, CPU-s | most to be gained |")
    print("|---|---|---|---|---|")
    for name, n in _BATCH.items():
        network = NETWORKS[name](N_BINS)
        step = 3 * n * multiplications(network)
        plain = cpu_seconds(training_step(network, n))
        cells = (f"{step / 1e9:.1f}", f"{step / rate:.2f}", f"{plain:.2f}")
        print(f"| {name}, {n} spectra | {' | '.join(cells)} | {plain * rate / step:.1f} |")


def matrix_rate() -> float:
    """Multiplications a CPU-second of a large matrix product."""
    a, b = torch.randn(_SIDE, _SIDE), torch.randn(_SIDE, _SIDE)
    return _SIDE**3 / cpu_seconds(lambda: a @ b)


def multiplications(network: nn.Module) -> int:
    """Multiplications of one spectrum's forward pass in convolutions and dense layers."""
    found = 0

    def count(layer: nn.Module, given: tuple[Tensor], out: Tensor) -> None:
        nonlocal found
        del given
        if isinstance(layer, nn.Conv1d):
            found += out[0].numel() * layer.in_channels * layer.kernel_size[0]
        elif isinstance(layer, nn.Linear):
            found += layer.weight.numel()

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    with torch.no_grad():
        network.eval()(torch.randn(1, N_BINS))
    for hook in hooks:
        hook.remove()
    return found


def training_step(network: nn.Module, n: int) -> Callable[[], object]:
    """One step of Adam on random spectra."""
    spectra, classes = torch.randn(n, N_BINS), torch.arange(n) % 2
    adam = torch.optim.Adam(network.train().parameters())

    def step() -> None:
        adam.zero_grad()
        nn.functional.cross_entropy(network(spectra), classes).backward()
        adam.step()

    return step


def cpu_seconds(work: Callable[[], object]) -> float:
    """Least CPU time of some rounds, after one to warm up."""
    work()
    found = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


if __name__ == "__main__":
    main()
