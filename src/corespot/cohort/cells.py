"""Rules for single cells of the cohort tables: names, coordinates, regions of interest."""

from __future__ import annotations

import re
from collections.abc import Iterable

from corespot.cohort.tables import TextTable
from corespot.errors import Problem

_WHOLE = re.compile(r"[+-]?[0-9]{1,9}(\.0*)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def empty_ids(table: TextTable, columns: Iterable[str]) -> list[Problem]:
    """Refuse empty cells in `columns`, which name things."""
    return [
        Problem(
            "empty-id",
            f"{table.name}, row {row}",
            f"the cell in column {column!r} is empty",
            "a name (only label and metadata cells may be empty)",
            "fill it in, or delete the row: spectra without a row count as background"
            if table.name == "spots.csv"
            else "fill it in",
        )
        for column in columns
        if column in table.frame
        for row in table.frame.index[table.frame[column] == ""]
    ]


def odd_characters(table: TextTable, columns: Iterable[str]) -> list[Problem]:
    """Refuse line breaks and other control characters in `columns`, which name things."""
    return [
        Problem(
            "odd-character",
            f"{table.name}, row {row}",
            f"{column} is {cell!r}, with a line break or another control character",
            "a name of visible characters on one line",
            "write the name again",
        )
        for column in columns
        if column in table.frame
        for row, cell in table.frame[column].items()
        if _CONTROL.search(cell)
    ]


def coordinate_problems(table: TextTable, column: str) -> list[Problem]:
    """Refuse everything but whole numbers in `column`."""
    cells = table.frame[column]
    problems = []
    for row, cell in cells[cells.map(whole_number).isna()].items():
        if _DECIMAL_COMMA.fullmatch(cell):
            problems.append(
                Problem(
                    "decimal-comma",
                    f"{table.name}, row {row}",
                    f"{column} is {cell!r}, with a decimal comma",
                    "a whole number: the index of the spot as the imzML file counts it",
                    "write whole numbers without comma or point",
                )
            )
        else:
            problems.append(
                Problem(
                    "coordinate-not-whole",
                    f"{table.name}, row {row}",
                    f"{column} is {cell!r}" if cell else f"{column} is empty",
                    "a whole number: the index of the spot as the imzML file counts it, "
                    "no length in micrometres",
                    "write the coordinate that the imzML file gives, or delete the row",
                )
            )
    return problems


def whole_number(cell: str) -> int | None:
    """Read ``12`` or ``12.0``; None for anything else."""
    return int(cell.split(".")[0]) if _WHOLE.fullmatch(cell) else None


def plain_roi(cell: str) -> str:
    """ROI as written by Excel or pandas (``1.0``, ``TRUE``) in the plain form (``1``)."""
    number = whole_number(cell)
    if number is not None:
        return str(number)
    return {"true": "1", "false": "0"}.get(cell.casefold(), cell)
