"""From the XML elements of an imzML file to the columns of its index."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.errors import CohortError
from corespot.io import imzml_terms as terms
from corespot.io.imzml_index import ABSENT, ArrayIndex, ImzMLIndex, Mode
from corespot.io.imzml_problems import ProblemLog, make_problem

# A petabyte: larger numbers are cut to it, so that offset plus length stays within int64 and
# the comparison with the size of the .ibd still fails as it must.
_LARGEST = 1 << 50

Params = list[tuple[str, str, str, str]]
_NUMBERS = (terms.EXTERNAL_OFFSET, terms.EXTERNAL_LENGTH, terms.EXTERNAL_ENCODED)


class _Columns:
    """Growing columns of one `ArrayIndex`."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int]] = []
        self.dtype: list[int] = []
        self.compressed: list[bool] = []

    def finish(self) -> ArrayIndex:
        numbers = np.array(self.rows, dtype=np.int64).reshape(-1, 3)
        offset, length, encoded = np.ascontiguousarray(numbers.T)
        return ArrayIndex(
            offset,
            length,
            encoded,
            np.array(self.dtype, dtype=np.int8),
            np.array(self.compressed, dtype=np.bool_),
        )


class IndexBuilder:
    """Turns elements into the columns of an index, one spectrum at a time.

    Parameters
    ----------
    name : str
        File name, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = ProblemLog()
        self.groups: dict[str, Params] = {}
        self.file_content: Params = []
        self.scan_settings: Params = []
        self.is_mzml = False
        self.announced: list[str] = []
        self.coordinates: list[tuple[int, int, int]] = []
        self.columns = {"mz": _Columns(), "intensity": _Columns()}
        self.forms: dict[tuple[Any, ...], terms.ArrayForm] = {}
        self.spectrum_terms: set[tuple[str, str]] = set()

    def start(self, name: str, element: Any) -> None:
        """Take note of an opening ``mzML`` or ``spectrumList``."""
        if name == "mzML":
            self.is_mzml = True
        else:
            self.announced.append(element.get("count", ""))

    def header(self, name: str, element: Any) -> None:
        """Take a complete element that stands before the spectra."""
        params = [_param(node) for node in element.iter("{*}cvParam")]
        if name == "referenceableParamGroup":
            self.groups[element.get("id", "")] = params
        elif name == "fileContent":
            self.file_content += params
        elif name == "scanSettings":
            self.scan_settings += params

    def spectrum(self, element: Any) -> None:
        """Take a complete ``spectrum``."""
        index = len(self.coordinates)
        own: list[Any] = []
        arrays: list[list[Any]] = []
        target = own
        for node in element.iter(
            "{*}cvParam", "{*}referenceableParamGroupRef", "{*}binaryDataArray"
        ):
            if node.tag.endswith("binaryDataArray"):
                # The list of arrays closes a spectrum, so what follows belongs to the array.
                target = []
                arrays.append(target)
            else:
                target.append(node)
        self._position(own, index)
        found: dict[str, tuple[tuple[int, int, int], terms.ArrayForm]] = {}
        for nodes in arrays:
            self._array(nodes, index, found)
        for kind, columns in self.columns.items():
            numbers, form = found.get(kind, ((ABSENT, ABSENT, ABSENT), None))
            columns.rows.append(numbers)
            columns.dtype.append(-1 if form is None else form.dtype)
            columns.compressed.append(form is not None and form.compressed)
            if form is None:
                spelt = "m/z" if kind == "mz" else "intensity"
                self.log.add("missing-array", self._where(index), f"there is no {spelt} array")

    def _position(self, nodes: list[Any], index: int) -> None:
        values: dict[str, str] = {}
        for node in nodes:
            accession = node.get("accession")
            if accession is None:
                if index == 0:
                    group = self.groups.get(node.get("ref", ""), [])
                    self.spectrum_terms.update((acc, name) for acc, name, _, _ in group)
                continue
            values[accession] = node.get("value", "")
            if index == 0:
                self.spectrum_terms.add((accession, node.get("name", "")))
        x = _whole(values.get(terms.POSITION_X))
        y = _whole(values.get(terms.POSITION_Y))
        z = _whole(values.get(terms.POSITION_Z, "1"))
        self.coordinates.append((x, y, z))
        if ABSENT in (x, y, z):
            stated = [values.get(f"IMS:100005{i}") for i in range(3)]
            self.log.add(
                "missing-coordinate", self._where(index), f"position x, y, z are given as {stated}"
            )

    def _array(self, nodes: list[Any], index: int, found: dict[str, Any]) -> None:
        stated: dict[str, str] = {}
        key: list[tuple[str, str]] = []
        for node in nodes:
            accession = node.get("accession")
            if accession in _NUMBERS:
                stated[accession] = node.get("value", "")
            elif accession is None:
                key.append(("", node.get("ref", "")))
            else:
                key.append((accession, node.get("name", "")))
        form = self.forms.get(tuple(key))
        if form is None:
            form = self.forms[tuple(key)] = self._form(key, index)
        if form.kind is None:
            return
        if form.kind in found:
            self.log.add("missing-array", self._where(index), f"two {form.kind} arrays are given")
            return
        if form.fault is not None:
            code, text = form.fault
            self.log.add(code, self._where(index), f"{form.kind} array: {text}")
        offset, length, encoded = (_whole(stated.get(number)) for number in _NUMBERS)
        needed = [stated.get(number) for number in _NUMBERS]
        # An encoded length may be left out (the bytes follow from the type) unless compressed.
        silent = needed[2] is None and not form.compressed
        if ABSENT in (offset, length) or (encoded == ABSENT and not silent):
            self.log.add(
                "bad-offset",
                self._where(index),
                f"{form.kind} array: offset, length, encoded length are given as {needed}",
            )
        found[form.kind] = ((offset, length, encoded), form)

    def _form(self, key: list[tuple[str, str]], index: int) -> terms.ArrayForm:
        params: list[tuple[str, str]] = []
        for accession, name in key:
            if accession:
                params.append((accession, name))
            elif name in self.groups:
                params += [(acc, spelt) for acc, spelt, _, _ in self.groups[name]]
            else:
                self.log.add("unknown-param-group", self._where(index), f"no group {name!r}")
        return terms.array_form(params)

    def _where(self, index: int) -> str:
        if index < len(self.coordinates):
            x, y, _ = self.coordinates[index]
            if ABSENT not in (x, y):
                return f"{self.name}, spectrum {index} (x {x}, y {y})"
        return f"{self.name}, spectrum {index}"

    def finish(self) -> ImzMLIndex:
        """Index of everything taken.

        Raises
        ------
        CohortError
            If there was no mzML with a spectrumList at all.
        """
        coordinates = np.array(self.coordinates, dtype=np.int64).reshape(-1, 3)
        mz, intensity = (self.columns[kind].finish() for kind in ("mz", "intensity"))
        return self.finish_with(coordinates, mz, intensity)

    def finish_with(
        self, coordinates: npt.NDArray[np.int64], mz: ArrayIndex, intensity: ArrayIndex
    ) -> ImzMLIndex:
        """Index of these spectra, with everything else as taken.

        Raises
        ------
        CohortError
            If there was no mzML with a spectrumList at all.
        """
        n = len(coordinates)
        if not self.is_mzml or not self.announced:
            missing = "spectrumList" if self.is_mzml else "mzML"
            raise CohortError(
                [make_problem("not-imzml", self.name, f"the XML has no {missing} element")]
            )
        if n == 0:
            self.log.add("zero-spectra", self.name, "the spectrumList is empty")
        counts = [_whole(text) for text in self.announced]
        if ABSENT in counts or sum(counts) != n:
            said = ", ".join(repr(text) for text in self.announced)
            found = f"the spectrumList announces {said} spectra, the file holds {n}"
            self.log.add("spectrum-count", self.name, found)
        content = {accession: value for accession, _, value, _ in self.file_content}
        declared: Mode | None = None
        if (terms.CONTINUOUS in content) != (terms.PROCESSED in content):
            declared = "continuous" if terms.CONTINUOUS in content else "processed"
        sizes = [p for p in self.scan_settings if p[0] == terms.PIXEL_SIZE_X]
        stated = {(accession, name) for accession, name, _, _ in self.file_content}
        return ImzMLIndex(
            self.name,
            coordinates,
            mz,
            intensity,
            declared,
            content.get(terms.UUID),
            {terms.CHECKSUMS[acc]: text for acc, text in content.items() if acc in terms.CHECKSUMS},
            _profile(stated | self.spectrum_terms),
            terms.length_um(sizes[0][2], sizes[0][3]) if sizes else None,
            self.log,
        )


def _profile(stated: set[tuple[str, str]]) -> bool | None:
    # Some exporters write one kind's accession beside the other's name: then nobody knows.
    profile = any(acc == terms.PROFILE or "profile spectrum" in name for acc, name in stated)
    centroid = any(acc == terms.CENTROID or "centroid spectrum" in name for acc, name in stated)
    return profile if profile != centroid else None


def _param(node: Any) -> tuple[str, str, str, str]:
    get = node.get
    return get("accession", ""), get("name", ""), get("value", ""), get("unitAccession", "")


def _whole(text: str | None) -> int:
    """Read a whole number, cut to what int64 sums bear, or `ABSENT`."""
    try:
        return max(-_LARGEST, min(_LARGEST, int(text))) if text is not None else ABSENT
    except ValueError:
        return ABSENT
