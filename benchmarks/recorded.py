"""The ratios of earlier runs: read, compared, merged row by row.

A row is known by its script, its work and its peer. A ratio counts as slower when it is below the
recorded one by more than `NOISE`: two runs on a busy machine differ by less.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scripts import Outcome

from corespot.errors import StoreError
from corespot.io.artifacts import write_json

#: Part of the recorded ratio that a new one may fall short of it.
NOISE = 0.15

Key = tuple[str, str, str]


def read_recorded(path: Path) -> dict[Key, dict[str, Any]]:
    """Records by script, work and peer; none if there is no such file.

    Raises
    ------
    StoreError
        If the file is no list of records.
    """
    if not path.is_file():
        return {}
    try:
        return {key_of(record): record for record in json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(
            f"{path}: not a list of recorded ratios ({error}); restore it with git, or remove it "
            "and run `make bench RECORD=1`"
        ) from None


def key_of(record: dict[str, Any]) -> Key:
    """What names a row from one recording to the next."""
    return record["script"], record["work"], record["peer"]


def merged(
    known: dict[Key, dict[str, Any]], outcomes: Iterable[Outcome], *, date: str
) -> list[dict[str, Any]]:
    """Known records with those of `outcomes` in place of their own rows, sorted.

    Rows that were not measured this time, or whose script failed, stay as they were.
    """
    records = dict(known)
    for outcome in outcomes:
        for row in outcome.rows:
            record = {
                "script": outcome.script,
                "work": row["work"],
                "peer": row["peer"],
                "ratio": _rounded(row["ratio"]),
                "peer_s": _rounded(row["peer_s"]),
                "ours_s": _rounded(row["ours_s"]),
                "machine": outcome.machine,
                "date": date,
                "versions": outcome.versions,
            }
            records[key_of(record)] = record
    return [records[key] for key in sorted(records)]


def record(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Merge `outcomes` into the file, which is replaced whole."""
    today = datetime.date.today().isoformat()
    write_json(path, merged(read_recorded(path), outcomes, date=today))


def judged(ratio: float, known: dict[str, Any] | None, machine: str) -> str:
    """``"new"``, ``"slower"`` or ``""``; told with it, if the record is another machine's."""
    if known is None:
        return "new"
    if ratio >= known["ratio"] * (1 - NOISE):
        return ""
    return "slower" if known["machine"] == machine else "slower, but recorded on another machine"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
