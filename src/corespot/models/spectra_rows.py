"""Some rows of a memory-mapped store, read when they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


class SpectraRows:
    """Rows of stored spectra that act as a float32 matrix without being in memory.

    Every access gives the numbers that reading all rows at once would give.

    Parameters
    ----------
    stored : ndarray, shape (n_stored, n_bins)
        Spectra in the number type of their store: a memory map, or what computes its rows.
    rows : ndarray of int64, shape (n_spots,)
        Rows that are meant, in this order.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, stored: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> None:
        self.stored, self.rows = stored, np.asarray(rows, dtype=np.int64)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows meant, and bins."""
        return len(self.rows), int(self.stored.shape[1])

    @property
    def size(self) -> int:
        """Number of values."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: slice | npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        chosen = self.stored[self.rows[which]]
        if chosen.dtype == np.float16:
            import torch  # here, since a store is opened by commands that need none of it

            # Nine times as fast as numpy's own cast, and as exact.
            cast: npt.NDArray[np.float32] = torch.from_numpy(np.asarray(chosen)).float().numpy()
            return cast
        return np.asarray(chosen, dtype=np.float32)

    def __array__(
        self, dtype: npt.DTypeLike | None = None, copy: bool | None = None
    ) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError("rows of a store are not in memory: they cannot be had uncopied")
        return np.asarray(self[:], dtype=dtype)

    def take(self, rows: npt.NDArray[np.int64]) -> SpectraRows:
        """Some of these rows, still not in memory."""
        return SpectraRows(self.stored, self.rows[rows])


def stored_rows(
    x: npt.NDArray[np.floating] | SpectraRows, rows: npt.NDArray[np.int64] | None = None
) -> tuple[npt.NDArray[np.floating] | SpectraRows, npt.NDArray[np.int64] | None]:
    """An array in memory or mapped, and its rows that are meant (`None`: all of them).

    Rows that are computed as they are read stay what they are.

    For what can pick rows and bins itself, instead of being given copies of whole spectra.

    Parameters
    ----------
    x : ndarray or SpectraRows, shape (n_spots, n_bins)
        Spectra.
    rows : ndarray of int64, optional
        Rows of `x` that are meant; all by default.
    """
    if not isinstance(x, SpectraRows) or not isinstance(x.stored, np.ndarray):
        return x, rows
    return x.stored, x.rows if rows is None else x.rows[rows]
