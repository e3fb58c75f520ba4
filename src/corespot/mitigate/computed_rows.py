"""Spectra that are corrected or changed as they are read, so that no copy of a cohort is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from corespot.mitigate.way import Change, Spectra
from corespot.models.spectra_rows import SpectraRows

Rows = npt.NDArray[np.int64]

#: Rows of a store are brought into memory to be changed up to this size, in float32; they are then
#: changed once. Larger ones are changed whenever they are read.
_HELD_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class ComputedSpectra:
    """Acts as the array of a store; its rows are computed.

    Parameters
    ----------
    compute : callable
        Gives the spectra of some rows, float32, (n, n_bins).
    shape : tuple of int
        Spots and bins.
    """

    compute: Callable[[Rows], npt.NDArray[np.float32]]
    shape: tuple[int, int]

    dtype = np.dtype(np.float32)
    ndim = 2

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Rows) -> npt.NDArray[np.float32]:
        return self.compute(rows)

    def rows(self, rows: Rows) -> SpectraRows:
        """Some of them, still to be computed."""
        return SpectraRows(cast(npt.NDArray[Any], self), rows)


def changed_by(change: Change, x: Spectra) -> Spectra:
    """Spectra as a change makes them; many rows of a store are changed when they are read.

    Parameters
    ----------
    change : Change
        A fitted change of single spectra.
    x : ndarray or SpectraRows, shape (n_spots, n_bins)
        Spectra as they were.
    """
    if not isinstance(x, SpectraRows):
        return change.transform(x)
    if x.size * x.dtype.itemsize <= _HELD_BYTES:
        return change.transform(x[:])
    computed = ComputedSpectra(
        lambda rows: np.asarray(change.transform(x[rows]), dtype=np.float32), x.shape
    )
    return cast(Spectra, computed.rows(np.arange(len(x), dtype=np.int64)))
