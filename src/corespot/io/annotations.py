"""Read the csv tables of a cohort as text, and say exactly what is wrong where that fails."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from corespot.cohort.tables import TextTable
from corespot.errors import Problem

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_LINE_END = re.compile(rb"\r\n|\r|\n")
_QUOTED = re.compile(r'"[^"]*"')
#: First bytes of files that are often taken for csv, with what to say about them.
_FOREIGN = {
    b"PK\x03\x04": "an Excel workbook (or another zip archive)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"<?xml": "XML",
}


def read_text_table(path: Path) -> tuple[TextTable | None, list[Problem]]:
    """Read a table without interpreting any cell.

    UTF-8 with or without a byte-order mark; separated by commas, semicolons or tabs, decided by
    the header line; any line ending. Cells and column names are trimmed; rows without any
    content are skipped. Nothing is turned into a missing value: a class called ``NA`` stays.

    Parameters
    ----------
    path : Path
        The file; it exists.

    Returns
    -------
    table : TextTable or None
        None if nothing could be read. Rows with a problem are left out of it.
    problems : list of Problem
        Everything wrong with the file as a file.
    """
    raw = path.read_bytes()
    text, problem = _decode(path.name, raw)
    if problem is not None:
        return None, [problem]
    try:
        rows = list(_rows(text))
    except csv.Error as error:
        return None, [_broken(path.name, text, error)]
    if not rows:
        return None, [_empty(path.name, "the file is empty" if not raw else "there is no row")]
    return _table(path.name, rows)


def _decode(name: str, raw: bytes) -> tuple[str, Problem | None]:
    for start, kind in _FOREIGN.items():
        if raw.startswith(start):
            return "", Problem(
                "not-csv",
                name,
                f"the file is {kind}",
                "text in UTF-8, separated by commas, semicolons or tabs",
                "save it as 'CSV UTF-8' from the spreadsheet program",
            )
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        row = len(_LINE_END.split(raw[: error.start]))
        before = raw[max(0, error.start - 20) : error.start].decode("ascii", "replace")
        return "", Problem(
            "not-utf8",
            f"{name}, row {row}",
            f"byte {raw[error.start]:#04x} at position {error.start}, after "
            f"{_LINE_END.split(before.encode())[-1].decode()!r}, is not UTF-8",
            "text in UTF-8",
            "save it as 'CSV UTF-8', or convert it: iconv -f WINDOWS-1252 -t UTF-8",
        )
    if "\x00" in text:
        row = len(_LINE_END.split(text[: text.index(chr(0))].encode()))
        return "", Problem(
            "not-csv",
            f"{name}, row {row}",
            "the file holds zero bytes: it is no text, or damaged",
            "text in UTF-8, separated by commas, semicolons or tabs",
            "copy or export it again",
        )
    return text, None


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Row number (as an editor shows it) and trimmed cells of every row with content."""
    first = re.split(r"[\r\n]", text.lstrip("\r\n"), maxsplit=1)[0]
    declared = re.fullmatch(r"sep=([,;\t|])", first)
    delimiter = declared.group(1) if declared else _delimiter(first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    end = 0
    for cells in reader:
        start, end = end + 1, reader.line_num
        trimmed = [cell.strip() for cell in cells]
        if any(trimmed) and not (declared and delimiter.join(cells).startswith("sep=")):
            yield start, trimmed


def _delimiter(header: str) -> str:
    bare = _QUOTED.sub("", header)
    return max(_DELIMITERS, key=bare.count)


def _table(name: str, rows: list[tuple[int, list[str]]]) -> tuple[TextTable | None, list[Problem]]:
    header_row, header = rows[0]
    width = len(header)
    while header and not header[-1]:
        header = header[:-1]
    problems = _header_problems(name, header_row, header)
    numbers, kept = [], []
    for number, cells in rows[1:]:
        if len(cells) < len(header) or any(cells[len(header) :]):
            problems.append(_ragged(name, number, cells, header, width))
            continue
        numbers.append(number)
        kept.append(cells[: len(header)])
    if len(rows) == 1:
        problems.append(_empty(name, "there is a header, but no row"))
    frame = pd.DataFrame(kept, columns=header, index=numbers, dtype=object)
    named = [i for i, column in enumerate(header) if column and column not in header[:i]]
    return TextTable(name, frame.iloc[:, named]), problems


def _header_problems(name: str, row: int, header: list[str]) -> list[Problem]:
    problems = [
        Problem(
            "duplicate-column",
            f"{name}, row {row}",
            f"column {column!r} is there {header.count(column)} times",
            "every column once",
            "rename or delete all but one",
        )
        for column in dict.fromkeys(header)
        if column and header.count(column) > 1
    ]
    problems += [
        Problem(
            "unnamed-column",
            f"{name}, row {row}",
            f"column {position} has no name",
            "a name for every column",
            "name the column or delete it",
        )
        for position, column in enumerate(header, start=1)
        if not column
    ]
    return problems


def _ragged(name: str, number: int, cells: list[str], header: list[str], width: int) -> Problem:
    return Problem(
        "ragged-row",
        f"{name}, row {number}",
        f"{len(cells)} cells: {' | '.join(cells[:8])}{' | …' if len(cells) > 8 else ''}",
        f"{len(header)} cells, as in the header",
        "add the missing separators, or put cells that hold a separator (such as a decimal "
        "comma) into double quotes"
        if len(cells) > width
        else "add the missing cells; an empty cell still needs its separator",
    )


def _empty(name: str, found: str) -> Problem:
    return Problem(
        "empty-table",
        name,
        found,
        "a header line and at least one row",
        "export the table again, or see docs/cohort-format.md for its columns",
    )


def _broken(name: str, text: str, error: csv.Error) -> Problem:
    """Name the row that breaks a csv file as such: quotes that never close, or an endless cell."""
    if "field limit" in str(error):
        long = max(enumerate(text.splitlines(), start=1), key=lambda numbered: len(numbered[1]))
        return Problem(
            "broken-quotes",
            f"{name}, row {long[0]}",
            f"a cell is longer than {csv.field_size_limit():,} characters",
            "one short value a cell",
            "look for a quote that is never closed, or for pasted text, in this row",
        )
    row = next(
        (
            number
            for number, line in enumerate(io.StringIO(text, newline=None), start=1)
            if line.count('"') % 2
        ),
        1,
    )
    return Problem(
        "broken-quotes",
        f"{name}, row {row}",
        f"the quotes do not match ({error})",
        'cells with a separator inside double quotes, a quote itself written twice ("")',
        "correct the quotes in this row",
    )
