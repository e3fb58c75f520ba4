"""The difference of class means, every patient counting alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from corespot.errors import ModelError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Values held in float64 at a time (32 MiB).
_BLOCK_VALUES = 4_194_304


@dataclass(frozen=True, eq=False)
class Side:
    """The patients on one side of a difference, whose mean spectra are never all written out.

    Parameters
    ----------
    patients : ndarray of int64, shape (n,)
        Patients, as positions in the names that the gap was made of.
    cells : ndarray of float64, shape (n_cells, n_bins)
        Means of the gap.
    of_side, line : ndarray of int64, shape (n_own,)
        Cells that are of this side, and the place in `patients` of each.
    share : ndarray of float64, shape (n_own,)
        Share of each in its patient's mean.
    """

    patients: IntArray
    cells: FloatArray
    of_side: IntArray
    line: IntArray
    share: FloatArray

    def along(self, reading: FloatArray) -> FloatArray:
        """The mean spectrum of each patient times a reading of the bins, shape (n,)."""
        weights = self.share * (self.cells @ reading)[self.of_side]
        found = np.bincount(self.line, weights, minlength=len(self.patients))
        return np.asarray(found, dtype=np.float64)

    def mean(self) -> FloatArray:
        """Mean over the patients of their mean spectra, shape (n_bins,)."""
        weight = np.zeros(len(self.cells))
        weight[self.of_side] = self.share / len(self.patients)
        mean: FloatArray = weight @ self.cells
        return mean


@dataclass(frozen=True, eq=False)
class ClassGap:
    """Mean spectra by patient and class, and the spread within the classes.

    Parameters
    ----------
    names : ndarray of str, shape (n_patients,)
        Patients (or cores) in order of name.
    patient, of_class : ndarray of int64, shape (n_cells,)
        Patient and class of each mean; a patient with spots of two classes has two.
    means : ndarray of float64, shape (n_cells, n_bins)
        Mean over the spots of a patient that are of a class.
    sizes : ndarray of float64, shape (n_cells,)
        Number of these spots.
    sigma : ndarray of float64, shape (n_bins,)
        Standard deviation of each bin within the classes, pooled over spots.
    n_classes : int
        Number of classes.
    """

    names: npt.NDArray[np.str_]
    patient: IntArray
    of_class: IntArray
    means: FloatArray
    sizes: FloatArray
    sigma: FloatArray
    n_classes: int

    def sides(self, k: int) -> tuple[Side, Side]:
        """Patients of class `k`, and patients of all others with the means over those spots."""
        is_own = self.of_class == k
        return self._side(np.flatnonzero(is_own)), self._side(np.flatnonzero(~is_own))

    def delta(self, k: int) -> FloatArray:
        """Mean of class `k` less that of all others together, shape (n_bins,)."""
        own, others = self.sides(k)
        return own.mean() - others.mean()

    def _side(self, cells: IntArray) -> Side:
        patients, line = np.unique(self.patient[cells], return_inverse=True)
        sizes = self.sizes[cells]
        share = sizes / np.bincount(line, weights=sizes)[line]
        return Side(patients, self.means, cells, line.astype(np.int64), share)


def class_gap(
    x: npt.NDArray[np.floating],
    y: npt.NDArray[np.int64],
    patients: npt.NDArray[np.str_],
    n_classes: int,
) -> ClassGap:
    """Mean spectra of every patient, from which the classes' differences are made.

    The mean of a class is the mean over its patients of the patients' means, so that a patient
    with many spots counts like one with few.

    Parameters
    ----------
    x : ndarray or memmap, shape (n_spots, n_bins)
        Spectra of the held-out spots; read patient by patient.
    y : ndarray of int64, shape (n_spots,)
        Class of each spot.
    patients : ndarray of str, shape (n_spots,)
        Patient (or core) of each spot.
    n_classes : int
        Number of classes.

    Raises
    ------
    ModelError
        If lengths differ or a class has no spot.
    """
    if x.ndim != 2 or y.shape != (len(x),) or patients.shape != (len(x),):
        raise ModelError(
            f"got spectra of shape {x.shape}, {y.size} classes and {patients.size} patients; "
            "expected one class and one patient for each spectrum"
        )
    counts = np.bincount(y, minlength=n_classes)
    if len(counts) > n_classes or np.any(counts == 0):
        raise ModelError(
            f"the spots are of classes {np.flatnonzero(counts).tolist()}, expected every one of "
            f"0 to {n_classes - 1}: the difference of a class without spots is not defined; deal "
            "folds in which every class is tested"
        )
    names, patient = np.unique(patients, return_inverse=True)
    cells, cell = np.unique(np.stack([patient, y]), axis=1, return_inverse=True)
    means, squares, sizes = _cell_moments(x, cell.ravel(), cells.shape[1])
    of_patient, of_class = cells.astype(np.int64)
    step = max(1, _BLOCK_VALUES // x.shape[1])
    for k in range(n_classes):
        # Means of patients may be as large as the spectra: none of them is copied.
        weight = np.where(of_class == k, sizes, 0.0)
        centre = weight @ means / weight.sum()
        for start in range(0, len(means), step):
            block = means[start : start + step] - centre
            squares += weight[start : start + step] @ np.square(block, out=block)
    sigma = np.sqrt(squares / max(len(x) - n_classes, 1))
    return ClassGap(names, of_patient, of_class, means, sizes, sigma, n_classes)


def _cell_moments(
    x: npt.NDArray[np.floating], cell: npt.NDArray[np.intp], n_cells: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean of each cell's spots, squares about their cell's mean summed over all, cell sizes.

    Blocks of a cell are merged by equation 2.1 of Chan, Golub & LeVeque, The American
    Statistician 37(3), 1983.
    """
    order = np.argsort(cell, kind="stable")
    sizes = np.bincount(cell, minlength=n_cells)
    means = np.zeros((n_cells, x.shape[1]))
    squares = np.zeros(x.shape[1])
    step = max(1, _BLOCK_VALUES // x.shape[1])
    for index, (size, end) in enumerate(zip(sizes, np.cumsum(sizes), strict=True)):
        seen = 0
        for start in range(end - size, end, step):
            rows = order[start : min(start + step, end)]
            block = np.asarray(x[rows], dtype=np.float64)
            mean = block.mean(axis=0)
            block -= mean
            squares += np.square(block, out=block).sum(axis=0)
            difference = mean - means[index]
            squares += np.square(difference) * (seen * len(rows) / (seen + len(rows)))
            seen += len(rows)
            means[index] += difference * (len(rows) / seen)
    return means, squares, sizes.astype(np.float64)
