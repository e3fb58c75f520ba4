"""The index of a large imzML file without parsing every spectrum.

The spectra of a file are written alike but for their numbers. The first one is given to the XML
parser; from then on the bytes of each spectrum are held against what is known, and only the
numbers are read (`imzml_scan_kernel`). A spectrum written otherwise is parsed and learnt in turn.
What stands before and after the spectra goes through the parser as always, the spectra between cut
out: they are well-formed elements where elements may stand, so that nothing else changes.

The scan is no judge. Whatever it does not understand to the last byte, and every file with a fault,
is left to the parser of `imzml_xml`, which alone refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from lxml import etree

from corespot.errors import CohortError
from corespot.io import imzml_events as events
from corespot.io.imzml_builder import IndexBuilder, Params
from corespot.io.imzml_guard import holds_declaration, is_plainly_safe
from corespot.io.imzml_index import ArrayIndex, Excerpt, ImzMLIndex
from corespot.io.imzml_scan_form import N_COLUMNS, Forms, SpectrumForm, learn_form, whole_element

BLOCK_BYTES = 4 << 20
MOST_FORMS = 64
# Header and tail are held in memory: more than this is no imzML file as programs write them.
_MOST_AROUND = 16 << 20
#: Spectra besides the first of each form that the parser looks at again, spread over the file.
N_SAMPLED = 32

_CUT = "corespotCut"
_PARENTS = (["spectrumList", "run", "mzML"], ["spectrumList", "run", "mzML", "indexedmzML"])


class _UnusualError(Exception):
    """The file is to be parsed instead."""


@dataclass
class _Scanned:
    """What the scan found between header and tail."""

    rows: list[npt.NDArray[np.int64]] = field(default_factory=list)
    forms: list[npt.NDArray[np.int16]] = field(default_factory=list)
    begins: list[npt.NDArray[np.int64]] = field(default_factory=list)
    end: int = 0


def scan_index(path: Path) -> ImzMLIndex | None:
    """Read the index of an .imzML file, or None if it is to be parsed instead.

    Parameters
    ----------
    path : Path
        The .imzML file.

    Returns
    -------
    ImzMLIndex or None
        The same as parsing gives, with nothing in its `log` and an `excerpt`.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    try:
        with path.open("rb", buffering=0) as file:
            return _scan(file, path.name)
    except (_UnusualError, CohortError, etree.XMLSyntaxError):
        return None


def _scan(file: FileIO, name: str) -> ImzMLIndex:
    size = file.seek(0, 2)
    head = _head(file)
    if not is_plainly_safe(head):
        raise _UnusualError
    builder = IndexBuilder(name)
    parser = _Around(builder)
    parser.feed(head)
    groups = dict(builder.groups)
    forms = Forms()
    found = _spectra(file, name, (len(head), size), forms, groups)
    begins = np.concatenate([*found.begins, [found.end]])
    first = _read(file, int(begins[0]), int(begins[1]))
    tail = _read(file, found.end, size, _MOST_AROUND)
    if holds_declaration(tail):
        raise _UnusualError
    parser.feed(first)
    if builder.groups != groups:
        raise _UnusualError
    parser.feed_cut()
    parser.feed(tail)
    parser.close()
    index = _assemble(builder, found, forms.known)
    if index.log:
        raise _UnusualError
    rows = _sampled(np.concatenate(found.forms))
    texts = [_read(file, int(begins[i]), int(begins[i + 1])) for i in rows]
    _compare(index, rows, texts, groups)
    return replace(index, excerpt=Excerpt(rows, head + b"".join(texts) + tail))


def _head(file: FileIO) -> bytes:
    """Everything before the first spectrum."""
    head = b""
    while len(head) < _MOST_AROUND:
        more = _read_at(file, len(head), 1 << 16)
        start = max(0, len(head) - 10)
        head += more
        at = head.find(b"<spectrum", start)
        while at >= 0:
            if head[at + 9 : at + 10] in (b" ", b"\t", b"\r", b"\n"):
                return head[:at]
            if at + 9 == len(head):
                break
            at = head.find(b"<spectrum", at + 9)
        if not more:
            break
    raise _UnusualError


def _spectra(
    file: FileIO, name: str, span: tuple[int, int], forms: Forms, groups: dict[str, Params]
) -> _Scanned:
    """Hold everything from `span[0]` on against the forms, learning new ones, to the last one."""
    from corespot.io import imzml_scan_kernel as kernel

    found = _Scanned(end=span[0])
    buffer = np.empty(BLOCK_BYTES, dtype=np.uint8)
    at, end, read_to = 0, 0, span[0]
    while True:
        # What is left of the last block goes before the next.
        buffer[: end - at] = buffer[at:end].copy()
        end, at = end - at, 0
        if end > BLOCK_BYTES // 2:
            raise _UnusualError
        file.seek(read_to)
        got = file.readinto(buffer.data[end:])
        if not got:
            raise _UnusualError
        end, read_to = end + got, read_to + got
        start = read_to - end
        while True:
            shortest = min((sum(map(len, form.pieces)) for form in forms.known), default=1 << 10)
            capacity = (end - at) // shortest + 1
            rows = np.empty((capacity, N_COLUMNS), dtype=np.int64)
            form = np.empty(capacity, dtype=np.int16)
            begins = np.empty(capacity, dtype=np.int64)
            at, n, why = kernel.scan(
                buffer,
                at,
                end,
                forms.literal,
                forms.piece,
                forms.role,
                forms.first_piece,
                forms.constant,
                rows,
                form,
                begins,
            )
            found.rows.append(rows[:n])
            found.forms.append(form[:n])
            found.begins.append(begins[:n] + start)
            found.end = start + at
            if why == kernel.DONE:
                return found
            if why == kernel.NEEDS_BYTES:
                break
            if why == kernel.UNKNOWN:
                text = whole_element(buffer[at:end].tobytes().lstrip())
                if text is None:
                    break
                learnt = learn_form(text, name, groups)
                if learnt is None or len(forms.known) == MOST_FORMS or not forms.add(learnt):
                    raise _UnusualError


class _Around:
    """Parses what stands around the spectra."""

    def __init__(self, builder: IndexBuilder) -> None:
        self._listener = events.Listener(builder)
        self._builder = builder
        self._cut = False
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=events.tags(*events.STARTS, *events.ENDS, _CUT),
            **events.PARSER,
        )

    def feed(self, text: bytes) -> None:
        """Parse further bytes."""
        self._parser.feed(text)
        for event, element in self._parser.read_events():
            if self._listener.name(element) == _CUT:
                self._found_cut(element)
            else:
                self._listener.take(event, element)

    def feed_cut(self) -> None:
        """Mark the place where spectra are left out."""
        self.feed(f"<{_CUT}/>".encode())

    def _found_cut(self, element: Any) -> None:
        # Only elsewhere than in a comment or the like does the mark come out, and only here is
        # the place for spectra.
        parents = [self._listener.name(parent) for parent in element.iterancestors()]
        if parents not in _PARENTS or len(self._builder.coordinates) != 1:
            raise _UnusualError
        self._cut = True

    def close(self) -> None:
        """End the document; what is wrong with it is told here at the latest."""
        self._parser.close()
        self.feed(b"")
        if not self._cut or len(self._builder.coordinates) != 1:
            raise _UnusualError


def _assemble(builder: IndexBuilder, found: _Scanned, forms: list[SpectrumForm]) -> ImzMLIndex:
    if builder.log:
        raise _UnusualError
    rows, form = np.concatenate(found.rows), np.concatenate(found.forms)
    arrays = []
    for k in range(2):
        offset, length, encoded = np.ascontiguousarray(rows[:, 3 + 3 * k : 6 + 3 * k].T)
        dtype = np.array([f.dtypes[k] for f in forms], dtype=np.int8)[form]
        compressed = np.array([f.compressed[k] for f in forms], dtype=np.bool_)[form]
        arrays.append(ArrayIndex(offset, length, encoded, dtype, compressed))
    return builder.finish_with(np.ascontiguousarray(rows[:, :3]), arrays[0], arrays[1])


def _sampled(form: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
    """First and last spectrum, the first of each form, and some more."""
    spread = np.linspace(0, form.size - 1, N_SAMPLED).astype(np.int64)
    return np.unique(np.concatenate([spread, np.unique(form, return_index=True)[1]]))


def _compare(
    index: ImzMLIndex,
    rows: npt.NDArray[np.int64],
    texts: list[bytes],
    groups: dict[str, Params],
) -> None:
    """Parse some spectra after all."""
    builder = IndexBuilder(index.name)
    builder.groups = groups
    for text in texts:
        builder.spectrum(etree.fromstring(text, etree.XMLParser(**events.PARSER)))
    same = not builder.log and np.array_equal(builder.coordinates, index.coordinates[rows])
    for kind, ours in (("mz", index.mz), ("intensity", index.intensity)):
        theirs = builder.columns[kind].finish()
        for column in ("offset", "length", "encoded", "dtype", "compressed"):
            same &= np.array_equal(getattr(theirs, column), getattr(ours, column)[rows])
    if not same:
        raise _UnusualError


def _read_at(file: FileIO, start: int, most: int) -> bytes:
    file.seek(start)
    return file.read(most)


def _read(file: FileIO, start: int, end: int, most: int = BLOCK_BYTES) -> bytes:
    if end - start > most:
        raise _UnusualError
    text = _read_at(file, start, end - start)
    if len(text) != end - start:
        raise _UnusualError
    return text
