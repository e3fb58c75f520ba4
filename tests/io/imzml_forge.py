"""Makes imzML files of every shape, sound or broken, independently of the library's writer."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import numpy as np

UUID_BYTES = UUID("01234567-89ab-4def-8123-456789abcdef").bytes

TYPES = {
    "<f4": ("MS:1000521", "32-bit float"),
    "<f8": ("MS:1000523", "64-bit float"),
    "<f2": ("MS:1000520", "16-bit float"),
    "<i1": ("IMS:1100000", "8-bit integer"),
    "<i2": ("IMS:1100001", "16-bit integer"),
    "<i4": ("MS:1000519", "32-bit integer"),
    "<i8": ("MS:1000522", "64-bit integer"),
    "ims <i4": ("IMS:1000141", "32-bit integer"),
    "ims <i8": ("IMS:1000142", "64-bit integer"),
}


def cv(accession: str, name: str, value: object = "") -> str:
    return f'<cvParam cvRef="MS" accession="{accession}" name="{name}" value="{value}"/>'


def spectra(n: int = 4, n_bins: int = 6, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(seed)
    mz = 100.0 + np.arange(n_bins)
    return [(mz, random.integers(0, 100, n_bins).astype(float)) for _ in range(n)]


@dataclass
class Forge:
    """One imzML file to be; every field can be set to something wrong."""

    spectra: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=spectra)
    coordinates: list[tuple[int, ...]] | None = None
    continuous: bool = True
    mz_type: str = "<f8"
    intensity_type: str = "<f4"
    packed: bool = False
    groups: bool = True
    state_encoded: bool = True
    uuid: str | None = "{01234567-89AB-4DEF-8123-456789ABCDEF}"
    checksums: tuple[str, ...] = ("sha1",)
    namespace: str = ' xmlns="http://psi.hupo.org/ms/mzml"'
    encoding: str = "ISO-8859-1"
    kind: str = cv("MS:1000128", "profile spectrum")
    settings: str = ""
    count: object = None
    # (spectrum, "mz" | "intensity", "offset" | "length" | "encoded") -> text, None: left out
    override: dict[tuple[int, str, str], object] = field(default_factory=dict)
    edit_xml: Callable[[str], str] = lambda text: text
    edit_ibd: Callable[[bytes], bytes] = lambda data: data

    def write(self, folder: Path, name: str = "m.imzML", ibd_name: str = "m.ibd") -> Path:
        body, elements = bytearray(UUID_BYTES), []
        shared: tuple[int, int, int] | None = None
        for i, (mz, intensity) in enumerate(self.spectra):
            if shared is None or not self.continuous:
                shared = self._append(body, mz, self.mz_type)
            places = {"mz": shared, "intensity": self._append(body, intensity, self.intensity_type)}
            elements.append(self._spectrum(i, places))
        sums = {
            "md5": ("IMS:1000090", "ibd MD5"),
            "sha1": ("IMS:1000091", "ibd SHA-1"),
            "sha256": ("IMS:1000092", "ibd SHA-256"),
        }
        content = [
            cv("IMS:1000030", "continuous") if self.continuous else cv("IMS:1000031", "processed"),
            self.kind,
            *(cv(*sums[name], hashlib.new(name, body).hexdigest()) for name in self.checksums),
        ]
        if self.uuid is not None:
            content.append(cv("IMS:1000080", "universally unique identifier", self.uuid))
        count = len(elements) if self.count is None else self.count
        text = f"""<?xml version="1.0" encoding="{self.encoding}"?>
<mzML{self.namespace} version="1.1">
<fileDescription><fileContent>{"".join(content)}</fileContent>
<contact>{cv("MS:1000590", "contact affiliation", "Universität Gießen")}</contact>
</fileDescription>
{self._header()}
<scanSettingsList count="1"><scanSettings id="s">{self.settings}</scanSettings></scanSettingsList>
<instrumentConfigurationList><instrumentConfiguration id="i"/></instrumentConfigurationList>
<run id="r"><spectrumList count="{count}">
{"".join(elements)}</spectrumList></run>
</mzML>
"""
        path = folder / name
        path.write_bytes(self.edit_xml(text).encode(self.encoding, "surrogateescape"))
        (folder / ibd_name).write_bytes(self.edit_ibd(bytes(body)))
        return path

    def _append(self, body: bytearray, values: np.ndarray, kind: str) -> tuple[int, int, int]:
        data = np.asarray(values).astype(kind.split()[-1]).tobytes()
        if self.packed:
            data = zlib.compress(data)
        offset = len(body)
        body.extend(data)
        return offset, len(values), len(data)

    def _types(self, kind: str) -> str:
        array = ("MS:1000514", "m/z array") if kind == "mz" else ("MS:1000515", "intensity array")
        stored = TYPES[self.mz_type if kind == "mz" else self.intensity_type]
        packing = ("MS:1000574", "zlib compression")
        plain = ("MS:1000576", "no compression")
        return cv(*array) + cv(*stored) + cv(*(packing if self.packed else plain))

    def _header(self) -> str:
        if not self.groups:
            return ""
        return (
            '<referenceableParamGroupList count="2">'
            f'<referenceableParamGroup id="mz">{self._types("mz")}</referenceableParamGroup>'
            f'<referenceableParamGroup id="intensity">{self._types("intensity")}'
            "</referenceableParamGroup></referenceableParamGroupList>"
        )

    def _spectrum(self, i: int, places: dict[str, tuple[int, int, int]]) -> str:
        position = self.coordinates[i] if self.coordinates else (i % 3 + 1, i // 3 + 1)
        axes = zip("xyz", position, strict=False)
        scan = "".join(
            cv(f"IMS:100005{'xyz'.index(a)}", f"position {a}", value) for a, value in axes
        )
        arrays = "".join(self._array(i, kind, place) for kind, place in places.items())
        return (
            f'<spectrum id="spectrum={i + 1}" index="{i}" defaultArrayLength="0">'
            f"<scanList><scan>{scan}</scan></scanList>"
            f"<binaryDataArrayList>{arrays}</binaryDataArrayList></spectrum>\n"
        )

    def _array(self, i: int, kind: str, place: tuple[int, int, int]) -> str:
        terms = {
            "offset": ("IMS:1000102", "external offset"),
            "length": ("IMS:1000103", "external array length"),
            "encoded": ("IMS:1000104", "external encoded length"),
        }
        numbers: dict[str, object] = dict(zip(terms, place, strict=True))
        if not self.state_encoded:
            numbers["encoded"] = None
        for name in terms:
            numbers[name] = self.override.get((i, kind, name), numbers[name])
        stated = "".join(cv(*terms[n], v) for n, v in numbers.items() if v is not None)
        types = f'<referenceableParamGroupRef ref="{kind}"/>' if self.groups else self._types(kind)
        return f'<binaryDataArray encodedLength="0">{types}{stated}<binary/></binaryDataArray>'
