"""Compiles a kernel with numba, keeping the machine code between runs where it can be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """Compile `kernel` on its first call, without holding the interpreter's lock while it runs.

    The machine code is kept beside the source, or in the user's cache folder. Where neither can
    be written (a system-wide installation used without a home), it is compiled once a process.

    Parameters
    ----------
    kernel : callable
        Plain arrays and numbers in and out.
    """
    return _kept(kernel)


def compiled_freely(kernel: Kernel) -> Kernel:
    """`compiled`, but vector units may add up sums in an order of their own and fuse products.

    For arithmetic on float32 that has no order to keep. On one machine the order is always the
    same; infinity and what is not a number keep their meaning.

    Parameters
    ----------
    kernel : callable
        Plain arrays and numbers in and out.
    """
    return _kept(kernel, fastmath={"contract", "reassoc", "nsz"})


def _kept(kernel: Kernel, **options: Any) -> Kernel:
    try:
        return cast("Kernel", njit(cache=True, nogil=True, **options)(kernel))
    except RuntimeError:  # numba: "no locator available", when the kernel is decorated
        return cast("Kernel", njit(nogil=True, **options)(kernel))
