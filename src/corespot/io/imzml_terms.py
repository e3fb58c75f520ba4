"""Controlled-vocabulary terms of imzML that decide how bytes are read.

References
----------
Schramm et al. (2012), doi:10.1016/j.jprot.2012.07.026; PSI-MS and imagingMS ontologies.
All binary numbers in imzML are little-endian, all integers signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

ArrayKind = Literal["mz", "intensity"]

MZ_ARRAY = "MS:1000514"
INTENSITY_ARRAY = "MS:1000515"
ZLIB = "MS:1000574"
NO_COMPRESSION = "MS:1000576"
CENTROID = "MS:1000127"
PROFILE = "MS:1000128"
CONTINUOUS = "IMS:1000030"
PROCESSED = "IMS:1000031"
PIXEL_SIZE_X = "IMS:1000046"
POSITION_X = "IMS:1000050"
POSITION_Y = "IMS:1000051"
POSITION_Z = "IMS:1000052"
UUID = "IMS:1000080"
EXTERNAL_OFFSET = "IMS:1000102"
EXTERNAL_LENGTH = "IMS:1000103"
EXTERNAL_ENCODED = "IMS:1000104"

#: Checksum terms and the hashlib algorithm each names.
CHECKSUMS = {"IMS:1000090": "md5", "IMS:1000091": "sha1", "IMS:1000092": "sha256"}

#: Number types an array can be stored in; the index refers to them by position.
DTYPES = tuple(np.dtype(name) for name in ("<f4", "<f8", "<i1", "<i2", "<i4", "<i8", "<f2"))

_DTYPE_OF = {
    "MS:1000521": 0,
    "MS:1000523": 1,
    "IMS:1100000": 2,
    "IMS:1100001": 3,
    "MS:1000519": 4,
    "IMS:1000141": 4,
    "MS:1000522": 5,
    "IMS:1000142": 5,
    "MS:1000520": 6,
}

# Children of "binary data type" (MS:1000518) and "binary data compression type" (MS:1000572)
# that this reader does not know; recognised so that they are refused by name.
_UNKNOWN_TYPES = frozenset({"MS:1001479"})
_UNKNOWN_COMPRESSIONS = frozenset(
    {"IMS:1005001", "IMS:1005002", "IMS:1005003"}
    | {f"MS:{number}" for number in (1002312, 1002313, 1002314, 1002746, 1002747, 1002748)}
    | {f"MS:{number}" for number in (1003088, 1003089, 1003090)}
)

# Exporters are known to write a correct name beside the other float's accession; pyimzml
# lets the name win in these cases (its ACCESSION_FIX_MAPPING), and so does this reader.
_SWAPPED = {
    ("MS:1000523", "32-bit float"): "MS:1000521",
    ("MS:1000521", "64-bit float"): "MS:1000523",
}

_MICROMETRES = {"UO:0000017": 1.0, "UO:0000018": 1e-3, "UO:0000016": 1e3}


@dataclass(frozen=True)
class ArrayForm:
    """How one binary array is written.

    Parameters
    ----------
    kind : {"mz", "intensity"} or None
        What the array holds; None for arrays this reader has no use for.
    dtype : int
        Position in `DTYPES`, -1 when unknown.
    compressed : bool
        Whether the bytes are a zlib stream.
    fault : tuple of str, optional
        Problem code and finding when the array cannot be read.
    """

    kind: ArrayKind | None
    dtype: int
    compressed: bool
    fault: tuple[str, str] | None


def array_form(params: Iterable[tuple[str, str]]) -> ArrayForm:
    """Read kind, number type and compression off (accession, name) pairs."""
    kind: ArrayKind | None = None
    types: set[int] = set()
    compressed = False
    faults: list[tuple[str, str]] = []
    for accession, name in params:
        accession = _SWAPPED.get((accession, name), accession)
        if accession == MZ_ARRAY:
            kind = "mz"
        elif accession == INTENSITY_ARRAY:
            kind = "intensity"
        elif accession in _DTYPE_OF:
            types.add(_DTYPE_OF[accession])
        elif accession == ZLIB:
            compressed = True
        elif accession in _UNKNOWN_COMPRESSIONS or (
            accession != NO_COMPRESSION and name.lower().endswith(" compression")
        ):
            faults.append(("unknown-compression", f"{accession} {name!r}"))
        elif accession in _UNKNOWN_TYPES or name.lower().endswith((" float", " integer")):
            faults.append(("unknown-binary-type", f"{accession} {name!r}"))
    if len(types) > 1:
        names = ", ".join(sorted(DTYPES[code].name for code in types))
        faults.append(("unknown-binary-type", f"the array claims several types: {names}"))
    elif not types and not faults:
        faults.append(("unknown-binary-type", "no binary data type is given"))
    dtype = types.pop() if len(types) == 1 else -1
    return ArrayForm(kind, dtype, compressed, faults[0] if faults else None)


def length_um(value: str, unit: str) -> float | None:
    """Length in micrometres, or None when it is not a positive length in a known unit."""
    try:
        number = float(value) * _MICROMETRES[unit]
    except (ValueError, KeyError):
        return None
    return number if np.isfinite(number) and number > 0 else None
