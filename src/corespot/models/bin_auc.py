"""How well each m/z bin alone separates the classes: the exact Mann–Whitney statistic."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.errors import ModelError
from corespot.models.mapped_pages import PagesAhead
from corespot.models.spectra_rows import SpectraRows
from corespot.progress import track
from corespot.threads import in_threads

Ints = npt.NDArray[np.int64]
Spectra = npt.NDArray[np.floating] | SpectraRows

#: Memory of a block of bins; a share of the spectra's, so that many spots are not read too often.
_LEAST_BLOCK_BYTES = 128 * 2**20
_MOST_BLOCK_BYTES = 2**30
_BLOCK_SHARE = 16
#: Rows that a thread copies at a time.
_ROWS = 512
#: Bins that a thread ranks at a time.
_BINS = 64
_MOST_CLASSES = 256
_MOST_DIGIT_BITS = 11
#: Counters a spot up to which values are counted and not sorted.
_COUNTERS_A_SPOT = 4


def bin_auc(
    spectra: Spectra, y: Ints, n_classes: int, *, rows: Ints | None = None
) -> npt.NDArray[np.float64]:
    """Area under the ROC curve of every bin, each class against the rest; ties count one half.

    Parameters
    ----------
    spectra : ndarray, memmap or SpectraRows, shape (n_all_spots, n_bins)
        Finite intensities; those of another type than float32 and float16 are compared as float32.
    y : ndarray of int, shape (n_spots,)
        Class index of each spectrum.
    n_classes : int
        Number of classes, each present.
    rows : ndarray of int64, shape (n_spots,), optional
        Spectra that count; all by default.

    Returns
    -------
    ndarray of float64, shape (n_classes, n_bins)
        Probability that a spectrum of the class exceeds one of the rest, plus half that they tie.

    Raises
    ------
    ModelError
        If a class is empty or there are more than 256 of them, or a row is not there.

    References
    ----------
    Mann & Whitney, Ann. Math. Statist. 18(1), 1947.
    """
    counts = _counts(y, n_classes)
    pairs = counts * (len(y) - counts)
    area: npt.NDArray[np.float64] = twice_u(spectra, y, n_classes, rows=rows) / (2 * pairs)[:, None]
    return area


def discrimination(auc: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Discrimination of every bin, |AUC - ½|, the largest over the classes; shape (n_bins,)."""
    strongest: npt.NDArray[np.float64] = np.abs(auc - 0.5).max(axis=0)
    return strongest


def twice_u(spectra: Spectra, y: Ints, n_classes: int, *, rows: Ints | None = None) -> Ints:
    """Twice the Mann–Whitney statistic U of every bin, each class against the rest.

    Parameters
    ----------
    spectra, y, n_classes, rows
        As for `bin_auc`.

    Returns
    -------
    ndarray of int64, shape (n_classes, n_bins)
        Two for each pair in which the spectrum of the class exceeds one of the rest, one for a tie.

    Raises
    ------
    ModelError
        As for `bin_auc`.

    Notes
    -----
    U is a sum of half integers; 2U is summed in 64-bit integers, hence exact. Block by block, bins
    are copied bins first, their values become unsigned integers of the same order, and those are
    counted by class where they span little (half floats do) and sorted by their digits elsewhere.
    """
    counts = _counts(y, n_classes)
    n_spots, n_bins = len(y), spectra.shape[1]
    chosen = np.arange(n_spots, dtype=np.int64) if rows is None else rows
    if len(chosen) != n_spots or chosen.min() < 0 or chosen.max() >= len(spectra):
        raise ModelError(
            f"the AUC of a bin needs one of {len(spectra)} spectra for each of {n_spots} labels, "
            f"got {len(chosen)} rows from {chosen.min()} to {chosen.max()}"
        )
    key = np.dtype(np.uint16 if spectra.dtype == np.float16 else np.uint32)
    share = spectra.size * spectra.dtype.itemsize // _BLOCK_SHARE
    size = min(max(share, _LEAST_BLOCK_BYTES), _MOST_BLOCK_BYTES)
    width = max(1, min(n_bins, size // (n_spots * key.itemsize)))
    memory = np.empty((width, n_spots), dtype=key)
    labels = y.astype(np.uint8)
    sums = np.zeros((n_bins, n_classes), dtype=np.int64)
    with PagesAhead(spectra) as pages:
        for start in track(range(0, n_bins, width), label="bins ranked", unit="blocks"):
            block = memory[: n_bins - start]
            _copy_bins(spectra, chosen, start, block, pages)
            _rank(block, labels, sums[start : start + width])
    return np.ascontiguousarray(sums.T) - (counts * (counts + 1))[:, None]


def _counts(y: Ints, n_classes: int) -> Ints:
    """Spectra of each class."""
    counts = np.bincount(y, minlength=n_classes).astype(np.int64)
    if n_classes > _MOST_CLASSES or len(counts) > n_classes or np.any(counts == 0):
        raise ModelError(
            f"the AUC of a bin needs 2 to {_MOST_CLASSES} classes with spectra each, got "
            f"{n_classes} classes with {counts.tolist()} spectra"
        )
    return counts


def _copy_bins(
    spectra: Spectra,
    rows: Ints,
    start: int,
    block: npt.NDArray[Any],
    pages: PagesAhead,
) -> None:
    """Copy the bit patterns of the bins from `start` on into a block, bins first."""
    from corespot.models.bin_auc_kernel import transpose_bins

    bins = slice(start, start + len(block))
    bits = None
    # Another byte order is another type.
    if isinstance(spectra, np.ndarray) and spectra.dtype in (np.float16, np.float32):
        bits = _read_only(np.asarray(spectra).view(block.dtype))

    def copy(part: slice) -> None:
        pages.ask(rows[part], bins)
        if bits is not None:
            transpose_bins(bits, rows[part], start, part.start, block)
            return
        cast = np.ascontiguousarray(spectra[rows[part]][:, bins], dtype=np.float32)
        every = np.arange(len(cast), dtype=np.int64)
        transpose_bins(_read_only(cast.view(np.uint32)), every, 0, part.start, block)

    in_threads(copy, _slices(len(rows), _ROWS))


def _rank(block: npt.NDArray[Any], labels: npt.NDArray[np.uint8], sums: Ints) -> None:
    """Add twice the rank sums of every class to `sums`, (n_bins, n_classes); overwrites `block`."""
    from corespot.models.bin_auc_kernel import add_rank_sums

    n_spots, n_classes = len(labels), sums.shape[1]
    kind = block.dtype.type
    most = np.iinfo(block.dtype).max
    numbers = kind(most // 2 + 1), kind(0), kind(most)
    label_bits = (n_classes - 1).bit_length()
    digit_bits = min(max(n_spots.bit_length() - 2, 2), _MOST_DIGIT_BITS)

    def rank(bins: slice) -> None:
        add_rank_sums(
            *(block[bins], labels, *numbers, label_bits, digit_bits),
            *(_COUNTERS_A_SPOT * n_spots, sums[bins]),
        )

    in_threads(rank, _slices(len(block), _BINS))


def _slices(n: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def _read_only(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same memory, not to be written to: kernels are compiled for one kind of array alone."""
    values.setflags(write=False)
    return values
