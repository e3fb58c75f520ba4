"""Forms of spectrum elements: learnt from one example by the XML parser, then known by heart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from lxml import etree

from corespot.io import imzml_events as events
from corespot.io import imzml_terms as terms
from corespot.io.imzml_builder import IndexBuilder, Params

#: Columns of a scanned row: x, y, z, then offset, length, encoded length of both arrays.
N_COLUMNS = 9

_CLOSING = b"</spectrum>"
# Attributes whose value may differ between spectra of one form, unless it is empty.
_HOLE = re.compile(
    rb'(?<=[ \t\r\n])(?:value|id|index|defaultArrayLength|encodedLength|arrayLength|spotID)="'
    rb'([^"]+)"'
)
# Markup that a form does not hold: quotes of the other kind, references, comments, instructions,
# character data, namespaces, whatever is not printable ASCII.
_UNUSUAL = re.compile(rb"['&]|<[!?]|xml[:n]|[^\t\n\r -~]")
# Stands in the n-th hole of the example that the parser is given; no array lies out there.
_MARK = 10**12
_NUMBERS = (terms.EXTERNAL_OFFSET, terms.EXTERNAL_LENGTH, terms.EXTERNAL_ENCODED)
_POSITIONS = (terms.POSITION_X, terms.POSITION_Y, terms.POSITION_Z)


@dataclass(frozen=True)
class SpectrumForm:
    """One way in which the spectrum elements of a file are written.

    Parameters
    ----------
    pieces : tuple of bytes
        What stands between the holes, word for word.
    roles : tuple of int
        Column of each hole, -1 for text that decides nothing.
    constant : tuple of int
        Value of each column, where no hole fills it.
    dtypes, compressed : tuple
        Of the m/z array and of the intensity array, as in `ArrayIndex`.
    """

    pieces: tuple[bytes, ...]
    roles: tuple[int, ...]
    constant: tuple[int, ...]
    dtypes: tuple[int, int]
    compressed: tuple[bool, bool]


def learn_form(text: bytes, name: str, groups: dict[str, Params]) -> SpectrumForm | None:
    """Learn how a spectrum is written, or None if anything about it is unusual.

    The example is given to the XML parser and `IndexBuilder` with a mark in every hole; the
    columns in which the marks come out say what each hole means.

    Parameters
    ----------
    text : bytes
        A spectrum element, from ``<spectrum`` to ``</spectrum>``.
    name : str
        File name.
    groups : dict
        The file's referenceableParamGroups.
    """
    if _UNUSUAL.search(text):
        return None
    holes = list(_HOLE.finditer(text))
    bounds = [0, *(bound for hole in holes for bound in hole.span(1)), len(text)]
    pieces = tuple(text[a:b] for a, b in zip(bounds[::2], bounds[1::2], strict=True))
    marked = pieces[0] + b"".join(b"%d%s" % (_MARK + k, p) for k, p in enumerate(pieces[1:]))
    try:
        element = etree.fromstring(marked, etree.XMLParser(**events.PARSER))
    except etree.XMLSyntaxError:
        return None
    if not _is_usual(element, len(holes)):
        return None
    probe = IndexBuilder(name)
    probe.groups = groups
    probe.spectrum(element)
    if probe.log:
        return None
    arrays = [probe.columns[kind] for kind in ("mz", "intensity")]
    numbers = [*probe.coordinates[0], *arrays[0].rows[0], *arrays[1].rows[0]]
    columns = {number - _MARK: c for c, number in enumerate(numbers) if number >= _MARK}
    if len(columns) != sum(number >= _MARK for number in numbers):
        return None
    return SpectrumForm(
        pieces,
        tuple(columns.get(k, -1) for k in range(len(holes))),
        tuple(0 if number >= _MARK else number for number in numbers),
        (arrays[0].dtype[0], arrays[1].dtype[0]),
        (arrays[0].compressed[0], arrays[1].compressed[0]),
    )


def whole_element(text: bytes) -> bytes | None:
    """The spectrum element that `text` begins with, or None if it has no end there."""
    end = text.find(_CLOSING)
    return None if end < 0 else text[: end + len(_CLOSING)]


def _is_usual(spectrum: Any, n_holes: int) -> bool:
    """Whether every hole is an attribute's value, and nothing is nested or said twice."""
    elements = list(spectrum.iter())
    names = [etree.QName(element.tag).localname for element in elements]
    if names[0] != "spectrum" or set(names[1:]) & {*events.STARTS, *events.ENDS}:
        return False
    values = [value for element in elements for value in element.attrib.values()]
    marks = [int(value) for value in values if value.isascii() and value.isdigit()]
    found = sorted(mark - _MARK for mark in marks if mark >= _MARK)
    if found != list(range(n_holes)):
        return False
    arrays = spectrum.iter(*events.tags("binaryDataArray"))
    return not (_repeats(spectrum, _POSITIONS) or any(_repeats(a, _NUMBERS) for a in arrays))


def _repeats(element: Any, accessions: tuple[str, ...]) -> bool:
    given = [node.get("accession") for node in element.iter(*events.tags("cvParam"))]
    return any(given.count(accession) > 1 for accession in accessions)


class Forms:
    """The forms of a file, laid out for `imzml_scan_kernel.scan`."""

    def __init__(self) -> None:
        self.known: list[SpectrumForm] = []
        self.literal: npt.NDArray[np.uint8] = np.empty(0, dtype=np.uint8)
        self.piece: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.role: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.first_piece: npt.NDArray[np.int64] = np.zeros(1, dtype=np.int64)
        self.constant: npt.NDArray[np.int64] = np.empty((0, N_COLUMNS), dtype=np.int64)

    def add(self, form: SpectrumForm) -> bool:
        """Add a form; False if it is known already and so did not help."""
        if any(form.pieces == known.pieces for known in self.known):
            return False
        self.known.append(form)
        start = self.literal.size
        text = np.frombuffer(b"".join(form.pieces), dtype=np.uint8)
        ends = start + np.cumsum([0, *(len(piece) for piece in form.pieces)])
        self.literal = np.concatenate([self.literal, text])
        self.piece = np.concatenate([self.piece, ends])
        self.role = np.concatenate([self.role, np.array([*form.roles, -1, -1])])
        self.first_piece = np.append(self.first_piece, self.piece.size)
        self.constant = np.vstack([self.constant, np.array(form.constant)[None, :]])
        return True
