"""Compiled loops of the exact Mann–Whitney statistic: sortable keys, radix sort, rank sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

Bits = npt.NDArray[np.unsignedinteger]
Counts = npt.NDArray[np.int64]
Classes = npt.NDArray[np.uint8]

#: Rows and bins of a tile: its lines of source and target stay in the first-level cache.
_TILE = 32
#: Widest digit of the radix sort: 2,048 counters.
_MOST_DIGIT_BITS = 11
#: Moves a value that insertion may take before the full radix sort takes over.
_MOST_MOVES = 4


@compiled
def transpose_bins(bits: Bits, rows: Counts, first_bin: int, at: int, block: Bits) -> None:
    """Copy some rows of a block of bins, bins first.

    bits : (n_spots, n_bins) uint32 or uint16, the bit patterns of float32 or float16
    rows : (n,) int64, rows to be read
    first_bin : first bin of the block
    at : column of `block` that takes the first of `rows`
    block : (n_block_bins, n_all_rows), the type of `bits`
    """
    n_block = block.shape[0]
    for row_start in range(0, rows.size, _TILE):
        row_stop = min(row_start + _TILE, rows.size)
        for bin_start in range(0, n_block, _TILE):
            for j in range(bin_start, min(bin_start + _TILE, n_block)):
                for i in range(row_start, row_stop):
                    block[j, at + i] = bits[rows[i], first_bin + j]


@compiled
def add_rank_sums(
    block: Bits,
    y: Classes,
    sign: np.unsignedinteger,
    low: np.unsignedinteger,
    high: np.unsignedinteger,
    label_bits: int,
    digit_bits: int,
    n_counters: int,
    sums: Counts,
) -> None:
    """Twice the sum of the mid-ranks (from 1) of each class, bin by bin.

    block : (n_bins, n) uint32 or uint16, bit patterns as `transpose_bins` leaves them; overwritten
    y : (n,) uint8, class of each row
    sign, low, high : the sign bit, the lowest and the highest number, of the type of `block`
    label_bits : bits that hold a class
    digit_bits : bits of a digit of the radix sort, up to 11
    n_counters : values that times classes span no more than this are counted, not sorted
    sums : (n_bins, n_classes) int64, zeros
    """
    n = y.size
    n_classes = sums.shape[1]
    counters = np.zeros(n_counters, dtype=np.int32)
    digits = np.empty((2, 1 << _MOST_DIGIT_BITS), dtype=np.int64)
    narrow = np.empty((2, n + 1), dtype=np.uint32)
    # Hardly ever needed: memory that is not touched costs nothing.
    wide = np.empty((2, n + 1), dtype=np.uint64)
    alike = np.empty(n_classes, dtype=np.int64)
    for j in range(block.shape[0]):
        column = block[j]
        lowest, second, highest = _to_keys(column, sign, low, high)
        if (np.int64(highest) - np.int64(lowest) + 1) * n_classes <= n_counters:
            _by_counting(column, y, np.int64(lowest), np.int64(highest), counters, sums[j])
            continue
        # The lowest value, which zeros often share, is counted apart: what is left spans less.
        alike[:] = 0
        span, value_bits = np.int64(highest) - np.int64(second), 0
        while span > 0:
            value_bits += 1
            span >>= 1
        if value_bits + label_bits <= 32:
            m = _pack(column, y, lowest, second, label_bits, narrow[0], alike)
            _sort(narrow[0, :m], narrow[1, :m], label_bits, value_bits, digit_bits, digits)
            _add_sorted(narrow[0, :m], label_bits, alike, n - m, sums[j])
        else:
            m = _pack(column, y, lowest, second, label_bits, wide[0], alike)
            _sort(wide[0, :m], wide[1, :m], label_bits, value_bits, digit_bits, digits)
            _add_sorted(wide[0, :m], label_bits, alike, n - m, sums[j])


@compiled
def _to_keys(
    column: Bits, sign: np.unsignedinteger, low: np.unsignedinteger, high: np.unsignedinteger
) -> tuple[np.unsignedinteger, np.unsignedinteger, np.unsignedinteger]:
    """Turn bit patterns into integers of the same order; lowest, second lowest, highest of them.

    sign, low, high : the sign bit, the lowest and the highest number, of the type of `column`
    """
    top = 8 * column.itemsize - 1
    lowest, highest = high, low
    for i in range(column.size):
        # -0.0 ties with 0.0.
        pattern = column[i] if column[i] != sign else low
        # All bits of a negative number turn, of others the sign bit alone.
        column[i] = pattern ^ (sign | (low - (pattern >> top)))
        lowest = min(lowest, column[i])
        highest = max(highest, column[i])
    second = highest
    for i in range(column.size):
        second = min(second, column[i] if column[i] != lowest else highest)
    return lowest, second, highest


@compiled
def _by_counting(
    column: Bits,
    y: Classes,
    low: np.int64,
    high: np.int64,
    counters: npt.NDArray[np.int32],
    sums: Counts,
) -> None:
    """Rank sums from how often each value comes with each class; leaves the counters zero."""
    n_classes = sums.size
    for i in range(column.size):
        counters[(np.int64(column[i]) - low) * n_classes + y[i]] += 1
    before = 0
    for value in range(high - low + 1):
        start = value * n_classes
        alike = 0
        for k in range(n_classes):
            alike += counters[start + k]
        if alike > 0:
            for k in range(n_classes):
                sums[k] += np.int64(counters[start + k]) * (2 * before + alike + 1)
                counters[start + k] = 0
            before += alike


@compiled
def _pack(
    column: Bits,
    y: Classes,
    lowest: np.unsignedinteger,
    second: np.unsignedinteger,
    label_bits: int,
    packed: Bits,
    alike: Counts,
) -> int:
    """Values above the lowest, less the second lowest, with their class in the low bits.

    Counts the classes of the lowest in `alike`; returns how many were packed.
    """
    m = 0
    if alike.size == 2:
        # Two classes, the common case, are counted without going through memory.
        second_class = 0
        for i in range(column.size):
            value = column[i]
            # Overwritten by the next where it is the lowest: no branch to guess wrong.
            packed[m] = ((np.int64(value) - np.int64(second)) << label_bits) | y[i]
            m += value != lowest
            second_class += (value == lowest) & y[i]
        alike[0], alike[1] = column.size - m - second_class, second_class
        return m
    for i in range(column.size):
        value = column[i]
        packed[m] = ((np.int64(value) - np.int64(second)) << label_bits) | y[i]
        m += value != lowest
        alike[y[i]] += value == lowest
    return m


@compiled
def _sort(
    packed: Bits, other: Bits, label_bits: int, value_bits: int, digit_bits: int, digits: Counts
) -> None:
    """Sort by value; classes within a value come in any order.

    Two passes over the two highest digits leave almost everything in place, and insertion ends
    it. Where too much is left (many values close together far from the rest) all digits are used.
    """
    top = label_bits + value_bits
    shift = max(label_bits, top - 2 * digit_bits)
    _by_digits(packed, other, shift, digit_bits, digits)
    if shift == label_bits or _by_insertion(packed, label_bits):
        return
    for shift in range(label_bits, top, 2 * digit_bits):
        _by_digits(packed, other, shift, digit_bits, digits)


@compiled
def _by_digits(packed: Bits, other: Bits, shift: int, digit_bits: int, digits: Counts) -> None:
    """Sort by two digits from `shift` on, those alike in their former order."""
    size = 1 << digit_bits
    mask = size - 1
    first, second = digits[0], digits[1]
    first[:size] = 0
    second[:size] = 0
    for i in range(packed.size):
        digit = np.int64(packed[i]) >> shift
        first[digit & mask] += 1
        second[(digit >> digit_bits) & mask] += 1
    before_first, before_second = 0, 0
    for at in range(size):
        here_first, here_second = first[at], second[at]
        first[at], second[at] = before_first, before_second
        before_first += here_first
        before_second += here_second
    for i in range(packed.size):
        digit = (np.int64(packed[i]) >> shift) & mask
        other[first[digit]] = packed[i]
        first[digit] += 1
    for i in range(packed.size):
        digit = (np.int64(other[i]) >> (shift + digit_bits)) & mask
        packed[second[digit]] = other[i]
        second[digit] += 1


@compiled
def _by_insertion(packed: Bits, label_bits: int) -> bool:
    """Sort what is almost sorted by value; returns False if it takes too long, half done."""
    left = _MOST_MOVES * packed.size
    for i in range(1, packed.size):
        value = np.int64(packed[i]) >> label_bits
        if np.int64(packed[i - 1]) >> label_bits > value:
            moved = packed[i]
            at = i
            while at > 0 and np.int64(packed[at - 1]) >> label_bits > value:
                packed[at] = packed[at - 1]
                at -= 1
            packed[at] = moved
            left -= i - at
            if left < 0:
                return False
    return True


@compiled
def _add_sorted(packed: Bits, label_bits: int, alike: Counts, n_lowest: int, sums: Counts) -> None:
    """Rank sums of `n_lowest` equal values, `alike` by class, with the sorted others above them."""
    for k in range(sums.size):
        sums[k] += alike[k] * (n_lowest + 1)
    if sums.size == 2:
        second_class = _second_class(packed, label_bits, n_lowest)
        n = n_lowest + packed.size
        sums[0] += n * (n + 1) - n_lowest * (n_lowest + 1) - second_class
        sums[1] += second_class
        return
    mask = (1 << label_bits) - 1
    n = packed.size
    start = 0
    while start < n:
        value = np.int64(packed[start]) >> label_bits
        stop = start + 1
        while stop < n and np.int64(packed[stop]) >> label_bits == value:
            stop += 1
        ranks = 2 * n_lowest + start + stop + 1
        for i in range(start, stop):
            sums[np.int64(packed[i]) & mask] += ranks
        start = stop


@compiled
def _second_class(packed: Bits, label_bits: int, n_below: int) -> np.int64:
    """Twice the rank sum of the second of two classes, `n_below` values being lower than all."""
    n = packed.size
    total = np.int64(0)
    start = 0
    while start < n:
        here = np.int64(packed[start])
        value = here >> label_bits
        stop = start + 1
        if stop == n or np.int64(packed[stop]) >> label_bits != value:
            total += (here & 1) * (2 * (n_below + start) + 2)
            start = stop
            continue
        second_class = here & 1
        while stop < n and np.int64(packed[stop]) >> label_bits == value:
            second_class += np.int64(packed[stop]) & 1
            stop += 1
        total += second_class * (2 * n_below + start + stop + 1)
        start = stop
    return total
