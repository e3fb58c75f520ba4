"""Known markers: m/z with a name and a tolerance, and where they appear among ranked windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from corespot.cohort.marker_table import DEFAULT_TOLERANCE, parse_tolerance
from corespot.errors import ParamsError
from corespot.explain.isotopes import ISOTOPE_SPACING_DA
from corespot.units import Tolerance

_MISSING = {"", "nan", "none", "<na>"}


@dataclass(frozen=True)
class Marker:
    """A peptide or protein known to matter, with the m/z where it should appear.

    Parameters
    ----------
    name : str
        What it is called (``"CK7"``).
    mz : float
        m/z of its monoisotopic peak.
    tolerance : Tolerance
        How far from `mz` a peak may lie to count.
    """

    name: str
    mz: float
    tolerance: Tolerance = DEFAULT_TOLERANCE


@dataclass(frozen=True)
class MarkerMatch:
    """A marker found at an m/z.

    Parameters
    ----------
    marker : Marker
        The marker.
    isotope : int
        0 if found at its own m/z, 1 or 2 if at its first or second heavy isotope.
    offset_da : float
        Measured minus expected m/z.
    """

    marker: Marker
    isotope: int
    offset_da: float

    def __str__(self) -> str:
        return self.marker.name + (f" (isotope +{self.isotope})" if self.isotope else "")


def parse_markers(table: pd.DataFrame) -> tuple[Marker, ...]:
    """Read a marker table with the columns ``name``, ``mz`` (or ``m/z``) and ``tolerance``.

    A tolerance is text such as ``0.3 Da`` or ``200 ppm``; a bare number is in Da; an empty
    cell, or no such column, means 0.3 Da. Further columns are left alone. A name may occur
    more than once (two peptides of one protein).

    Raises
    ------
    ParamsError
        Naming every fault at once: a missing column, an empty name, an m/z or a tolerance that
        is not a positive number, an unknown unit.
    """
    columns = {str(column).strip().lower(): column for column in table.columns}
    mz_column = columns.get("mz", columns.get("m/z"))
    faults: list[str] = []
    if "name" not in columns:
        faults.append("markers.csv: column 'name' is missing")
    if mz_column is None:
        faults.append("markers.csv: column 'mz' is missing")
    if mz_column is None or faults:
        found = ", ".join(str(column) for column in table.columns) or "none"
        raise ParamsError("\n".join([*faults, f"columns found: {found}"]))
    markers: list[Marker] = []
    seen: set[tuple[str, float]] = set()
    for line, (_, row) in enumerate(table.iterrows(), start=2):
        where = f"markers.csv, row {line}"
        name = _text(row[columns["name"]])
        if not name:
            faults.append(f"{where}: the name is empty")
        mz = _positive(row[mz_column])
        if mz is None:
            faults.append(f"{where}: m/z must be a positive number, got {row[mz_column]!r}")
        tolerance: Tolerance | None = DEFAULT_TOLERANCE
        if "tolerance" in columns and _text(row[columns["tolerance"]]):
            tolerance = parse_tolerance(_text(row[columns["tolerance"]]))
        if tolerance is None:
            faults.append(
                f"{where}: a tolerance is written '0.3 Da' or '200 ppm', "
                f"got {row[columns['tolerance']]!r}"
            )
        if name and mz is not None and (name, mz) in seen:
            faults.append(f"{where}: marker {name!r} at m/z {mz:g} is given twice; remove one")
        if name and mz is not None and tolerance is not None:
            seen.add((name, mz))
            markers.append(Marker(name, mz, tolerance))
    if faults:
        raise ParamsError("\n".join(faults))
    return tuple(markers)


def match_markers(mz: float, markers: Sequence[Marker]) -> list[MarkerMatch]:
    """Markers found at `mz`, the closest first.

    A marker matches at its own m/z or, if none does so, at its first or second heavy isotope.
    """
    for isotopes in ((0,), (1, 2)):
        matches = [
            MarkerMatch(marker, isotope, mz - marker.mz - isotope * ISOTOPE_SPACING_DA)
            for marker in markers
            for isotope in isotopes
            if abs(mz - marker.mz - isotope * ISOTOPE_SPACING_DA)
            <= marker.tolerance.at_da(marker.mz)
        ]
        if matches:
            return sorted(matches, key=lambda match: abs(match.offset_da))
    return []


def marker_ranks(windows: pd.DataFrame, markers: Sequence[Marker]) -> pd.DataFrame:
    """Best rank of each marker among ranked m/z windows.

    Parameters
    ----------
    windows : DataFrame
        Result of `rank_windows` for one class.
    markers : sequence of Marker
        The markers looked for.

    Returns
    -------
    DataFrame
        One row a marker: ``marker, mz, rank, found_mz, isotope, offset_da, height``. A marker
        in no window has ``rank`` missing.
    """
    rows = []
    for marker in markers:
        row = {"marker": marker.name, "mz": marker.mz, "rank": pd.NA, "found_mz": np.nan}
        row |= {"isotope": pd.NA, "offset_da": np.nan, "height": np.nan}
        for window in windows.sort_values("rank").to_dict("records"):
            matches = match_markers(float(window["mz"]), [marker])
            if matches:
                row |= {"rank": int(window["rank"]), "found_mz": float(window["mz"])}
                row |= {"isotope": matches[0].isotope, "offset_da": matches[0].offset_da}
                row["height"] = float(window["height"])
                break
        rows.append(row)
    names = ["marker", "mz", "rank", "found_mz", "isotope", "offset_da", "height"]
    return pd.DataFrame(rows, columns=names).astype({"rank": "Int64", "isotope": "Int64"})


def _text(value: object) -> str:
    text = str(value).strip()
    return "" if text.lower() in _MISSING else text


def _positive(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if np.isfinite(number) and number > 0 else None
