"""The XML of the imzML files this program writes: float64 m/z, float32 intensities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

#: Number of values, offset of the m/z array and offset of the intensities of one spectrum.
Placed = tuple[int, int, int]

# Of the layout, not of the program: a new release must not change the bytes of a cohort.
_WRITER_VERSION = "1"

FOOTER = """\
    </spectrumList>
  </run>
</mzML>
"""


def _cv(accession: str, name: str, value: str = "", unit: tuple[str, str] | None = None) -> str:
    vocabulary = accession.partition(":")[0]
    text = f'<cvParam cvRef="{vocabulary}" accession="{accession}" name="{name}" value="{value}"'
    if unit is not None:
        ref = unit[0].partition(":")[0]
        text += f' unitCvRef="{ref}" unitAccession="{unit[0]}" unitName="{unit[1]}"'
    return text + "/>"


_MICROMETRE = ("UO:0000017", "micrometer")
_PROFILE = _cv("MS:1000128", "profile spectrum")
_CENTROID = _cv("MS:1000127", "centroid spectrum")
_MODES = {
    "continuous": _cv("IMS:1000030", "continuous"),
    "processed": _cv("IMS:1000031", "processed"),
}
_EXTERNAL = _cv("IMS:1000101", "external data", "true")
_UNCOMPRESSED = _cv("MS:1000576", "no compression")


def header(
    *,
    mode: Literal["continuous", "processed"],
    profile: bool,
    uuid: UUID,
    sha1: str,
    extent: tuple[int, int],
    pixel_size_um: float,
    n_spectra: int,
) -> str:
    """Everything before the first spectrum.

    Parameters
    ----------
    mode : {"continuous", "processed"}
        Whether all spectra share one m/z array.
    profile : bool
        Profile rather than centroid spectra.
    uuid, sha1 : UUID, str
        Identity and checksum of the .ibd.
    extent : tuple of int
        Largest x and y.
    pixel_size_um : float
        Distance of neighbouring spots in micrometres.
    n_spectra : int
        Number of spectra that follow.
    """
    kind = _PROFILE if profile else _CENTROID
    braced = "{" + str(uuid).upper() + "}"
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1">
  <cvList count="3">
    <cv id="MS" fullName="Proteomics Standards Initiative Mass Spectrometry Ontology"
        version="4.1" URI="http://purl.obolibrary.org/obo/ms.obo"/>
    <cv id="UO" fullName="Unit Ontology" URI="http://purl.obolibrary.org/obo/uo.obo"/>
    <cv id="IMS" fullName="Imaging MS Ontology"
        version="1.1.0" URI="https://www.maldi-msi.org/download/imzml/imagingMS.obo"/>
  </cvList>
  <fileDescription>
    <fileContent>
      {_cv("MS:1000579", "MS1 spectrum")}
      {kind}
      {_MODES[mode]}
      {_cv("IMS:1000080", "universally unique identifier", braced)}
      {_cv("IMS:1000091", "ibd SHA-1", sha1.upper())}
    </fileContent>
  </fileDescription>
  <referenceableParamGroupList count="3">
    <referenceableParamGroup id="mzArray">
      {_UNCOMPRESSED}
      {_cv("MS:1000514", "m/z array", unit=("MS:1000040", "m/z"))}
      {_cv("MS:1000523", "64-bit float")}
      {_EXTERNAL}
    </referenceableParamGroup>
    <referenceableParamGroup id="intensityArray">
      {_UNCOMPRESSED}
      {_cv("MS:1000515", "intensity array", unit=("MS:1000131", "number of detector counts"))}
      {_cv("MS:1000521", "32-bit float")}
      {_EXTERNAL}
    </referenceableParamGroup>
    <referenceableParamGroup id="spectrum">
      {_cv("MS:1000579", "MS1 spectrum")}
      {_cv("MS:1000511", "ms level", "1")}
      {kind}
      {_cv("MS:1000130", "positive scan")}
    </referenceableParamGroup>
  </referenceableParamGroupList>
  <softwareList count="1">
    <software id="corespot" version="{_WRITER_VERSION}">
      {_cv("MS:1000799", "custom unreleased software tool", "corespot")}
    </software>
  </softwareList>
  <scanSettingsList count="1">
    <scanSettings id="scanSettings">
      {_cv("IMS:1000042", "max count of pixels x", str(extent[0]))}
      {_cv("IMS:1000043", "max count of pixels y", str(extent[1]))}
      {_cv("IMS:1000046", "pixel size (x)", f"{pixel_size_um:g}", _MICROMETRE)}
      {_cv("IMS:1000047", "pixel size y", f"{pixel_size_um:g}", _MICROMETRE)}
    </scanSettings>
  </scanSettingsList>
  <instrumentConfigurationList count="1">
    <instrumentConfiguration id="instrument"/>
  </instrumentConfigurationList>
  <dataProcessingList count="1">
    <dataProcessing id="export">
      <processingMethod order="0" softwareRef="corespot">
        {_cv("MS:1000544", "Conversion to mzML")}
      </processingMethod>
    </dataProcessing>
  </dataProcessingList>
  <run id="run" defaultInstrumentConfigurationRef="instrument">
    <spectrumList count="{n_spectra}" defaultDataProcessingRef="export">
"""


def spectrum(i: int, position: Sequence[int], placed: Placed) -> str:
    """The element of spectrum `i` at `position` (x, y, z)."""
    length, mz_at, intensity_at = placed
    return _SPECTRUM.format(
        i=i,
        n=i + 1,
        x=position[0],
        y=position[1],
        z=position[2],
        length=length,
        mz_at=mz_at,
        mz_bytes=8 * length,
        intensity_at=intensity_at,
        intensity_bytes=4 * length,
    )


def _array(group: str, offset: str, n_bytes: str) -> str:
    return f"""\
          <binaryDataArray encodedLength="0">
            <referenceableParamGroupRef ref="{group}"/>
            {_cv("IMS:1000103", "external array length", "{length}")}
            {_cv("IMS:1000104", "external encoded length", n_bytes)}
            {_cv("IMS:1000102", "external offset", offset)}
            <binary/>
          </binaryDataArray>"""


_SPECTRUM = f"""\
      <spectrum id="spectrum={{n}}" index="{{i}}" defaultArrayLength="{{length}}">
        <referenceableParamGroupRef ref="spectrum"/>
        <scanList count="1">
          {_cv("MS:1000795", "no combination")}
          <scan>
            {_cv("IMS:1000050", "position x", "{x}")}
            {_cv("IMS:1000051", "position y", "{y}")}
            {_cv("IMS:1000052", "position z", "{z}")}
          </scan>
        </scanList>
        <binaryDataArrayList count="2">
{_array("mzArray", "{mz_at}", "{mz_bytes}")}
{_array("intensityArray", "{intensity_at}", "{intensity_bytes}")}
        </binaryDataArrayList>
      </spectrum>
"""
