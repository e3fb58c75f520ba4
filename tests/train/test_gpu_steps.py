"""How steps are run on a GPU: what is declared decides, and recording changes no number."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from corespot.models.registry import build
from corespot.train import gpu_plan
from corespot.train.cuda_graph import GraphedSteps
from corespot.train.data import DeviceSpectra
from corespot.train.epoch import EpochRunner, Labelled
from corespot.train.gpu_plan import NO_GPU, GpuPlan, plan_for
from corespot.train.loop import class_weights, make_optimizer
from corespot.train.optimizer import set_rate
from corespot.train.settings import TrainSettings

CPU = torch.device("cpu")


class Played:
    """A recorder whose replays run the step again: what a CUDA graph does on a GPU."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails, self.aside_runs, self.records, self.replays = fails, 0, 0, 0

    def aside(self, act: Callable[[], None]) -> None:
        self.aside_runs += 1
        act()

    def record(self, act: Callable[[], None]) -> Callable[[], None]:
        self.records += 1
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

        def replay() -> None:
            self.replays += 1
            act()

        return replay


def test_a_step_is_recorded_once_a_size_and_reads_its_inputs_anew() -> None:
    seen: list[tuple[list[float], list[int]]] = []
    played = Played()
    steps = GraphedSteps(lambda x, y: seen.append((x.tolist(), y.tolist())), played)
    expected = []
    for number in range(12):
        size = 3 if number % 2 else 2
        x, y = torch.full((size,), float(number)), torch.full((size,), number)
        expected.append((x.tolist(), y.tolist()))
        steps(x, y)
    assert seen == expected
    assert (played.aside_runs, played.records, played.replays) == (6, 2, 6)
    assert not steps.refused


def test_a_step_that_cannot_be_recorded_is_run() -> None:
    seen: list[int] = []
    played = Played(fails=True)
    steps = GraphedSteps(lambda _, y: seen.append(int(y[0])), played)
    for number in range(6):
        steps(torch.zeros(2), torch.tensor([number, 0]))
    assert seen == list(range(6))
    assert played.records == 1
    assert steps.refused == "operation not permitted when stream is capturing"


def problem(n: int = 64, n_bins: int = 90) -> tuple[nn.Module, Labelled]:
    torch.manual_seed(0)
    network = build("isotopenet", {"dropout": 0.0}, n_bins, 2)
    x = np.random.default_rng(0).random((n, n_bins), dtype=np.float32)
    rows = np.arange(n)
    data = Labelled(DeviceSpectra(x, CPU), torch.arange(n) % 2, 2, rows, rows[:0])
    return network, data


def trained(step: Callable[[EpochRunner], None]) -> tuple[list[dict[str, float]], dict[str, Any]]:
    network, data = problem()
    settings = TrainSettings(batch_size=9)
    optimizer = make_optimizer(network, settings)
    weights = class_weights(data.y, 2)
    runner = EpochRunner(network, data, optimizer, weights, bf16=False)
    step(runner)
    batches = np.array_split(np.random.default_rng(1).permutation(64), 8)
    history = [runner.run(batches, iter([None] * 8)) for _ in range(3)]
    return history, network.state_dict()


def test_recorded_training_gives_the_same_numbers() -> None:
    def recorded(runner: EpochRunner) -> None:
        runner._step = GraphedSteps(runner._learn, Played())

    plain, expected = trained(lambda runner: None)
    played, found = trained(recorded)
    assert played == plain
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def test_a_network_that_does_not_compile_is_trained_as_it_is() -> None:
    def broken(runner: EpochRunner) -> None:
        def fails(x: Tensor) -> Tensor:
            raise NotImplementedError("no such lowering")

        runner._forward = fails
        runner.plan = GpuPlan("no graph", "")

    plain, expected = trained(lambda runner: None)
    with pytest.warns(UserWarning, match="not compiled"):
        found, weights = trained(broken)
    assert found == plain
    assert all(torch.equal(value, weights[name]) for name, value in expected.items())


def fake_gpu(spectra: DeviceSpectra) -> DeviceSpectra:
    spectra.device = torch.device("cuda")
    return spectra


def test_what_is_declared_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(gpu_plan.PLAIN, raising=False)
    network, data = problem()
    settings = TrainSettings()
    assert plan_for(network, data.examples, settings) == NO_GPU
    on_gpu = fake_gpu(DeviceSpectra(np.zeros((2, 3), dtype=np.float32), CPU))
    assert plan_for(network, on_gpu, settings).graph == ""
    assert "does not declare" in plan_for(network, on_gpu, settings).compiled
    assert "term" in plan_for(network, on_gpu, settings, has_term=True).graph
    rmsprop = TrainSettings(optimizer="rmsprop")
    assert "rmsprop" in plan_for(network, on_gpu, rmsprop).graph
    assert "does not declare" in plan_for(nn.Linear(2, 2), on_gpu, settings).graph
    images = SimpleNamespace(device=torch.device("cuda"))
    assert "not spectra" in plan_for(network, images, settings).graph  # type: ignore[arg-type]
    monkeypatch.setenv(gpu_plan.PLAIN, "1")
    assert plan_for(network, on_gpu, settings) == GpuPlan(*["CORESPOT_PLAIN_GPU is set"] * 2)


def test_a_step_size_on_the_device_follows_the_schedule() -> None:
    network, _ = problem()
    settings = TrainSettings(schedule="cosine", epochs=10, learning_rate=0.5)
    optimizer = make_optimizer(network, settings)
    optimizer.param_groups[0]["lr"] = torch.tensor(0.0)
    for epoch in range(10):
        set_rate(optimizer, settings, epoch)
        assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(
            optimizer.param_groups[1]["lr"]
        )
    assert isinstance(optimizer.param_groups[0]["lr"], Tensor)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["isotopenet", "residualnet"])
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_recorded_and_compiled_training_on_a_gpu(
    name: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    from corespot.train.estimator import make_estimator

    rng = np.random.default_rng(0)
    y = np.arange(256) % 2
    x = rng.gamma(1.0, size=(256, 600)).astype(np.float16)
    x[y == 1, 50:70] += 2
    # Without dropout: its random numbers are drawn in another order.
    settings = {"epochs": 20, "batch_size": 60, "precision": precision, "learning_rate": 1e-3}
    settings |= {"dropout": 0.0} if name == "isotopenet" else {}
    made = []
    for plain in ("1", ""):
        monkeypatch.setenv("CORESPOT_PLAIN_GPU", plain)
        made.append(make_estimator(name, settings, seed=1, device="cuda").fit(x, y))
    assert made[1].facts_["gpu_steps"] == "recorded as CUDA graphs"
    first = [model.history_[0]["train_loss"] for model in made]
    assert first[1] == pytest.approx(first[0], rel=0.05)
    assert (made[1].predict(x) == y).mean() > 0.95


@pytest.mark.gpu
def test_an_epoch_does_not_wait_for_the_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    network, data = problem()
    gpu = torch.device("cuda")
    network.to(gpu)
    x = np.random.default_rng(0).random((64, 90), dtype=np.float32)
    held = Labelled(DeviceSpectra(x, gpu), data.y.to(gpu), 2, data.train, data.validation)
    optimizer = make_optimizer(network, TrainSettings())
    weights = class_weights(held.y, 2)
    runner = EpochRunner(network, held, optimizer, weights, bf16=True)
    batches = np.array_split(np.arange(64), 4)
    runner.run(batches, iter([None] * 4))
    index, y = torch.arange(16, device=gpu), held.y[:16]
    torch.cuda.set_sync_debug_mode("error")
    try:
        runner._learn(index, y)
    finally:
        torch.cuda.set_sync_debug_mode("default")
