"""The index of an imzML file: where every array lies, as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from corespot.io import imzml_terms as terms
from corespot.io.imzml_problems import ProblemLog

#: Stands for a number the file does not give; times a value's size it still fits int64.
ABSENT = -(1 << 52)
Mode = Literal["continuous", "processed"]


@dataclass(frozen=True)
class ArrayIndex:
    """Where one kind of array (m/z or intensity) lies in the .ibd, spectrum by spectrum.

    Parameters
    ----------
    offset, length, encoded : ndarray of int64, shape (n,)
        First byte, number of values, number of bytes; `ABSENT` where the file is silent.
    dtype : ndarray of int8, shape (n,)
        Position in `imzml_terms.DTYPES`, -1 where unknown.
    compressed : ndarray of bool, shape (n,)
        Whether the bytes are a zlib stream.
    """

    offset: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    encoded: npt.NDArray[np.int64]
    dtype: npt.NDArray[np.int8]
    compressed: npt.NDArray[np.bool_]

    @property
    def itemsize(self) -> npt.NDArray[np.int64]:
        """Bytes of one value, shape (n,); 0 where the type is unknown."""
        sizes = np.array([dtype.itemsize for dtype in terms.DTYPES] + [0])
        return sizes[self.dtype]

    @property
    def n_bytes(self) -> npt.NDArray[np.int64]:
        """Bytes in the .ibd, shape (n,): as stated when compressed, else length times size."""
        return np.where(self.compressed, self.encoded, self.length * self.itemsize)

    @cached_property
    def is_shared(self) -> bool:
        """Whether all spectra point to one and the same array."""
        columns = (self.offset, self.length, self.dtype, self.compressed)
        return self.offset.size > 0 and all(bool(np.all(col == col[0])) for col in columns)


@dataclass(frozen=True)
class Excerpt:
    """The XML with most of its spectra left out, for whoever wants to compare readings.

    Parameters
    ----------
    rows : ndarray of int64, shape (k,)
        Spectra that are left: the first of each way in which they are written, and some more.
    xml : bytes
        Header, those spectra, and tail; the spectrumList announces what the whole file holds.
    """

    rows: npt.NDArray[np.int64]
    xml: bytes


@dataclass(frozen=True)
class ImzMLIndex:
    """Everything the XML says that is needed to read the .ibd.

    Parameters
    ----------
    name : str
        File name, for messages.
    coordinates : ndarray of int64, shape (n, 3)
        Positions x, y, z; `ABSENT` where missing, z defaults to 1.
    mz, intensity : ArrayIndex
        Where the arrays lie.
    declared_mode : {"continuous", "processed"} or None
        As declared in the file's header.
    uuid : str or None
        As written in the header.
    checksums : dict
        hashlib algorithm -> hexadecimal digest as written.
    is_profile : bool or None
        Profile or centroid, None when the file is silent or contradicts itself.
    pixel_size_um : float or None
        Distance of neighbouring positions along x, where a unit is given.
    log : ProblemLog
        What the XML alone shows to be wrong.
    excerpt : Excerpt, optional
        Given when all spectra were found to be written as those in it are.
    """

    name: str
    coordinates: npt.NDArray[np.int64]
    mz: ArrayIndex
    intensity: ArrayIndex
    declared_mode: Mode | None
    uuid: str | None
    checksums: dict[str, str]
    is_profile: bool | None
    pixel_size_um: float | None
    log: ProblemLog = field(repr=False)
    excerpt: Excerpt | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.coordinates)

    @cached_property
    def mode(self) -> Mode:
        """Continuous if all spectra share one m/z array and the header does not deny it.

        A file that claims to be continuous but stores several m/z arrays is processed: the
        offsets are what is read.
        """
        shared = self.mz.is_shared and self.declared_mode != "processed"
        return "continuous" if shared else "processed"

    def where(self, spectrum: int) -> str:
        """Name a spectrum in a message by file, index and position."""
        x, y, _ = self.coordinates[spectrum]
        position = "" if ABSENT in (x, y) else f" (x {x}, y {y})"
        return f"{self.name}, spectrum {spectrum}{position}"
