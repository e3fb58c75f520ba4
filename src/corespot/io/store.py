"""The spectra store: one ``.npy`` of intensities with its m/z axis and spot table beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.errors import StoreError
from corespot.io.artifacts import read_json, read_table, whole_folder
from corespot.models.spectra_rows import SpectraRows

FORMAT_VERSION = 1
DTypeName = Literal["float32", "float16"]


@dataclass(frozen=True)
class SpectraStore:
    """Preprocessed spectra of a cohort on one m/z axis, memory-mapped.

    Parameters
    ----------
    path : Path
        Folder with ``spectra.npy``, ``axis.npy``, ``spots.parquet`` and ``store.json``.
    spectra : ndarray of float32 or float16, shape (n_spots, n_bins)
        Memory map of the intensities, as stored: divide by nothing, but see `scale`.
    axis : MzAxis
        The common axis.
    spots : DataFrame
        One row per row of `spectra`.
    meta : mapping
        Content of ``store.json``: recipe, what was skipped and why, scale, mode.
    """

    path: Path
    spectra: npt.NDArray[Any]
    axis: MzAxis
    spots: pd.DataFrame
    meta: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path | str) -> SpectraStore:
        """Open a store.

        Raises
        ------
        StoreError
            If a file is missing or the parts do not fit each other.
        """
        folder = Path(path)
        for name in ("spectra.npy", "axis.npy", "spots.parquet", "store.json"):
            if not (folder / name).is_file():
                raise StoreError(
                    f"{folder}: {name} is missing, so this is not a complete spectra store; "
                    "run `dvc repro preprocess` again"
                )
        meta = read_json(folder / "store.json")
        version = meta.get("format_version") if isinstance(meta, dict) else None
        if version != FORMAT_VERSION:
            raise StoreError(
                f"{folder}: store format {version!r} cannot be read, this "
                f"version reads {FORMAT_VERSION}; run `dvc repro preprocess` again"
            )
        try:
            spectra = np.load(folder / "spectra.npy", mmap_mode="r", allow_pickle=False)
            mz = np.load(folder / "axis.npy", allow_pickle=False)
            axis = MzAxis(mz, meta["axis_kind"])
        except (ValueError, KeyError) as error:
            raise StoreError(
                f"{folder} is damaged ({error}); run `dvc repro preprocess` again"
            ) from None
        if axis.fingerprint != meta.get("axis_fingerprint"):
            raise StoreError(
                f"{folder}: axis.npy is not the axis that store.json names; "
                "run `dvc repro preprocess` again"
            )
        spots = read_table(folder / "spots.parquet")
        if spectra.shape != (len(spots), axis.n_bins):
            raise StoreError(
                f"{folder}: spectra.npy is {spectra.shape}, but there are {len(spots)} spots and "
                f"{axis.n_bins} bins; run `dvc repro preprocess` again"
            )
        return cls(folder, spectra, axis, spots, meta)

    @property
    def n_spots(self) -> int:
        """Number of rows."""
        return int(self.spectra.shape[0])

    @property
    def scale(self) -> float:
        """Factor the intensities were multiplied by before they were stored."""
        return float(self.meta["scale"])

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Copy `rows` into memory as float32, shape (len(rows), n_bins)."""
        return np.asarray(self.spectra[rows], dtype=np.float32)

    def rows(self, rows: npt.NDArray[np.int64]) -> SpectraRows:
        """`take` without reading them: the numbers come from the disk when they are asked for."""
        return SpectraRows(self.spectra, rows)

    def blocks(self, n_rows: int = 1024) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
        """Yield consecutive row slices with their intensities as float32."""
        for start in range(0, self.n_spots, n_rows):
            rows = slice(start, min(start + n_rows, self.n_spots))
            yield rows, np.asarray(self.spectra[rows], dtype=np.float32)


class StoreWriter:
    """Fills a new store block by block; made by `create_store`.

    Blocks are written, not mapped: dirty pages of a map would count as the program's memory until
    the kernel gets round to them, as much as the whole store.
    """

    def __init__(
        self, stream: BinaryIO, n_spots: int, axis: MzAxis, dtype: DTypeName, scale: float
    ) -> None:
        self._dtype = np.dtype(dtype).newbyteorder("<")
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (n_spots, axis.n_bins),
        }
        np.lib.format.write_array_header_1_0(stream, header)
        self._stream = stream
        self._start = stream.tell()
        self._row_bytes = axis.n_bins * self._dtype.itemsize
        self._limit = float(np.finfo(np.dtype(dtype)).max)
        self._scale = scale
        self._written = np.zeros(n_spots, dtype=bool)

    def write(self, rows: slice, spectra: npt.NDArray[np.floating[Any]]) -> None:
        """Store `spectra` (times the store's scale) at `rows`.

        Raises
        ------
        StoreError
            If a value is not finite or does not fit the store's number type.
        """
        scaled = np.asarray(spectra, dtype=np.float32)
        if self._scale != 1.0:
            scaled = scaled * np.float32(self._scale)
        # Lowest and highest are not finite if any value is not.
        low, high = float(scaled.min(initial=0.0)), float(scaled.max(initial=0.0))
        if not np.isfinite([low, high]).all():
            raise StoreError(
                f"rows {rows.start}-{rows.stop}: a preprocessed intensity is not finite"
            )
        peak = max(-low, high)
        if peak > self._limit:
            raise StoreError(
                f"rows {rows.start}-{rows.stop}: intensity {peak:g} exceeds {self._limit:g}, the "
                "largest value of the store's number type; use float32 or normalise first"
            )
        start, stop, step = rows.indices(len(self._written))
        if step != 1 or scaled.shape != (stop - start, self._row_bytes // self._dtype.itemsize):
            raise StoreError(f"rows {start}-{stop} do not take spectra of shape {scaled.shape}")
        self._stream.seek(self._start + start * self._row_bytes)
        self._stream.write(np.ascontiguousarray(scaled, dtype=self._dtype).data)
        self._written[rows] = True

    def _finish(self) -> None:
        if not self._written.all():
            missing = int((~self._written).sum())
            raise StoreError(f"{missing} spots were never written")


@contextmanager
def create_store(
    path: Path | str,
    *,
    spots: pd.DataFrame,
    axis: MzAxis,
    meta: Mapping[str, Any],
    dtype: DTypeName = "float32",
    scale: float = 1.0,
) -> Iterator[StoreWriter]:
    """Write a store under a temporary name and rename it when complete.

    An interrupted or failed write leaves the previous store, or none.

    Parameters
    ----------
    path : Path
        Folder of the store.
    spots : DataFrame
        Spot table, one row per spectrum.
    axis : MzAxis
        Common m/z axis.
    meta : mapping
        JSON-able description (recipe, skipped steps, mode).
    dtype : {"float32", "float16"}
        Stored number type.
    scale : float
        Factor applied before the cast, so that small numbers survive float16.
    """
    with whole_folder(path) as part:
        _refuse_full_disk(part, len(spots) * axis.n_bins * np.dtype(dtype).itemsize)
        with (part / "spectra.npy").open("wb") as stream:
            writer = StoreWriter(stream, len(spots), axis, dtype, scale)
            yield writer
            writer._finish()
        np.save(part / "axis.npy", axis.mz)
        spots.reset_index(drop=True).to_parquet(part / "spots.parquet")
        content = {
            **meta,
            "format_version": FORMAT_VERSION,
            "axis_kind": axis.kind,
            "axis_fingerprint": axis.fingerprint,
            "dtype": dtype,
            "scale": scale,
            "n_spots": len(spots),
            "n_bins": axis.n_bins,
        }
        text = json.dumps(content, indent=2, sort_keys=True) + "\n"
        (part / "store.json").write_text(text, encoding="utf-8")


def _refuse_full_disk(folder: Path, needed: int) -> None:
    """Say before the work what would fail after it."""
    free = disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the spectra store needs {needed / 1e6:,.0f} MB, but the disk of {folder.parent} "
            f"has {free / 1e6:,.0f} MB left; make room, or use dtype: float16"
        )
