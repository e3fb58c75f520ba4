"""Rows of a block as compiled kernels take them, and how many of them a call is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.threads import n_threads, over_rows

#: Values that one call of a kernel works on, where there are rows enough: they stay in the cache.
CALL_VALUES = 2**18
#: Rows a call are a multiple of this, since some kernels work on so many at a time.
CALL_ROWS = 4


def for_kernel(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values as the one kind of input that kernels are compiled for.

    Contiguous and read-only; float32, or float64 where float32 does not hold them.
    """
    flags = values.flags
    if values.dtype not in (np.float32, np.float64) or not (flags.c_contiguous and flags.aligned):
        dtype = np.dtype(np.float32 if values.dtype == np.float32 else np.float64)
        values = np.require(values, dtype, ["C_CONTIGUOUS", "ALIGNED"])
    if values.flags.writeable:
        values = values.view()
        values.flags.writeable = False
    return values


def rows_a_call(n_rows: int, n_bins: int) -> int:
    """Rows for one call of a kernel: few enough for every core to get some."""
    if n_rows <= CALL_ROWS:
        return CALL_ROWS  # not worth asking how many cores there are
    rows = max(1, min(CALL_VALUES // max(n_bins, 1), -(-n_rows // n_threads())))
    return -(-rows // CALL_ROWS) * CALL_ROWS


def each_row(
    kernel: Callable[[slice], object], spectra: npt.NDArray[Any], *, rows: int | None = None
) -> None:
    """Call `kernel` on slices of the rows of `spectra`, side by side on every core.

    Parameters
    ----------
    kernel : callable
        Given a slice; each row's result depends on that row only.
    spectra : ndarray, shape (n, n_bins)
        The block.
    rows : int, optional
        Rows a call, instead of `rows_a_call`.
    """
    n_rows, n_bins = spectra.shape
    if n_rows <= CALL_ROWS:
        kernel(slice(0, n_rows))
        return
    over_rows(kernel, n_rows, chunk=rows or rows_a_call(n_rows, n_bins))
