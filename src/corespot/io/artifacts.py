"""Artifacts as data, never code: JSON, npz and tables, written whole or not at all."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from corespot.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def whole_file(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` if the block succeeds."""
    final = Path(path)
    part = _part_of(final, suffix=final.suffix)
    try:
        yield part
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path | str) -> Iterator[Path]:
    """Give a temporary folder beside `path`; put it in place of `path` if the block succeeds."""
    final = Path(path)
    part = _part_of(final)
    part.mkdir()
    old = final.with_name(f".{final.name}.part-{os.getpid()}-old")
    try:
        yield part
        # Renamed away whole, so that an interruption never leaves half of what was there.
        if final.exists():
            final.rename(old)
        try:
            part.rename(final)
        except OSError:
            if old.exists():
                old.rename(final)
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _part_of(final: Path, suffix: str = "") -> Path:
    """Temporary name beside `final`; what killed processes left under such names is removed."""
    import psutil

    final.parent.mkdir(parents=True, exist_ok=True)
    stem = f".{final.name}.part-"
    for leftover in final.parent.glob(f"{glob.escape(stem)}*"):
        owner = leftover.name.removeprefix(stem).removesuffix(suffix).removesuffix("-old")
        # In a container, every run may get the same process id: what bears ours is not in use.
        own = owner == str(os.getpid())
        if owner.isdigit() and (own or not psutil.pid_exists(int(owner))):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)
    return final.with_name(f"{stem}{os.getpid()}{suffix}")


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` as indented UTF-8 JSON; NaN becomes null."""
    with whole_file(path) as part:
        text = json.dumps(as_json(content), indent=2, ensure_ascii=False, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises
    ------
    StoreError
        If it is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run `dvc repro` to make it") from None
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or made to break readers
        raise StoreError(f"{path} is not JSON ({error}); make it again") from None


def sha256_of(path: Path | str) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises
    ------
    StoreError
        If it is missing.
    """
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run `dvc repro` to make it") from None


def write_arrays(path: Path | str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write named arrays as a compressed npz without objects."""
    for name, array in arrays.items():
        if np.asarray(array).dtype == object:
            raise StoreError(f"{path}: array {name!r} holds Python objects, which are never stored")
    with whole_file(path) as part, part.open("wb") as stream:
        plain: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
        np.savez_compressed(stream, **plain)


def read_arrays(path: Path | str) -> dict[str, npt.NDArray[Any]]:
    """Read the named arrays of an npz, refusing pickled ones."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run `dvc repro` to make it") from None
    except (ValueError, OSError, EOFError, BadZipFile, zlib.error) as error:
        raise StoreError(f"{path} is not a plain npz archive ({error})") from None


def write_table(path: Path | str, table: pd.DataFrame) -> None:
    """Write a table as parquet, or as CSV if the name ends so."""
    with whole_file(path) as part:
        if Path(path).suffix == ".csv":
            table.to_csv(part, index=False)
        else:
            table.to_parquet(part, index=False)


def read_table(path: Path | str) -> pd.DataFrame:
    """Read a parquet or CSV table; in CSV only an empty cell is missing, a name ``NA`` stays.

    Raises
    ------
    StoreError
        If it is missing or no such table.
    """
    import pandas as pd

    try:
        if Path(path).suffix == ".csv":
            return pd.read_csv(path, keep_default_na=False, na_values=[""])
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run `dvc repro` to make it") from None
    except ValueError as error:  # pandas' and Arrow's own errors are all of this kind
        raise StoreError(f"{path} is no table that can be read ({error}); make it again") from None


def as_json(value: Any) -> Any:
    """Plain lists, mappings and numbers of `value`, as `write_json` writes them."""
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return as_json(value.tolist())
    if isinstance(value, np.generic):
        return as_json(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value
