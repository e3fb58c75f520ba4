"""Writing imzML: complete pairs of files or none, the same bytes for the same spectra.

Deviations from pyimzml's writer: names are escaped, spectra are streamed, the UUID follows from
the content (a cohort written twice is byte for byte the same, so DVC sees no change), the pixel
size is stated, and a failed write leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import numpy as np
import numpy.typing as npt

from corespot.io import imzml_template
from corespot.io.imzml_layout import HEADER_BYTES
from corespot.io.imzml_template import Placed

_CHUNK = 1 << 24


def write_imzml(
    path: Path | str,
    *,
    coordinates: npt.NDArray[np.integer[Any]],
    blocks: Iterable[npt.NDArray[Any]],
    mz: npt.NDArray[np.floating[Any]],
    profile: bool = True,
    pixel_size_um: float = 150.0,
) -> None:
    """Write a continuous imzML file: one m/z axis, float32 intensities.

    Parameters
    ----------
    path : Path
        The .imzML file; the .ibd is written beside it.
    coordinates : ndarray of int, shape (n, 3) or (n, 2)
        Position of every spectrum; z is 1 where it is left out.
    blocks : iterable of ndarray, shape (k, n_bins)
        Intensities, n rows in all, in the order of `coordinates`.
    mz : ndarray, shape (n_bins,)
        Shared m/z values, ascending; stored as float64.
    profile : bool
        Declare profile rather than centroid spectra.
    pixel_size_um : float
        Distance of neighbouring spots in micrometres.

    Raises
    ------
    ValueError
        If what would be written is not sound imzML; nothing is left behind.
    """
    positions = _positions(coordinates)
    axis = _checked_mz(mz, "mz")
    with _pair(Path(path), positions, "continuous", profile, pixel_size_um) as (ibd, placed):
        ibd.write(axis.tobytes())
        offset = HEADER_BYTES + axis.nbytes
        for block in blocks:
            rows = _checked_intensity(np.atleast_2d(block), f"spectrum {len(placed)} and after")
            if rows.shape[1] != axis.size:
                raise ValueError(f"a block has {rows.shape[1]} bins, the m/z axis {axis.size}")
            if len(placed) + len(rows) > len(positions):
                raise ValueError(f"more spectra than the {len(positions)} coordinates")
            ibd.write(rows.tobytes())
            for _ in range(len(rows)):
                placed.append((axis.size, HEADER_BYTES, offset))
                offset += axis.size * rows.itemsize


def write_processed_imzml(
    path: Path | str,
    *,
    coordinates: npt.NDArray[np.integer[Any]],
    spectra: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    profile: bool = False,
    pixel_size_um: float = 150.0,
) -> None:
    """Write a processed imzML file: every spectrum with its own float64 m/z values.

    Parameters
    ----------
    path : Path
        The .imzML file; the .ibd is written beside it.
    coordinates : ndarray of int, shape (n, 3) or (n, 2)
        Position of every spectrum; z is 1 where it is left out.
    spectra : iterable of (mz, intensity)
        n pairs of vectors of one length each, which may be zero; stored as float64 and float32.
    profile : bool
        Declare profile rather than centroid spectra.
    pixel_size_um : float
        Distance of neighbouring spots in micrometres.

    Raises
    ------
    ValueError
        If what would be written is not sound imzML; nothing is left behind.
    """
    positions = _positions(coordinates)
    with _pair(Path(path), positions, "processed", profile, pixel_size_um) as (ibd, placed):
        offset = HEADER_BYTES
        for mz, intensity in spectra:
            if len(placed) == len(positions):
                raise ValueError(f"more spectra than the {len(positions)} coordinates")
            where = f"spectrum {len(placed)}"
            masses = _checked_mz(mz, where)
            heights = _checked_intensity(np.asarray(intensity), where)
            if masses.shape != heights.shape:
                raise ValueError(f"{where}: {masses.size} m/z values, {heights.shape} intensities")
            ibd.write(masses.tobytes())
            ibd.write(heights.tobytes())
            placed.append((masses.size, offset, offset + masses.nbytes))
            offset += masses.nbytes + heights.nbytes


@contextmanager
def _pair(
    path: Path,
    positions: npt.NDArray[np.int64],
    mode: Literal["continuous", "processed"],
    profile: bool,
    pixel_size_um: float,
) -> Iterator[tuple[Any, list[Placed]]]:
    """Yield an open .ibd and the list of what lies where; then write the .imzML and rename both."""
    if path.suffix.lower() != ".imzml":
        raise ValueError(f"{path.name}: the name of an imzML file ends in .imzML")
    if not (np.isfinite(pixel_size_um) and pixel_size_um > 0):
        raise ValueError(f"pixel_size_um must be positive, got {pixel_size_um!r}")
    ibd_path = path.with_suffix(".ibd")
    part_xml = path.with_name(f".{path.stem}.part-{os.getpid()}.imzML")
    part_ibd = part_xml.with_suffix(".ibd")
    placed: list[Placed] = []
    try:
        with part_ibd.open("wb") as ibd:
            ibd.write(bytes(HEADER_BYTES))
            yield ibd, placed
        if len(placed) != len(positions):
            raise ValueError(f"{len(placed)} spectra for {len(positions)} coordinates")
        uuid, sha1 = _seal(part_ibd, positions, pixel_size_um)
        with part_xml.open("w", encoding="utf-8", newline="\n") as xml:
            header = imzml_template.header(
                mode=mode,
                profile=profile,
                uuid=uuid,
                sha1=sha1,
                extent=(int(positions[:, 0].max()), int(positions[:, 1].max())),
                pixel_size_um=pixel_size_um,
                n_spectra=len(placed),
            )
            xml.write(header)
            for i, (position, place) in enumerate(zip(positions.tolist(), placed, strict=True)):
                xml.write(imzml_template.spectrum(i, position, place))
            xml.write(imzml_template.FOOTER)
        # The .imzML goes last: whoever sees it finds its .ibd complete. Between the renames a
        # replaced pair does not match, which the UUID tells.
        part_ibd.replace(ibd_path)
        part_xml.replace(path)
    finally:
        part_xml.unlink(missing_ok=True)
        part_ibd.unlink(missing_ok=True)


def _seal(ibd: Path, positions: npt.NDArray[np.int64], pixel_size_um: float) -> tuple[UUID, str]:
    """Derive the UUID from the content, put it into the header, and take the checksum."""
    content = hashlib.sha256(positions.astype("<i8").tobytes() + repr(pixel_size_um).encode())
    for chunk in _chunks(ibd):
        content.update(chunk)
    uuid = UUID(bytes=content.digest()[:16], version=4)
    with ibd.open("r+b") as file:
        file.write(uuid.bytes)
    checksum = hashlib.sha1(usedforsecurity=False)
    for chunk in _chunks(ibd):
        checksum.update(chunk)
    return uuid, checksum.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _positions(coordinates: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
    given = np.asarray(coordinates)
    if given.ndim != 2 or given.shape[1] not in (2, 3) or given.dtype.kind not in "iu":
        raise ValueError(f"coordinates are integers (n, 3), got {given.dtype} {given.shape}")
    if len(given) == 0:
        raise ValueError("an imzML file holds at least one spectrum")
    positions = np.ones((len(given), 3), dtype=np.int64)
    positions[:, : given.shape[1]] = given
    if len(np.unique(positions, axis=0)) != len(positions):
        raise ValueError("two spectra have the same coordinates")
    return positions


def _checked_mz(mz: npt.NDArray[Any], where: str) -> npt.NDArray[np.float64]:
    values = np.ascontiguousarray(mz, dtype="<f8")
    if values.ndim != 1:
        raise ValueError(f"{where}: m/z is a vector, got shape {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any() or (np.diff(values) < 0).any():
        raise ValueError(f"{where}: m/z values must be finite, not negative, and ascending")
    return values


def _checked_intensity(values: npt.NDArray[Any], where: str) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        stored = np.ascontiguousarray(values, dtype="<f4")
    if not np.isfinite(stored).all():
        raise ValueError(f"{where}: intensities must be finite in float32")
    return stored
