"""Keep glibc from handing every activation back to the kernel: much of CPU training time."""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import suppress
from functools import cache

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_TOP_PAD_BYTES = 64 * 2**20
_TRIM_BYTES = 2**31 - 1
_OFF = "CORESPOT_DEFAULT_MALLOC"


def give_memory_back() -> None:
    """Return what glibc keeps in store to the kernel, e.g. between two trials of a study."""
    if platform.libc_ver()[0] != "glibc":
        return
    # Where there is no such function, nothing was kept either.
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@cache
def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed blocks instead of returning them; once a process.

    By default glibc maps every block above 32 MB afresh and the kernel zeroes its pages at first
    touch; a training step frees and asks for the same blocks again and again. The process then
    keeps its peak memory until it ends.

    Returns
    -------
    bool
        Whether it was done: only on Linux with glibc, and not if the environment sets
        ``CORESPOT_DEFAULT_MALLOC`` or any ``MALLOC_`` variable of its own.
    """
    chosen_by_user = _OFF in os.environ or any(n.startswith("MALLOC_") for n in os.environ)
    if chosen_by_user or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _TRIM_BYTES), (_M_TOP_PAD, _TOP_PAD_BYTES))
    return all(mallopt(option, value) == 1 for option, value in wanted)
