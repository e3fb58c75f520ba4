"""How well each m/z bin alone separates the classes: the exact Mann–Whitney statistic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.errors import ModelError

#: Spectra times bins ranked at a time: bounds the working memory to some hundred megabytes.
_BLOCK_VALUES = 4_000_000
_MOST_CLASSES = 256


def bin_auc(
    spectra: npt.NDArray[np.float32], y: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.float64]:
    """Area under the ROC curve of every bin, each class against the rest; ties count one half.

    Parameters
    ----------
    spectra : ndarray of float32, shape (n_spots, n_bins)
        Finite intensities; compared as float32.
    y : ndarray of int, shape (n_spots,)
        Class index of each spectrum.
    n_classes : int
        Number of classes, each present.

    Returns
    -------
    ndarray of float64, shape (n_classes, n_bins)
        Probability that a spectrum of the class exceeds one of the rest, plus half that they tie.

    Raises
    ------
    ModelError
        If a class is empty or there are more than 256 of them.

    Notes
    -----
    The statistic U is a sum of half integers, summed here as 2U in 64-bit integers, hence exact.
    An intensity is mapped to an unsigned integer of the same order and sorted together with its
    class, which is many times faster than ranking.

    References
    ----------
    Mann & Whitney, Ann. Math. Statist. 18(1), 1947.
    """
    counts = np.bincount(y, minlength=n_classes).astype(np.int64)
    if n_classes > _MOST_CLASSES or np.any(counts == 0):
        raise ModelError(
            f"the AUC of a bin needs 2 to {_MOST_CLASSES} classes with spectra each, got "
            f"{n_classes} classes with {counts.tolist()} spectra"
        )
    n_spots, n_bins = spectra.shape
    pairs = counts * (n_spots - counts)
    result = np.empty((n_classes, n_bins))
    width = max(1, _BLOCK_VALUES // n_spots)
    for start in range(0, n_bins, width):
        bins = slice(start, min(start + width, n_bins))
        twice_ranks = _twice_rank_sums(spectra[:, bins], y, n_classes)
        twice_u = twice_ranks - (counts * (counts + 1))[:, None]
        result[:, bins] = twice_u / (2 * pairs)[:, None]
    return result


def discrimination(auc: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Discrimination of every bin, |AUC - ½|, the largest over the classes; shape (n_bins,)."""
    strongest: npt.NDArray[np.float64] = np.abs(auc - 0.5).max(axis=0)
    return strongest


def _twice_rank_sums(
    block: npt.NDArray[np.float32], y: npt.NDArray[np.int64], n_classes: int
) -> npt.NDArray[np.int64]:
    """Twice the sum of the mid-ranks (from 1) of each class in each column."""
    # + 0.0 turns -0.0 into 0.0, which must tie with it.
    bits = (np.ascontiguousarray(block.T, dtype=np.float32) + np.float32(0.0)).view(np.uint32)
    sign = bits >> np.uint32(31)
    # Order-preserving: flip all bits of a negative number, the sign bit of a positive one.
    keys = bits ^ ((np.uint32(0) - sign) | np.uint32(0x80000000))
    packed = (keys.astype(np.uint64) << np.uint64(8)) | y.astype(np.uint64)
    packed.sort(axis=1)
    labels = packed.astype(np.uint8)  # the low byte
    packed >>= np.uint64(8)

    n_columns, n_spots = packed.shape
    ranks = np.broadcast_to(np.arange(2, 2 * n_spots + 2, 2, dtype=np.int64), packed.shape)
    tied = packed[:, 1:] == packed[:, :-1]
    with_ties = np.flatnonzero(tied.any(axis=1))
    if with_ties.size:
        ranks = ranks.copy()
        ranks[with_ties] = _twice_mid_ranks(tied[with_ties])
    sums = np.empty((n_classes, n_columns), dtype=np.int64)
    for index in range(n_classes - 1):
        sums[index] = np.einsum("ij,ij->i", ranks, (labels == index).astype(np.int64))
    # The ranks of all spectra sum to n (n + 1) / 2.
    sums[-1] = n_spots * (n_spots + 1) - sums[:-1].sum(axis=0)
    return sums


def _twice_mid_ranks(tied: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Twice the mid-rank of every sorted value, given which ones equal their predecessor."""
    n_rows, n_spots = tied.shape[0], tied.shape[1] + 1
    position = np.arange(n_spots, dtype=np.int32)
    first = np.broadcast_to(position, (n_rows, n_spots)).copy()
    first[:, 1:][tied] = 0
    np.maximum.accumulate(first, axis=1, out=first)
    last = np.broadcast_to(position, (n_rows, n_spots)).copy()
    last[:, :-1][tied] = n_spots - 1
    backwards = last[:, ::-1]
    np.minimum.accumulate(backwards, axis=1, out=backwards)
    ranks: npt.NDArray[np.int64] = first.astype(np.int64) + last + 2
    return ranks
