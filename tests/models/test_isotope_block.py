"""The compiled block of IsotopeNet against PyTorch's own operations."""

from __future__ import annotations

import copy
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from corespot.models import isotope_block, isotope_passes, registry
from corespot.models.isotopenet import IsotopeBlock
from corespot.models.layers import Convolution

#: The four blocks of the network, and shapes it has not: another stride, odd channels.
SHAPES = [(1, 8, 1), (8, 8, 5), (8, 8, 1), (8, 1, 3), (3, 5, 2), (5, 5, 1), (2, 3, 4)]
#: Around the size of a tile, and shorter than the kernel.
LENGTHS = [1, 2, 3, 16, 97, 480, 481, 1003]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-3}


def block(n_in: int, n_out: int, stride: int, dtype: torch.dtype = torch.float64) -> IsotopeBlock:
    torch.manual_seed(n_in + 10 * stride)
    made = IsotopeBlock(n_in, n_out, stride).to(dtype)
    for norm in (made.norm1, made.norm2):
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    return made


def compiled(made: IsotopeBlock, x: Tensor) -> Tensor:
    around = made.shortcut.weight if isinstance(made.shortcut, Convolution) else None
    return isotope_block.compiled_block(
        x, made.conv1.weight, made.conv2.weight, around, made.norm1, made.norm2, made.conv2.stride
    )


def compare(a: IsotopeBlock, x: Tensor, *, by_x: bool) -> None:
    """Output, gradients and running statistics of the compiled block and of PyTorch's."""
    tolerance = TOLERANCE[x.dtype]
    b, xa = copy.deepcopy(a), x.clone().requires_grad_(by_x)
    xb = x.clone().requires_grad_(by_x)
    # Three-dimensional input shorter than `_SHORT` takes PyTorch's operations.
    ya, yb = a(xa), compiled(b, xb)
    slope = torch.from_numpy(np.random.default_rng(1).normal(size=ya.shape)).to(x.dtype)
    ya.backward(slope)
    yb.backward(slope)
    pairs = [("y", ya, yb)] + ([("x", xa.grad, xb.grad)] if by_x else [])
    pairs += [
        (name, p.grad, q.grad)
        for (name, p), q in zip(a.named_parameters(), b.parameters(), strict=True)
    ]
    pairs += [(name, p, q) for (name, p), q in zip(a.named_buffers(), b.buffers(), strict=True)]
    for name, expected, found in pairs:
        assert expected is not None
        assert found is not None
        scale = max(1.0, float(expected.detach().abs().max()))
        torch.testing.assert_close(
            found, expected, rtol=0, atol=tolerance * scale, equal_nan=True, msg=f"{name} differs"
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("by_x", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_output_gradients_and_statistics_are_pytorchs(
    shape: tuple[int, int, int],
    training: bool,
    by_x: bool,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isotope_block, "_SHORT", 10_000)
    for length in LENGTHS:
        made = block(*shape, dtype).train(training)
        x = torch.randn(3, shape[0], length, dtype=torch.float64).to(dtype)
        compare(made, x, by_x=by_x)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["zeros", "negative", "one spike", "large mean", "nan"])
def test_nasty_input(kind: str, training: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isotope_block, "_SHORT", 10_000)
    torch.manual_seed(2)
    for dtype in (torch.float64, torch.float32):
        x = torch.zeros(3, 8, 700, dtype=dtype)
        if kind == "negative":
            x -= 1.0
        elif kind == "one spike":
            x[1, 2, 480] = 1e4
        elif kind == "large mean":
            x += 100.0 + torch.randn(3, 8, 700, dtype=torch.float64).to(dtype)
        elif kind == "nan":
            x[0, 0, 5] = torch.nan
        compare(block(8, 8, 5, dtype).train(training), x, by_x=True)


@pytest.mark.parametrize("shape", [(1, 8, 1), (8, 8, 5), (2, 2, 1)])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_those_of_finite_differences(
    shape: tuple[int, int, int], training: bool
) -> None:
    made = block(*shape).train(training)
    x = torch.randn(2, shape[0], 7, dtype=torch.float64, requires_grad=True)
    inputs = (x, *made.parameters())
    names = [name for name, _ in made.named_parameters()]

    def of(x: Tensor, *params: Tensor) -> Tensor:
        given = dict(zip(names, params, strict=True))
        copied = copy.deepcopy(made)
        for name, value in given.items():
            place, _, kind = name.rpartition(".")
            module = copied.get_submodule(place)
            delattr(module, kind)
            setattr(module, kind, value)
        return compiled(copied, x)

    assert torch.autograd.gradcheck(of, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(of, inputs, atol=1e-4, fast_mode=True)


def test_a_block_that_does_nothing_doubles_what_is_positive() -> None:
    made = block(1, 1, 1).eval()
    with torch.no_grad():
        for conv in (made.conv1, made.conv2):
            conv.weight.zero_()[0, 0, 1] = 1.0
        for norm in (made.norm1, made.norm2):
            norm.weight.fill_(1.0)
            norm.bias.zero_()
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)
    x = torch.tensor([[[-2.0, 0.0, 1.0, 3.5]]], dtype=torch.float64, requires_grad=True)
    y = compiled(made.requires_grad_(False), x)
    torch.testing.assert_close(y[0, 0], torch.tensor([-2.0, 0.0, 2.0, 7.0], dtype=torch.float64))
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert slope[0, 0].tolist() == pytest.approx([1.0, 1.0, 2.0, 2.0])


@pytest.mark.parametrize("training", [True, False])
def test_threads_change_nothing(training: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isotope_passes, "_SMALL", 0)
    network = registry.build("isotopenet", {"dropout": 0.0}, 2000, 2).train(training)
    x = torch.rand(13, 2000)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            # In evaluation PyTorch computes the gradients of parameters, if they are wanted.
            own = copy.deepcopy(network).blocks[:2].requires_grad_(training)
            at = x.unsqueeze(1).clone().requires_grad_()
            y = own(at)
            y.square().sum().backward()
            state = [value.clone() for value in own.state_dict().values()]
            slopes = [p.grad for p in own.parameters() if training]
            found.append([y.detach(), at.grad, *slopes, *state])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert torch.equal(a, b)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(6)), st.integers(1, 6))
def test_a_spectrum_is_computed_alike_in_every_batch(order: list[int], n: int) -> None:
    blocks = registry.build("isotopenet", {}, 8000, 2).eval().blocks
    x = torch.rand(6, 1, 8000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(blocks(x[order[:n]]), blocks(x)[order[:n]])


def test_without_a_graph_the_numbers_are_the_same() -> None:
    made = block(1, 8, 1, torch.float32)
    x = torch.rand(2, 1, 900)
    with torch.no_grad():
        silent = copy.deepcopy(made)(x)
    assert torch.equal(silent, made(x))


def test_it_falls_back_where_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    made = block(8, 8, 5)
    x = torch.randn(2, 8, 1003, dtype=torch.float64)
    expected = compiled(block(8, 8, 5), x)
    # None makes an import raise ImportError, as where numba is missing.
    monkeypatch.setitem(sys.modules, "corespot.models.isotope_block_kernel", None)
    monkeypatch.delattr("corespot.models.isotope_block_kernel", raising=False)
    isotope_block.kernels.cache_clear()
    try:
        assert not isotope_block.is_served(x, made.conv1.weight, made.norm1, made.norm2)
        torch.testing.assert_close(made(x), expected)
    finally:
        isotope_block.kernels.cache_clear()


def test_a_fit_tells_who_computed_its_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    network = registry.build("isotopenet", {}, 2000, 2)
    assert network.found == {"blocks_computed_by": "compiled passes"}
    assert registry.build("isotopenet", {}, 200, 2).found == {"blocks_computed_by": "PyTorch"}
    assert network.to("meta").found == {"blocks_computed_by": "PyTorch"}
    monkeypatch.setattr(isotope_block, "kernels", lambda: None)
    again = registry.build("isotopenet", {}, 2000, 2)
    assert again.found == {"blocks_computed_by": "PyTorch"}


def test_what_the_compiled_passes_are_not_for() -> None:
    made = block(8, 8, 5, torch.float32)
    x = torch.randn(2, 8, 1003)
    asked = (made.conv1.weight, made.norm1, made.norm2)
    assert isotope_block.is_served(x, *asked)
    assert not isotope_block.is_served(x[:, :, :300], *asked)
    assert not isotope_block.is_served(x[:0], *asked)
    assert not isotope_block.is_served(x.double(), *asked)
    assert not isotope_block.is_served(x.bfloat16(), *asked)
    assert not isotope_block.is_served(x.to("meta"), *asked)
    with torch.autocast("cpu", torch.bfloat16):
        assert not isotope_block.is_served(x, *asked)
    made.norm2.eval()
    assert not isotope_block.is_served(x, *asked)
