"""The door before the XML parser: refuses entities and odd encodings from the raw bytes.

A document type declaration is the only way to define an entity, so without one there is neither
an external entity to fetch (XXE) nor one to expand (billion laughs). The whole file is scanned
in chunks before any parser sees it. The scan is blind to where the bytes stand: a comment that
quotes ``<!DOCTYPE`` is refused too, which costs nothing real.
"""

from __future__ import annotations

import re
from pathlib import Path

from corespot.errors import CohortError
from corespot.io.imzml_problems import make_problem

_CHUNK = 1 << 22
_HEAD = 1024
_TAIL = 1 << 16

_FORBIDDEN = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_OVERLAP = len(b"<!DOCTYPE") - 1
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)

# Encodings in which the bytes of "<!DOCTYPE" are its ASCII codes, once the zero bytes of UTF-16
# are dropped. UTF-7 or EBCDIC could hide it from the scan and stay outside.
_ALLOWED = re.compile(
    r"(utf-?8|utf-?16(le|be)?|us-ascii|ascii|iso[-_]?8859-\d{1,2}|latin-?\d{1,2}"
    r"|windows-125\d|cp-?125\d)",
    re.IGNORECASE,
)


def refuse_unsafe_xml(path: Path) -> None:
    """Refuse files that are no XML, declare entities, or use an encoding that could hide them.

    Parameters
    ----------
    path : Path
        The .imzML file.

    Raises
    ------
    CohortError
        With code ``not-xml``, ``unsupported-encoding`` or ``xml-entities``.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as file:
        head = _plain(file.read(_HEAD))
        if not head.lstrip().startswith(b"<"):
            found = "the file is empty" if not head else f"the file begins with {head[:16]!r}"
            raise CohortError([make_problem("not-xml", path.name, found)])
        declared = _DECLARED.search(head)
        if declared is not None:
            encoding = declared.group(1).decode("ascii", "replace")
            if _ALLOWED.fullmatch(encoding) is None:
                found = f"the declared encoding is {encoding!r}"
                raise CohortError([make_problem("unsupported-encoding", path.name, found)])
        file.seek(0)
        carried = b""
        while chunk := file.read(_CHUNK):
            window = carried + chunk.replace(b"\0", b"")
            hit = _FORBIDDEN.search(window)
            if hit is not None:
                found = f"the file contains {hit.group().decode('ascii')}"
                raise CohortError([make_problem("xml-entities", path.name, found)])
            carried = window[-_OVERLAP:]


def is_plainly_safe(head: bytes) -> bool:
    """Whether the beginning of a file is ASCII where ASCII is meant, and declares nothing.

    Parameters
    ----------
    head : bytes
        More than the XML declaration; everything up to the first spectrum, say.
    """
    start = head[:_HEAD]
    text = start.removeprefix(_BOMS[0])
    if not text.startswith(b"<") or holds_declaration(head):
        return False
    if text.startswith(b"<?xml") and b"?>" not in text:
        return False
    declared = _DECLARED.search(text)
    if declared is None:
        return True
    encoding = declared.group(1).decode("ascii", "replace")
    return _ALLOWED.fullmatch(encoding) is not None and "16" not in encoding[:6]


def holds_declaration(text: bytes) -> bool:
    """Whether a declaration may stand in `text`: the word itself, or bytes that could hide it."""
    return b"\0" in text or _FORBIDDEN.search(text) is not None


def ends_properly(path: Path) -> bool:
    """Whether the closing mzML tag stands near the end of the file."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return re.search(rb"</(?:\w+:)?mzML\s*>", file.read().replace(b"\0", b"")) is not None


def _plain(head: bytes) -> bytes:
    for mark in _BOMS:
        head = head.removeprefix(mark)
    return head.replace(b"\0", b"")
