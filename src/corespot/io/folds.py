"""The folds of a task on disk: assignments as parquet, settings and fingerprint as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from corespot.cohort.foldtable import FoldTable
from corespot.errors import FoldError, StoreError
from corespot.io.artifacts import read_json, read_table, whole_folder, write_json, write_table

FORMAT_VERSION = 1
_TABLE = "assignment.parquet"
_META = "folds.json"


def write_folds(path: Path | str, table: FoldTable) -> None:
    """Write a fold table as a folder of ``assignment.parquet`` and ``folds.json``.

    The folder appears whole or not at all. The JSON carries the fingerprint of the whole, so that
    files which do not belong together are refused by `read_folds`.

    Parameters
    ----------
    path : Path or str
        Folder to write; an older one is replaced.
    table : FoldTable
        The folds of one task.
    """
    meta = {
        "format_version": FORMAT_VERSION,
        "task": table.task,
        "classes": table.classes,
        "group": table.grouping,
        "optimistic": table.optimistic,
        "k": table.k,
        "repeats": table.repeats,
        "seed": table.seed,
        "n_spots": len(table.rows),
        "n_groups": int(table.assignment["group"].nunique()),
        "spots_digest": table.spots_digest,
        "fingerprint": table.fingerprint,
        "notes": table.notes,
        "counts": table.counts().to_dict(orient="records"),
    }
    with whole_folder(path) as part:
        write_table(part / _TABLE, table.assignment)
        write_json(part / _META, meta)


def read_folds(path: Path | str) -> FoldTable:
    """Read a fold table; its constructor checks it for leakage again.

    Parameters
    ----------
    path : Path or str
        Folder that `write_folds` wrote.

    Raises
    ------
    StoreError
        If a file is missing, of another format version, or was changed after it was written.
    FoldError
        If a group is on both sides of a fold.
    """
    path = Path(path)
    meta = read_json(path / _META)
    if not isinstance(meta, dict) or meta.get("format_version") != FORMAT_VERSION:
        version = meta.get("format_version") if isinstance(meta, dict) else None
        raise StoreError(
            f"{path / _META}: fold format {version!r} cannot be read, this version "
            f"reads {FORMAT_VERSION}; run `dvc repro folds` again"
        )
    table = _table(path, meta, read_table(path / _TABLE))
    if table.fingerprint != meta["fingerprint"]:
        raise StoreError(
            f"{path}: {_TABLE} and {_META} do not belong together, or were edited: "
            "the fingerprint differs; run `dvc repro folds` again"
        )
    return table


def _table(path: Path, meta: dict[str, Any], assignment: pd.DataFrame) -> FoldTable:
    try:
        return FoldTable(
            task=meta["task"],
            classes=tuple(meta["classes"]),
            grouping=meta["group"],
            k=meta["k"],
            repeats=meta["repeats"],
            seed=meta["seed"],
            assignment=assignment,
            spots_digest=meta["spots_digest"],
            notes=tuple(meta["notes"]),
        )
    except KeyError as error:
        raise StoreError(
            f"{path / _META} lacks the key {error}; run `dvc repro folds` again"
        ) from None
    except FoldError as error:
        raise FoldError(f"{path}: {error}") from None
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}); run `dvc repro folds` again") from None
