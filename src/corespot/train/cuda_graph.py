"""Training steps recorded once as CUDA graphs and replayed: no launch costs, no host in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

#: A training step: all it changes is on the device, and it reads nothing back.
Step = Callable[[Tensor, Tensor], None]

#: Steps of a size that are run, not recorded: libraries choose algorithms and the optimiser makes
#: its state in them.
_WARM_UP = 3


class Recorder(Protocol):
    """How a step is run beside the main stream, and how it is recorded."""

    def aside(self, act: Callable[[], None]) -> None:
        """Run `act` on a stream of its own, in order with all before and after it."""
        ...

    def record(self, act: Callable[[], None]) -> Callable[[], None]:
        """Record `act` without running it, and give what replays it."""
        ...


class CudaRecorder:
    """The recorder of PyTorch's CUDA graphs; all of them share one pool of memory."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def aside(self, act: Callable[[], None]) -> None:
        """Run `act` on a stream of its own, in order with all before and after it."""
        main = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            act()
        main.wait_stream(self._stream)

    def record(self, act: Callable[[], None]) -> Callable[[], None]:
        """Record `act` without running it, and give what replays it."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            act()
        replay: Callable[[], None] = graph.replay
        return replay


@dataclass(frozen=True)
class _Recorded:
    examples: Tensor
    y: Tensor
    replay: Callable[[], None]


class GraphedSteps:
    """A training step that is recorded for each size of batch after a few runs.

    Parameters
    ----------
    step : callable
        Called with what identifies the examples (spectra, or their rows) and their classes.
    recorder : Recorder
        Runs and records.

    Attributes
    ----------
    refused : str
        Why recording was given up, empty if it was not: steps are then run as they are.

    Notes
    -----
    Recording does not run anything, so a step that cannot be recorded is simply run. Random
    numbers go on from replay to replay: PyTorch hands seed and offset to the graph each time.
    """

    def __init__(self, step: Step, recorder: Recorder) -> None:
        self.refused = ""
        self._step, self._recorder = step, recorder
        self._seen: Counter[int] = Counter()
        self._recorded: dict[int, _Recorded] = {}

    def __call__(self, examples: Tensor, y: Tensor) -> None:
        """Learn from a batch."""
        size = len(y)
        if size not in self._recorded and not self.refused and self._seen[size] >= _WARM_UP:
            self._record(examples, y)
        if size in self._recorded:
            found = self._recorded[size]
            found.examples.copy_(examples, non_blocking=True)
            found.y.copy_(y, non_blocking=True)
            found.replay()
        elif self.refused:
            self._step(examples, y)
        else:
            self._seen[size] += 1
            self._recorder.aside(lambda: self._step(examples, y))

    def _record(self, examples: Tensor, y: Tensor) -> None:
        inputs = examples.clone(), y.clone()
        try:
            replay = self._recorder.record(lambda: self._step(*inputs))
        except RuntimeError as error:
            # A graph of another size would meet the same.
            self.refused = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._recorded.clear()
            return
        self._recorded[len(y)] = _Recorded(*inputs, replay)
