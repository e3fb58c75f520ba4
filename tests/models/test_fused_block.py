"""The residual block fused for GPUs gives what the plain layers give, in Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HAS_TRITON = importlib.util.find_spec("triton") is not None
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

#: Channels in, channels out, stride, length: the four blocks of the network and odd ones.
SHAPES = [
    (1, 8, 1, 70),  # three programs of two tiles, the last one half empty
    (8, 8, 5, 66),
    (8, 8, 1, 33),
    (8, 1, 3, 32),
    (3, 5, 2, 17),
    (2, 2, 1, 3),
]


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    if INTERPRETED:
        monkeypatch.setattr("corespot.models.fused_block._TILE", 16)
        monkeypatch.setattr("corespot.models.fused_block._STEPS", 2)


interpreter = pytest.mark.skipif(
    not (HAS_TRITON and INTERPRETED), reason="needs triton and TRITON_INTERPRET=1"
)


@pytest.mark.skipif(not HAS_TRITON, reason="triton is not installed")
@pytest.mark.skipif(INTERPRETED, reason="is the process that this test would start")
@pytest.mark.skipif(torch.cuda.is_available(), reason="the GPU itself is tested")
def test_the_kernels_in_the_interpreter() -> None:
    # Triton reads the variable when it is imported: a process of its own.
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__))],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4000:]


def both(shape, *, device="cpu", n=2, seed=0, wants_input=True, dtype=torch.float32):
    """Outputs, gradients and running statistics of the plain block (float64) and the fused one."""
    from corespot.models.fused_block import fused_block
    from corespot.models.isotopenet import IsotopeBlock

    n_in, n_out, stride, length = shape
    torch.manual_seed(seed)
    block = IsotopeBlock(n_in, n_out, stride)
    for norm in (block.norm1, block.norm2):
        torch.nn.init.uniform_(norm.weight, -1.0, 2.0)
        torch.nn.init.normal_(norm.bias)
    x = torch.randn(n, n_in, length) + 0.3
    seen = torch.randn(n, n_out, (length - 1) // stride + 1)
    found = []
    for kind in ("plain", "fused"):
        exact = torch.float64 if kind == "plain" else torch.float32
        made = IsotopeBlock(n_in, n_out, stride)
        made.load_state_dict(block.state_dict())
        made.to(device=device, dtype=exact).train()
        given = x.to(device=device, dtype=exact if kind == "plain" else dtype)
        given.requires_grad_(wants_input)
        if kind == "plain":
            y = plain(made, given)
        else:
            shortcut = getattr(made.shortcut, "weight", None)
            w1, w2 = made.conv1.weight, made.conv2.weight
            with torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
                y = fused_block(given, w1, w2, shortcut, made.norm1, made.norm2, stride)
        (y * seen.to(y)).sum().backward()
        values = {"y": y, "x": given.grad}
        values |= {name: p.grad for name, p in made.named_parameters()}
        values |= dict(made.named_buffers())
        found.append(values)
    return found


def plain(block, x):
    """The block layer by layer, with PyTorch's own convolutions."""
    from torch.nn import functional as f

    h = block.norm1(f.conv1d(f.relu(x), block.conv1.weight, padding=1))
    h = block.norm2(f.conv1d(f.relu(h), block.conv2.weight, stride=block.conv2.stride, padding=1))
    if isinstance(block.shortcut, torch.nn.Identity):
        return h + x
    return h + f.conv1d(x, block.shortcut.weight, stride=block.conv2.stride)


def compare(plain, fused, tolerance) -> None:
    assert plain.keys() == fused.keys()
    for name, expected in plain.items():
        if expected is None:
            assert fused[name] is None, name
            continue
        scale = expected.detach().double().abs().max().clamp(min=1e-3).item()
        error = (fused[name].detach().double() - expected.detach().double()).abs().max().item()
        assert error <= tolerance * scale, f"{name}: {error:g} of {scale:g}"


@interpreter
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outputs_gradients_and_statistics_are_those_of_the_layers(shape) -> None:
    compare(*both(shape), 2e-5)


@interpreter
def test_without_a_gradient_of_the_input() -> None:
    compare(*both((1, 8, 1, 70), wants_input=False), 2e-5)


@interpreter
def test_a_large_mean_does_not_swallow_the_variance() -> None:
    from corespot.models.fused_block import _first_moments, _Shape

    x = 1000.0 + torch.rand(2, 1, 70)
    w1 = torch.tensor([[[0.0, 1.0, 0.0]]])
    shape = _Shape(2, 1, 1, 70, 70, 1, True, torch.float32)
    mean, variance = _first_moments(shape, x, w1)
    assert mean.item() == pytest.approx(x.double().mean().item(), rel=1e-6)
    assert variance.item() == pytest.approx(x.double().var(correction=0).item(), rel=1e-3)


@interpreter
def test_two_runs_give_the_same_numbers() -> None:
    first, second = (both((8, 8, 5, 66))[1] for _ in range(2))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@interpreter
def test_bfloat16_under_autocast() -> None:
    plain, fused = both((8, 8, 5, 66), dtype=torch.bfloat16)
    assert fused["y"].dtype == fused["x"].dtype == torch.bfloat16
    assert fused["conv1.weight"].dtype == torch.float32
    # What is stored has eight bits, and so a rectifier flips here and there.
    compare(plain, fused, 0.05)


def test_off_a_gpu_the_layers_are_used() -> None:
    from corespot.models.fused_block import is_fused
    from corespot.models.layers import batch_norm

    assert not is_fused(torch.zeros(4, 1, 30), torch.zeros(8, 1, 3), batch_norm(8), batch_norm(8))


@pytest.mark.gpu
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("n", [3, 64])
def test_on_a_gpu(shape, n) -> None:
    if not (torch.cuda.is_available() and HAS_TRITON):
        pytest.skip("no GPU, or no triton")
    compare(*both(shape, device="cuda", n=n), 1e-4)


@pytest.mark.gpu
def test_the_network_on_a_gpu_is_the_same_fused_or_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (torch.cuda.is_available() and HAS_TRITON):
        pytest.skip("no GPU, or no triton")
    from corespot.models.registry import build

    torch.manual_seed(0)
    network = build("isotopenet", {"dropout": 0.0}, 1000, 2).to("cuda").train()
    x = torch.rand(32, 1000, device="cuda")
    slopes = []
    for chosen in ("", "1"):
        monkeypatch.setenv("CORESPOT_PLAIN_GPU", chosen)
        network.zero_grad()
        network(x)[:, 0].sum().backward()
        slopes.append([p.grad.clone() for p in network.parameters()])
    for fused, layers in zip(*slopes, strict=True):
        torch.testing.assert_close(fused, layers, rtol=1e-3, atol=1e-4)
