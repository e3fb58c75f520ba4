"""Several spectra as they were read: values one after the other, cut where they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, overload

import numpy as np
import numpy.typing as npt

#: m/z values and intensities of one spectrum, shape (n_points,) each.
RawSpectrum = tuple[npt.NDArray[np.float64], npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class SpectraBlock(Sequence[RawSpectrum]):
    """A sequence of spectra that holds two vectors instead of two a spectrum.

    Parameters
    ----------
    mz : ndarray of float64, shape (n_values,) or (n_bins,)
        m/z values of all spectra, read-only; or those that all share.
    intensity : ndarray, shape (n_values,)
        Intensities of all spectra in the number type they are stored in.
    bounds : ndarray of int64, shape (n_spectra + 1,)
        Spectrum i has the values from ``bounds[i]`` to ``bounds[i + 1]``.
    shares_mz : bool
        Whether `mz` belongs to each of the spectra.
    """

    mz: npt.NDArray[np.float64]
    intensity: npt.NDArray[Any]
    bounds: npt.NDArray[np.int64]
    shares_mz: bool

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @overload
    def __getitem__(self, i: int) -> RawSpectrum: ...

    @overload
    def __getitem__(self, i: slice) -> list[RawSpectrum]: ...

    def __getitem__(self, i: int | slice) -> RawSpectrum | list[RawSpectrum]:
        """One spectrum, or several; views of the vectors."""
        if isinstance(i, slice):
            return [self[k] for k in range(len(self))[i]]
        k = range(len(self))[i]
        return self._cut(int(self.bounds[k]), int(self.bounds[k + 1]))

    def __iter__(self) -> Iterator[RawSpectrum]:
        for start, stop in pairwise(self.bounds.tolist()):
            yield self._cut(start, stop)

    def _cut(self, start: int, stop: int) -> RawSpectrum:
        mz = self.mz if self.shares_mz else self.mz[start:stop]
        return mz, self.intensity[start:stop]
