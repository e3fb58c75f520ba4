"""What can be wrong with an imzML file: one code each, with what was expected and the remedy."""

from __future__ import annotations

from collections import Counter

from corespot.errors import CohortError, Problem

#: Problems of one code listed one by one before the rest are counted.
MAX_LISTED = 10

_EXPORT = "export the measurement again, or ask whoever wrote the file to repair it"
_COPY = "copy both files of the measurement again from where they were acquired"

#: code: (what was expected, what to do)
PROBLEMS: dict[str, tuple[str, str]] = {
    "missing-imzml": ("a readable .imzML file", "check the path and the spelling"),
    "unreadable-file": ("a file that may be read", "check the file's permissions and the disk"),
    "missing-ibd": (
        "the binary file of the same name beside it, ending in .ibd",
        "copy the .ibd next to the .imzML, under the same name",
    ),
    "not-xml": ("an XML document", "check that this is the .imzML and not another file; " + _COPY),
    "not-imzml": ("an mzML root element with a spectrumList", _EXPORT),
    "malformed-xml": ("well-formed XML in the encoding its first line declares", _EXPORT),
    "truncated-xml": ("XML up to its closing </mzML>", _COPY),
    "xml-entities": (
        "XML without a document type or entity declarations",
        "do not use this file unless you know who wrote it; imzML never needs them",
    ),
    "unsupported-encoding": (
        "UTF-8, UTF-16, ASCII, ISO-8859-x or Windows-125x",
        "convert the .imzML to UTF-8 and correct its first line",
    ),
    "zero-spectra": ("at least one spectrum", _EXPORT),
    "spectrum-count": ("as many spectra as the spectrumList announces", _COPY),
    "unknown-param-group": ("a referenceableParamGroup of that id in the header", _EXPORT),
    "unknown-binary-type": ("exactly one of: 16/32/64-bit float, 8/16/32/64-bit integer", _EXPORT),
    "unknown-compression": ("no compression or zlib compression", "export without compression"),
    "missing-array": ("one m/z array and one intensity array a spectrum", _EXPORT),
    "bad-offset": (
        "whole numbers for external offset, array length and encoded length",
        _EXPORT,
    ),
    "missing-coordinate": ("whole numbers for position x and position y", _EXPORT),
    "duplicate-coordinate": (
        "every position once",
        "keep one of the spectra, or give the measurements separate files",
    ),
    "negative-offset": (
        "offsets and lengths of zero or more",
        "files beyond 2 GB written with 32-bit numbers look like this: " + _EXPORT,
    ),
    "header-overlap": ("offsets of 16 or more: the first 16 bytes are the UUID", _EXPORT),
    "encoded-length": ("an encoded length of number type times array length", _EXPORT),
    "array-lengths-differ": ("as many intensities as m/z values", _EXPORT),
    "truncated-ibd": ("every array inside the .ibd", _COPY),
    "bad-compressed-data": ("a zlib stream that unpacks to the array's length", _COPY),
    "missing-uuid": ("a UUID in the header (IMS:1000080), as the standard demands", _EXPORT),
    "uuid-mismatch": (
        "the UUID of the .imzML in the first 16 bytes of the .ibd",
        "pair the .imzML with the .ibd written together with it",
    ),
    "checksum-mismatch": ("an .ibd with the checksum its .imzML states", _COPY),
    "intensity-range": ("intensities that fit a 32-bit float", "rescale them on export"),
    "mz-unsorted": ("m/z values in ascending order", _EXPORT),
    "mz-not-finite": ("m/z values that are numbers", _EXPORT),
    "mz-negative": ("m/z values of zero or more", _EXPORT),
    "intensity-not-finite": ("intensities that are numbers", _EXPORT),
    "parsers-disagree": (
        "the same offsets and positions from this reader and from pyimzml",
        "report this file as a fault of corespot and do not use it until it is explained",
    ),
}


class ProblemLog:
    """Collects the problems of one file; beyond `MAX_LISTED` of a kind it only counts."""

    def __init__(self) -> None:
        self._listed: list[Problem] = []
        self._counts: Counter[str] = Counter()
        self._last: dict[str, str] = {}

    def add(self, code: str, where: str, found: str) -> None:
        """Record one problem of kind `code`."""
        self._counts[code] += 1
        self._last[code] = where
        if self._counts[code] <= MAX_LISTED:
            self._listed.append(make_problem(code, where, found))

    def add_more(self, code: str, count: int, last: str) -> None:
        """Record `count` further problems of kind `code`, the last of them at `last`."""
        if count > 0:
            self._counts[code] += count
            self._last[code] = last

    def __bool__(self) -> bool:
        return bool(self._counts)

    def __contains__(self, code: object) -> bool:
        return code in self._counts

    def problems(self) -> list[Problem]:
        """Everything recorded, each kind closed by a line that counts what was not listed."""
        listed = list(self._listed)
        for code, count in self._counts.items():
            shown = sum(problem.code == code for problem in listed)
            if count > shown:
                found = f"the same in {count - shown} further places, the last of them here"
                listed.append(make_problem(code, self._last[code], found))
        return listed

    def raise_if_any(self) -> None:
        """Raise `CohortError` with everything recorded, if anything is."""
        if self:
            raise CohortError(self.problems())


def make_problem(code: str, where: str, found: str) -> Problem:
    """Problem of kind `code` with its standard expectation and remedy."""
    expected, remedy = PROBLEMS[code]
    return Problem(code, where, found, expected, remedy)
