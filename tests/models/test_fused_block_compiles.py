"""Triton compiles the fused block's kernels for GPUs that are not there, within their means."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None, reason="triton is not installed"
    ),
    pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") == "1", reason="kernels are interpreted"),
    pytest.mark.slow,
]

#: Arguments that are tensors of spectra, in the type that is stored; all other tensors are float32.
STORED = {"b", "g", "d", "y"}
INPUT = {"x", "dx"}
NUMBERS = {"length", "out_length"}

#: Shared memory that any GPU of the generations served grants a program, in bytes.
LEAST_SHARED = 99 * 1024

KERNELS = (
    "first_moments",
    "second_convolution",
    "finish",
    "second_sums",
    "through_second",
    "through_first",
)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("types", [("fp32", "fp32"), ("fp32", "bf16"), ("bf16", "bf16")])
def test_it_compiles(name: str, types: tuple[str, str]) -> None:
    import triton
    from triton.backends.compiler import GPUTarget

    from corespot.models import fused_block, fused_block_kernel

    kernel = getattr(fused_block_kernel, name)
    first = types == ("fp32", "bf16")  # the spectra themselves, of one channel
    chosen: dict[str, Any] = {
        "IN": 1 if first else 8,
        "OUT": 8,
        "STRIDE": 1 if first else 5,
        "IDENTITY": False,
        "WANTS_INPUT": not first,
        "TILE": fused_block._TILE,
        "STEPS": fused_block._STEPS,
        "PRECISION": "tf32x3" if types[1] == "fp32" else "tf32",
    }
    signature, constants = {}, {}
    for place, argument in enumerate(kernel.arg_names):
        if argument.isupper():
            signature[argument], constants[(place,)] = "constexpr", chosen[argument]
        elif argument in NUMBERS:
            signature[argument] = "i32"
        else:
            kind = types[0] if argument in INPUT else types[1] if argument in STORED else "fp32"
            signature[argument] = f"*{kind}"
    source = triton.compiler.ASTSource(fn=kernel, signature=signature, constexprs=constants)
    for capability in (80, 90):
        made = triton.compile(
            source, target=GPUTarget("cuda", capability, 32), options=dict(fused_block._LAUNCH)
        )
        assert made.asm["cubin"]
        assert made.metadata.shared <= LEAST_SHARED
