"""Tasks of the size of the published ones: shape, classes and TMAs are theirs, the spectra noise.

A marker is planted, so that networks have something to learn; accuracies say nothing of tissue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.cohort.splits import inner_folds
from corespot.seeding import generator

N_BINS = 27_286
_BLOCK = 512
#: Keeps intensities of order one in half floats.
_MEAN = 4.0


@dataclass(frozen=True)
class PaperTask:
    """One of the two published tasks.

    Parameters
    ----------
    name : str
        ADSQ or LP.
    n_spots : int
        Spectra.
    tmas : tuple of tuple of int
        TMAs that each class is on.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018.
    """

    name: str
    n_spots: int
    tmas: tuple[tuple[int, ...], tuple[int, ...]]


LUNG = tuple(range(8))
TASKS = (
    PaperTask("ADSQ", 4_672, (LUNG, LUNG)),
    PaperTask("LP", 27_475, (LUNG, tuple(range(8, 12)))),
)


@dataclass(frozen=True, eq=False)
class PaperSpectra:
    """Spectra of a task, class and TMA of each, and the folds of every repeat."""

    x: npt.NDArray[np.float16]
    y: npt.NDArray[np.int64]
    tma: npt.NDArray[np.int64]
    folds: list[list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]]


def make_spectra(
    task: PaperTask, *, n_bins: int, n_spots: int | None, repeats: int, n_folds: int, seed: int
) -> PaperSpectra:
    """Draw the spectra of a task block by block, as half floats.

    Parameters
    ----------
    task : PaperTask
        Which.
    n_bins : int
        Bins; the published axis has 27,286.
    n_spots : int, optional
        Spectra, for a trial; those of the task by default.
    repeats, n_folds : int
        Of the cross-validation on TMA level.
    seed : int
        Of everything.
    """
    n = n_spots or task.n_spots
    rng = generator(seed, "paper", task.name)
    y = np.sort(rng.permutation(np.arange(n) % 2)).astype(np.int64)
    tma = np.array([task.tmas[label][i % len(task.tmas[label])] for i, label in enumerate(y)])
    gain = rng.uniform(0.8, 1.25, size=tma.max() + 1).astype(np.float32)
    marker = slice(n_bins // 3, n_bins // 3 + max(3, n_bins // 1000))
    x = np.empty((n, n_bins), dtype=np.float16)
    for start in range(0, n, _BLOCK):
        rows = slice(start, min(start + _BLOCK, n))
        block = rng.standard_exponential((rows.stop - start, n_bins), dtype=np.float32)
        block *= _MEAN * gain[tma[rows], None]
        block[y[rows] == 1, marker] *= 2.0
        x[rows] = block
    folds = [inner_folds(tma, y, n_folds, seed + repeat) for repeat in range(repeats)]
    return PaperSpectra(x, y, tma, folds)
