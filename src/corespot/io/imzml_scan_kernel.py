"""Compiled: spectrum elements of an imzML file held against forms known by heart.

A form is one spectrum element as bytes with holes in it, one for each attribute whose value may
differ. Between the holes a spectrum must equal the form byte for byte; in a hole stands plain text
up to the closing quote, a whole number where the number is wanted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corespot.compiled import compiled

# What a spectrum that is held against a form can turn out to be, unless it fits.
_OTHER, _CUT_OFF = -1, -2

#: Why the scan stopped: the bytes ran out, no form fits, there is no further spectrum, no room.
NEEDS_BYTES, UNKNOWN, DONE, FULL = 0, 1, 2, 3

_TEXT, _QUOTE, _AMPERSAND, _LESS, _TILDE = 32, 34, 38, 60, 126
_ZERO, _NINE, _MINUS, _PLUS = 48, 57, 45, 43
# More digits than this could leave int64, or be cut by the parser.
_MOST_DIGITS = 15
_MOST_TEXT = 1000


@compiled
def fits(
    text: npt.NDArray[np.uint8],
    at: int,
    end: int,
    literal: npt.NDArray[np.uint8],
    piece: npt.NDArray[np.int64],
    role: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
) -> int:
    """Position after the spectrum at `at`, its numbers put into `row`; negative if it differs.

    Parameters
    ----------
    text : ndarray of uint8
        Bytes of the file; those from `end` on do not count.
    at, end : int
        First byte of the spectrum, and end of the bytes.
    literal : ndarray of uint8
        The bytes between the holes, of all forms.
    piece : ndarray of int64, shape (n_holes + 2,)
        Where each piece of this form begins in `literal`; a hole follows each but the last.
    role : ndarray of int64, shape (n_holes,)
        Column of `row` that the number in the hole goes to, or -1.
    row : ndarray of int64
        Receives the numbers.
    """
    n_holes = role.size
    for k in range(n_holes + 1):
        words = literal[piece[k] : piece[k + 1]]
        here = text[at : min(at + words.size, end)]
        differ = np.uint8(0)
        for j in range(here.size):  # to the end of the piece: this way it is vectorised
            differ |= here[j] ^ words[j]
        if differ:
            return _OTHER
        if here.size < words.size:
            return _CUT_OFF
        at += words.size
        if k == n_holes:
            break
        column = role[k]
        start = at
        if column < 0:
            while at < end and text[at] != _QUOTE:
                c = text[at]
                if c < _TEXT or c > _TILDE or c in (_AMPERSAND, _LESS):
                    return _OTHER
                at += 1
            if at - start > _MOST_TEXT:
                return _OTHER
        else:
            negative = False
            if at < end and (text[at] == _MINUS or text[at] == _PLUS):
                negative = text[at] == _MINUS
                at += 1
            first = at
            number = np.int64(0)
            while at < end and text[at] >= _ZERO and text[at] <= _NINE:
                if at - first >= _MOST_DIGITS:
                    return _OTHER
                number = number * 10 + (np.int64(text[at]) - _ZERO)
                at += 1
            if at < end and (text[at] != _QUOTE or at == first):
                return _OTHER
            row[column] = -number if negative else number
        if at >= end:
            return _CUT_OFF
    return at


@compiled
def scan(
    text: npt.NDArray[np.uint8],
    at: int,
    end: int,
    literal: npt.NDArray[np.uint8],
    piece: npt.NDArray[np.int64],
    role: npt.NDArray[np.int64],
    first_piece: npt.NDArray[np.int64],
    constant: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    form: npt.NDArray[np.int16],
    begins: npt.NDArray[np.int64],
) -> tuple[int, int, int]:
    """Read spectra from `at` on until something stops it.

    Parameters
    ----------
    text, at, end, literal
        As in `fits`; `at` is where a spectrum, white space or the end of the list stands.
    piece, role : ndarray of int64
        Pieces and roles of all forms one after the other; a form with h holes has h + 2 entries
        of each, the last two roles unused.
    first_piece : ndarray of int64, shape (n_forms + 1,)
        Where each form begins in both.
    constant : ndarray of int64, shape (n_forms, n_columns)
        What stands in the columns that no hole of the form fills.
    rows, form, begins : ndarray, shape (capacity, n_columns), (capacity,), (capacity,)
        Receive the numbers of each spectrum, its form and its first byte.

    Returns
    -------
    at : int
        Where to go on: after the last spectrum read.
    n : int
        Spectra read.
    why : int
        `NEEDS_BYTES`, `UNKNOWN`, `DONE` or `FULL`.
    """
    opening = np.array([60, 115, 112, 101, 99, 116, 114, 117, 109], dtype=np.uint8)  # <spectrum
    n_forms = first_piece.size - 1
    last = 0
    n = 0
    while True:
        here = at
        while here < end and (
            text[here] == 32 or text[here] == 10 or text[here] == 9 or text[here] == 13
        ):
            here += 1
        if here + opening.size >= end:
            return at, n, NEEDS_BYTES
        for j in range(opening.size):
            if text[here + j] != opening[j]:
                return at, n, DONE
        after = text[here + opening.size]
        if not (after == 32 or after == 10 or after == 9 or after == 13):
            return at, n, DONE
        if n == form.size:
            return at, n, FULL
        stop = _OTHER
        cut_off = False
        for step in range(n_forms):
            # Neighbours mostly share a form: begin with the one that fitted last.
            k = last if step == 0 else (step - 1 if step <= last else step)
            a, b = first_piece[k], first_piece[k + 1]
            rows[n] = constant[k]
            stop = fits(text, here, end, literal, piece[a:b], role[a : b - 2], rows[n])
            if stop >= 0:
                form[n] = k
                last = k
                break
            cut_off = cut_off or stop == _CUT_OFF
        if stop < 0:
            return at, n, NEEDS_BYTES if cut_off else UNKNOWN
        begins[n] = here
        n += 1
        at = stop
