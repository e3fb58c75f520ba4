"""The fold file: assignments as parquet, settings and fingerprint as JSON beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from corespot.cohort.foldtable import FoldTable
from corespot.errors import FoldError, StoreError
from corespot.io.artifacts import read_json, read_table, write_json, write_table

FORMAT_VERSION = 1


def write_folds(path: Path | str, table: FoldTable) -> None:
    """Write a fold table as ``<name>.parquet`` with its settings in ``<name>.json``.

    The JSON is written last and carries the fingerprint of the whole, so a pair of files that do
    not belong together is refused by `read_folds`.

    Parameters
    ----------
    path : Path or str
        Path of the parquet file.
    table : FoldTable
        The folds of one task.
    """
    path = _parquet(path)
    write_table(path, table.assignment)
    write_json(
        path.with_suffix(".json"),
        {
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
        },
    )


def read_folds(path: Path | str) -> FoldTable:
    """Read a fold table; its constructor checks it for leakage again.

    Parameters
    ----------
    path : Path or str
        Path of the parquet file.

    Raises
    ------
    StoreError
        If a file is missing, of another format version, or was changed after it was written.
    FoldError
        If a group is on both sides of a fold.
    """
    path = _parquet(path)
    meta = read_json(path.with_suffix(".json"))
    if not isinstance(meta, dict) or meta.get("format_version") != FORMAT_VERSION:
        version = meta.get("format_version") if isinstance(meta, dict) else None
        raise StoreError(
            f"{path.with_suffix('.json')}: fold format {version!r} cannot be read, this version "
            f"reads {FORMAT_VERSION}; run `dvc repro folds` again"
        )
    table = _table(path, meta, read_table(path))
    if table.fingerprint != meta["fingerprint"]:
        raise StoreError(
            f"{path} and {path.with_suffix('.json').name} do not belong together, or were edited: "
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
            f"{path.with_suffix('.json')} lacks the key {error}; run `dvc repro folds` again"
        ) from None
    except FoldError as error:
        raise FoldError(f"{path}: {error}") from None


def _parquet(path: Path | str) -> Path:
    path = Path(path)
    if path.suffix != ".parquet":
        raise StoreError(f"a fold file is named *.parquet, got {path}")
    return path
