"""Rules for the columns and rows of ``spots.csv`` and ``cores.csv``."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from corespot.cohort.cells import (
    coordinate_problems,
    empty_ids,
    odd_characters,
    plain_roi,
    whole_number,
)
from corespot.cohort.tables import CORE_COLUMNS, RESERVED_COLUMNS, SPOT_COLUMNS, TextTable
from corespot.errors import Problem, suggestion

_ROWS_NAMED = 5


def parse_spots(table: TextTable) -> tuple[pd.DataFrame, list[Problem]]:
    """Check the columns and cells of ``spots.csv``.

    Parameters
    ----------
    table : TextTable
        The table as read.

    Returns
    -------
    frame : DataFrame
        The rows, still indexed by row number; ``x`` and ``y`` are integers, or None where the
        cell is not a whole number.
    problems : list of Problem
        Everything wrong with it.
    """
    frame = table.frame.copy()
    problems = _column_problems(table, SPOT_COLUMNS)
    problems += empty_ids(table, ("file", "core")) + odd_characters(table, ("file", "core"))
    for column in ("x", "y"):
        if column in frame:
            problems += coordinate_problems(table, column)
            frame[column] = frame[column].map(whole_number).astype(object)
    if "roi" in frame:
        frame["roi"] = frame["roi"].map(plain_roi).astype(object)
    if {"file", "x", "y"} <= set(frame.columns):
        known = frame.dropna(subset=["x", "y"])
        for (file, x, y), rows in _repeated(known, ["file", "x", "y"]):
            problems.append(
                Problem(
                    "duplicate-spot",
                    f"{table.name}, {_rows(rows)}",
                    f"the spot x={x}, y={y} of {file} is given {len(rows)} times",
                    "one row for every spot",
                    f"keep the right one and delete the others, also if they agree "
                    f"(the first is row {rows[0]})",
                )
            )
    return frame, problems


def parse_cores(table: TextTable) -> tuple[pd.DataFrame, list[Problem]]:
    """Check the columns and cells of ``cores.csv``; see `parse_spots` for what is returned."""
    frame = table.frame.copy()
    problems = _column_problems(table, CORE_COLUMNS)
    problems += empty_ids(table, CORE_COLUMNS) + odd_characters(table, CORE_COLUMNS)
    if "core" not in frame:
        return frame, problems
    for (core,), rows in _repeated(frame[frame["core"] != ""], ["core"]):
        where = f"{table.name}, {_rows(rows)}"
        tmas = _distinct(frame, rows, "tma")
        if len(tmas) > 1:
            problems.append(
                Problem(
                    "core-on-two-tmas",
                    where,
                    f"core {core!r} is on the TMAs {' and '.join(map(repr, tmas))}",
                    "every core on one TMA, in one row",
                    "if these are different cores, give them different names here and in "
                    f"spots.csv (for example '{tmas[0]}-{core}'); otherwise delete the wrong row",
                )
            )
        else:
            differing = [
                column
                for column in frame.columns
                if column != "core" and len(_distinct(frame, rows, column)) > 1
            ]
            detail = f"; the rows differ in {', '.join(differing)}" if differing else ""
            problems.append(
                Problem(
                    "duplicate-core",
                    where,
                    f"core {core!r} is given {len(rows)} times{detail}",
                    "one row for every core",
                    "keep the right row and delete the others",
                )
            )
    return frame, problems


def cross_problems(
    spots: pd.DataFrame, cores: pd.DataFrame, *, cores_complete: bool = True
) -> list[Problem]:
    """Check the two parsed tables against each other: shared columns, cores that do not exist.

    Without `cores_complete` (rows of ``cores.csv`` could not be read) no core is called unknown.
    """
    problems = [
        Problem(
            "column-in-both-tables",
            f"spots.csv and cores.csv, column {column!r}",
            "both tables have this column",
            "every column except 'core' in one table only, so that there is one truth",
            f"delete {column!r} from "
            + ("spots.csv" if column in CORE_COLUMNS else "cores.csv")
            + ", or rename it there",
        )
        for column in spots.columns
        if column != "core" and column in cores.columns
    ]
    if "core" in spots and "core" in cores and cores_complete:
        known = sorted(set(cores["core"]) - {""})
        unknown = spots[~spots["core"].isin([*known, ""])]
        for core, rows in unknown.groupby("core", sort=False).groups.items():
            problems.append(
                Problem(
                    "unknown-core",
                    f"spots.csv, {_rows(list(rows))}",
                    f"core {core!r} is not in cores.csv",
                    "a core that cores.csv describes",
                    f"correct the name or add the core to cores.csv; "
                    f"{_short_suggestion(str(core), known)}",
                )
            )
    return problems


def _column_problems(table: TextTable, required: Sequence[str]) -> list[Problem]:
    columns = list(table.frame.columns)
    problems = []
    for column in required:
        if column in columns:
            continue
        close = [name for name in columns if name.casefold() == column]
        others = [name for name in columns if name not in required]
        hint = f"did you mean {close[0]!r}?" if close else suggestion(column, others)
        problems.append(
            Problem(
                "missing-column",
                f"{table.name}, row 1",
                f"there is no column {column!r}",
                f"the columns {', '.join(required)}, in any order, and any others",
                f"add or rename the column; {hint}",
            )
        )
    problems += [
        Problem(
            "reserved-column",
            f"{table.name}, row 1",
            f"there is a column {column!r}",
            "another name: corespot adds a column of this name itself",
            "rename the column",
        )
        for column in RESERVED_COLUMNS
        if column in columns
    ]
    return problems


def _repeated(
    frame: pd.DataFrame, columns: list[str]
) -> list[tuple[tuple[object, ...], list[int]]]:
    """Values of `columns` that occur in several rows, with the row numbers."""
    again = frame[frame.duplicated(columns, keep=False)]
    rows: dict[tuple[object, ...], list[int]] = {}
    for row, value in zip(again.index, again[columns].itertuples(index=False), strict=True):
        rows.setdefault(tuple(value), []).append(row)
    return list(rows.items())


def _distinct(frame: pd.DataFrame, rows: list[int], column: str) -> list[str]:
    return list(dict.fromkeys(frame.loc[rows, column])) if column in frame else []


def _rows(rows: Sequence[int]) -> str:
    """``row 4``, or ``rows 4, 5, 6, 7, 8 and 20 more``."""
    named = ", ".join(str(row) for row in rows[:_ROWS_NAMED])
    more = f" and {len(rows) - _ROWS_NAMED} more" if len(rows) > _ROWS_NAMED else ""
    return f"row{'s' if len(rows) > 1 else ''} {named}{more}"


def _short_suggestion(word: str, known: Sequence[str]) -> str:
    """`suggestion`, but without listing hundreds of cores."""
    hint = suggestion(word, known)
    if hint.startswith("known: ") and len(known) > _ROWS_NAMED:
        return f"known: {', '.join(known[:_ROWS_NAMED])} and {len(known) - _ROWS_NAMED} more"
    return hint
