"""Adds up quality figures while spectra stream by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.io.imzml_block import RawSpectrum
from corespot.preprocess.noise import noise_level
from corespot.preprocess.normalize import total_ion_count
from corespot.preprocess.quality import QcTables, summarise_tmas
from corespot.preprocess.recipe import Recipe
from corespot.preprocess.resample import Resample
from corespot.preprocess.rows import each_row
from corespot.preprocess.step import DataKind, Spectra, Step
from corespot.threads import n_threads, over_rows


class QualityTally:
    """Running figures per spot and sums per TMA; memory grows with TMAs and axes, not with spots.

    Parameters
    ----------
    tmas : ndarray of str, shape (n_spots,)
        TMA of every row of the store.
    axis : MzAxis
        The store's axis.
    kind : {"profile", "centroid"}
        What the raw spectra are.
    recipe : Recipe
        The resolved recipe; its step onto the store's axis brings the raw means there.
    """

    def __init__(
        self, tmas: npt.NDArray[Any], axis: MzAxis, kind: DataKind, recipe: Recipe
    ) -> None:
        self._tmas = tmas
        self._axis = axis
        self._kind = kind
        self._onto = next(
            (step for step in recipe.steps if step.step == "resample" or _listed(step)),
            Resample().resolved(kind),
        )
        self._axes: dict[bytes, MzAxis] = {}
        self._latest: tuple[npt.NDArray[np.float64], MzAxis] | None = None
        self._raw: dict[tuple[str, MzAxis], npt.NDArray[np.float64]] = {}
        self._done: dict[str, npt.NDArray[np.float64]] = {}
        n = len(tmas)
        self._tic, self._noise, self._zeros = np.zeros(n), np.zeros(n), np.ones(n)
        #: Rows without any intensity, shape (n_spots,).
        self.empty = np.ones(n, dtype=bool)

    def raw_axis(self, mz: npt.NDArray[np.float64]) -> MzAxis:
        """The axis object of a file's m/z vector, made once for each different vector."""
        # Blocks of one file bring the same vector; it is read-only, so nothing is compared again.
        if self._latest is None or self._latest[0] is not mz or mz.flags.writeable:
            self._latest = mz, self._axis_of(mz)
        return self._latest[1]

    def _axis_of(self, mz: npt.NDArray[np.float64]) -> MzAxis:
        if np.array_equal(mz, self._axis.mz):
            return self._axis
        key = mz.tobytes()
        if key not in self._axes:
            self._axes[key] = MzAxis(mz)
        return self._axes[key]

    def add_block(
        self, rows: slice, raw: Spectra, mz: npt.NDArray[np.float64], done: Spectra
    ) -> None:
        """Count a block of spectra of a continuous file."""
        axis = self.raw_axis(mz)
        self._tic[rows] = total_ion_count(raw)
        self._noise[rows] = noise_level(raw) if self._kind == "profile" else 0.0
        self._zeros[rows] = _zero_fraction(done)
        self.empty[rows] = self._tic[rows] == 0
        for name in np.unique(self._tmas[rows]):
            here = np.flatnonzero(self._tmas[rows] == name)
            self._raw_total(str(name), axis)[:] += _sum_of(raw, here)
            self._done_total(str(name))[:] += _sum_of(done, here)

    def add_spectra(self, rows: slice, spectra: Sequence[RawSpectrum], done: Spectra) -> None:
        """Count spectra of a processed file, each with its own m/z values and intensities."""
        moved = np.zeros_like(done)

        def look(part: slice) -> None:
            for i in range(part.start, part.stop):
                self._look(rows.start + i, *spectra[i], moved[i])

        over_rows(look, len(spectra), chunk=-(-len(spectra) // n_threads()))
        self._zeros[rows] = _zero_fraction(done)
        for name in np.unique(self._tmas[rows]):
            here = np.flatnonzero(self._tmas[rows] == name)
            _add_rows(moved, here, self._raw_total(str(name), self._axis))
            _add_rows(done, here, self._done_total(str(name)))

    def _look(
        self,
        row: int,
        mz: npt.NDArray[np.float64],
        intensity: npt.NDArray[Any],
        moved: npt.NDArray[np.float32],
    ) -> None:
        """Figures of one raw spectrum, and the spectrum itself on the store's axis."""
        raw = np.asarray(intensity, dtype=np.float32)[None, :]
        if raw.size == 0:
            return
        self._tic[row] = total_ion_count(raw)[0]
        self._noise[row] = noise_level(raw)[0] if self._kind == "profile" else 0.0
        self.empty[row] = self._tic[row] == 0
        moved[:] = self._onto.apply(raw, MzAxis(mz), self._axis)[0][0]

    def tables(self) -> QcTables:
        """The quality tables."""
        spots = pd.DataFrame(
            {
                "row": np.arange(len(self._tmas)),
                "tma": self._tmas,
                "tic": self._tic,
                "noise": self._noise,
                "zero_fraction": self._zeros,
                "empty": self.empty,
            }
        )
        counts = {str(name): int((self._tmas == name).sum()) for name in np.unique(self._tmas)}
        raw_means = {name: np.zeros(self._axis.n_bins) for name in counts}
        for (name, axis), total in self._raw.items():
            mean = (total / counts[name]).astype(np.float32)[None, :]
            # Moving to the axis is linear (but for the height of listed peaks), so the mean
            # may be moved instead of every spectrum.
            on_axis = mean if axis is self._axis else self._onto.apply(mean, axis, self._axis)[0]
            raw_means[name] += on_axis[0]
        means = {name: total / counts[name] for name, total in self._done.items()}
        return summarise_tmas(spots, raw_means, means, self._axis, self._kind)

    def _raw_total(self, name: str, axis: MzAxis) -> npt.NDArray[np.float64]:
        return self._raw.setdefault((name, axis), np.zeros(axis.n_bins))

    def _done_total(self, name: str) -> npt.NDArray[np.float64]:
        return self._done.setdefault(name, np.zeros(self._axis.n_bins))


def _zero_fraction(block: Spectra) -> npt.NDArray[np.float64]:
    from corespot.io.preprocessed_quality_kernel import count_zeros

    counts = np.empty(len(block), dtype=np.int64)
    each_row(lambda part: count_zeros(block[part], counts[part]), block)
    fraction: npt.NDArray[np.float64] = counts / block.shape[1]
    return fraction


def _sum_of(block: Spectra, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    total = np.zeros(block.shape[1])
    _add_rows(block, rows, total)
    return total


def _add_rows(block: Spectra, rows: npt.NDArray[np.int64], total: npt.NDArray[np.float64]) -> None:
    """Add rows one after the other; threads share the bins, so that sums are the same with any."""
    from corespot.io.preprocessed_quality_kernel import add_rows

    def work(bins: slice) -> None:
        add_rows(block, rows, total, bins.start, bins.stop)

    over_rows(work, total.size, chunk=-(-total.size // n_threads()))


def _listed(step: Step) -> bool:
    return step.step == "peaks" and step.method == "listed"
