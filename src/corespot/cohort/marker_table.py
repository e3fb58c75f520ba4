"""The optional ``markers.csv``: m/z values that a lab knows, each with its tolerance."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
import pandas as pd

from corespot.cohort.tables import TextTable
from corespot.errors import Problem
from corespot.units import Tolerance

MARKER_COLUMNS = ("name", "mz", "tolerance")
#: Used where a marker gives none; published m/z are often rounded to 0.1 Da.
DEFAULT_TOLERANCE = Tolerance(0.3, "da")

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?|\.[0-9]+")
_TOLERANCE = re.compile(r"(.*?)\s*(da|ppm)?", re.IGNORECASE)


def parse_marker_table(table: TextTable) -> tuple[pd.DataFrame, list[Problem]]:
    """Check ``markers.csv``.

    Parameters
    ----------
    table : TextTable
        The table as read, with the columns ``name``, ``mz`` (or ``m/z``) and, if wanted,
        ``tolerance``.

    Returns
    -------
    markers : DataFrame
        ``name`` (str), ``mz`` (float64) and ``tolerance`` (text with its unit, ``"0.3 Da"``).
    problems : list of Problem
        Everything wrong with it; rows with a problem are not in `markers`.
    """
    frame = table.frame.rename(columns={"m/z": "mz"})
    problems = [
        Problem(
            "missing-column",
            f"{table.name}, row 1",
            f"there is no column {column!r}",
            "the columns name, mz and, optionally, tolerance",
            "add or rename the column, or delete markers.csv, which is optional",
        )
        for column in ("name", "mz")
        if column not in frame
    ]
    rows: list[tuple[str, float, str]] = []
    for row, cells in frame.iterrows() if not problems else ():
        faults = []
        mz = _positive(cells["mz"])
        tolerance = parse_tolerance(cells.get("tolerance", ""))
        if not cells["name"]:
            faults.append(("the name is empty", "a name such as CK7"))
        if mz is None:
            faults.append((f"mz is {cells['mz']!r}", "a positive number with a decimal point"))
        if tolerance is None:
            faults.append(
                (f"tolerance is {cells['tolerance']!r}", "text such as '0.3 Da' or '200 ppm'")
            )
        if mz is not None and (cells["name"], mz) in {(name, known) for name, known, _ in rows}:
            faults.append((f"{cells['name']!r} at m/z {mz:g} is given twice", "one row each"))
        for found, expected in faults:
            problems.append(
                Problem(
                    "bad-marker", f"{table.name}, row {row}", found, expected, "correct the row"
                )
            )
        if not faults and mz is not None:
            rows.append((cells["name"], mz, str(tolerance)))
    markers = pd.DataFrame(rows, columns=list(MARKER_COLUMNS))
    return markers.astype({"mz": np.float64}), problems


def parse_tolerance(text: str) -> Tolerance | None:
    """Read ``"0.3 Da"``, ``"200 ppm"``, ``"0.3"`` (in Da) or ``""`` (0.3 Da); None if neither."""
    if not text:
        return DEFAULT_TOLERANCE
    match = _TOLERANCE.fullmatch(text)
    value = _positive(match.group(1)) if match else None
    if match is None or value is None:
        return None
    unit: Literal["da", "ppm"] = "ppm" if (match.group(2) or "").lower() == "ppm" else "da"
    return Tolerance(value, unit)


def _positive(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else 0.0
    return value if 0.0 < value < float("inf") else None
