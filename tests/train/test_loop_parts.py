"""Pieces of training: penalty, class weights, memory, device data, allocator."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from corespot.errors import ModelError
from corespot.models.registry import build
from corespot.train import allocator
from corespot.train.data import DeviceSpectra, choose_device, root_mean_square
from corespot.train.loop import (
    TrainSettings,
    balanced_accuracy,
    class_weights,
    make_optimizer,
)

CPU = torch.device("cpu")


def test_the_penalty_covers_weights_and_scales_but_no_offsets() -> None:
    network = build("isotopenet", {}, 200, 2)
    decay = 0.05
    optimizer = make_optimizer(network, TrainSettings(weight_decay=decay))
    by_id = {id(p): name for name, p in network.named_parameters()}
    decayed, offsets = ({by_id[id(p)] for p in group["params"]} for group in optimizer.param_groups)
    assert decayed | offsets == set(by_id.values())
    assert all(name.endswith("bias") for name in offsets)
    assert "blocks.0.norm1.weight" in decayed
    assert "local.weight" in decayed
    # λ‖θ‖² has the gradient 2λθ.
    assert optimizer.param_groups[0]["weight_decay"] == 2 * decay
    assert optimizer.param_groups[1]["weight_decay"] == 0


def test_one_step_equals_adam_on_the_penalised_loss() -> None:
    theta = torch.nn.Linear(3, 2).double()
    expected = torch.nn.Linear(3, 2).double()
    expected.load_state_dict(theta.state_dict())
    x = torch.rand(5, 3, dtype=torch.float64)
    optimizer = make_optimizer(theta, TrainSettings(weight_decay=0.3, learning_rate=0.1))
    plain = torch.optim.Adam(expected.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        theta(x).square().sum().backward()
        optimizer.step()
        plain.zero_grad()
        (expected(x).square().sum() + 0.3 * expected.weight.square().sum()).backward()
        plain.step()
    torch.testing.assert_close(theta.weight, expected.weight)
    torch.testing.assert_close(theta.bias, expected.bias)


def test_class_weights_are_n_over_k_n_c() -> None:
    y = torch.tensor([0, 0, 0, 1])
    torch.testing.assert_close(class_weights(y, 2), torch.tensor([4 / 6, 4 / 2]))
    assert class_weights(y, 3)[2] == 0


def test_balanced_accuracy_ignores_absent_classes() -> None:
    assert balanced_accuracy(np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]])) == pytest.approx(0.625)


@pytest.mark.parametrize("resident", [True, False])
def test_batches_are_the_scaled_rows(resident: bool) -> None:
    x = np.random.default_rng(0).random((11, 7), dtype=np.float32)
    before = x.copy()
    spectra = DeviceSpectra(x, CPU, scale=3.0, resident=resident)
    assert spectra.resident is resident
    rows = np.array([7, 2, 2, 10])
    np.testing.assert_array_equal(spectra.batch(rows).numpy(), x[rows] * np.float32(3))
    parts = list(spectra.batches(4))
    assert [part for part, _ in parts] == [slice(0, 4), slice(4, 8), slice(8, 11)]
    whole = np.concatenate([batch.numpy() for _, batch in parts])
    np.testing.assert_array_equal(whole, x * np.float32(3))
    np.testing.assert_array_equal(x, before)


def test_spectra_that_do_not_fit_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corespot.train.data._SHARE", 0.0)
    x = np.random.default_rng(0).random((11, 7))
    assert not DeviceSpectra(x, CPU).resident
    assert DeviceSpectra(x.astype(np.float32), CPU).resident  # in memory already


def test_root_mean_square_is_summed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.full((10, 4), 2e-5, dtype=np.float32)
    monkeypatch.setattr("corespot.train.data._BLOCK_VALUES", 12)
    assert root_mean_square(x) == pytest.approx(2e-5)


def test_a_missing_gpu_is_said_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert choose_device(None) == choose_device("auto") == CPU
    with pytest.raises(ModelError, match="finds no GPU"):
        choose_device("cuda")


def test_the_allocator_respects_the_users_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    allocator.keep_freed_memory.cache_clear()
    monkeypatch.setenv("CORESPOT_DEFAULT_MALLOC", "1")
    assert allocator.keep_freed_memory() is False
    allocator.keep_freed_memory.cache_clear()
    monkeypatch.delenv("CORESPOT_DEFAULT_MALLOC")
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert allocator.keep_freed_memory() is False
    allocator.keep_freed_memory.cache_clear()
