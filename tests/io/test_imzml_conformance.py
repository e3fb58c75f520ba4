"""Real files of other programs, spectrum by spectrum, against pyimzml and against their bytes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from corespot import open_imzml
from corespot.io.imzml import check_imzml, ibd_path_of

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FILES = sorted(
    str(path.relative_to(SHARED)) for path in SHARED.rglob("*") if path.suffix.lower() == ".imzml"
)

ACCESSION = re.compile(r'accession="([^"]+)"')
VALUE = re.compile(r'value="([^"]*)"')
NUMPY = {"MS:1000521": "<f4", "MS:1000523": "<f8", "MS:1000519": "<i4", "MS:1000522": "<i8"}


def params(text: str) -> dict[str, str]:
    found = {}
    for tag in re.findall(r"<cvParam\b[^>]*>", text):
        value = VALUE.search(tag)
        found[ACCESSION.search(tag)[1]] = value[1] if value else ""  # type: ignore[index]
    return found


def raw_spectra(path: Path) -> list[tuple[np.ndarray, np.ndarray, tuple[int, ...]]]:
    """Spectra by regular expressions and np.frombuffer alone."""
    text = path.read_bytes().decode("latin-1")
    data = ibd_path_of(path).read_bytes()
    groups = {
        name: params(body)
        for name, body in re.findall(
            r'<referenceableParamGroup id="([^"]+)"\s*>(.*?)</referenceableParamGroup>', text, re.S
        )
    }
    spectra = []
    for element in re.findall(r"<spectrum\b.*?</spectrum>", text, re.S):
        own = params(element.partition("<binaryDataArrayList")[0])
        arrays = {}
        for array in re.findall(r"<binaryDataArray\b.*?</binaryDataArray>", element, re.S):
            stated = params(array)
            for ref in re.findall(r'<referenceableParamGroupRef ref="([^"]+)"', array):
                stated |= groups[ref]
            dtype = next(NUMPY[key] for key in stated if key in NUMPY)
            kind = "mz" if "MS:1000514" in stated else "intensity"
            arrays[kind] = np.frombuffer(
                data, dtype, int(stated["IMS:1000103"]), int(stated["IMS:1000102"])
            )
        position = tuple(int(own.get(f"IMS:100005{i}", 1)) for i in range(3))
        spectra.append((arrays["mz"], arrays["intensity"], position))
    return spectra


@pytest.mark.parametrize("name", FILES or ["conformance"])
def test_reads_exactly_what_is_in_the_ibd(name: str, shared_data: Callable[[str], Path]) -> None:
    shared_data("conformance")
    from pyimzml.ImzMLParser import ImzMLParser

    path = SHARED / name
    expected = raw_spectra(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parser = ImzMLParser(str(path))
    with open_imzml(path) as measurement, parser:
        assert len(measurement) == len(expected) == len(parser.coordinates) > 0
        assert measurement.coordinates.tolist() == [list(position) for *_, position in expected]
        assert measurement.coordinates.tolist() == [list(c) for c in parser.coordinates]
        for i, (mz, intensity, _) in enumerate(expected):
            our_mz, our_intensity = measurement.spectrum(i)
            their_mz, their_intensity = parser.getspectrum(i)
            assert our_mz.dtype == np.float64 and our_intensity.dtype == intensity.dtype
            assert our_mz.size == measurement.n_points[i] > 0
            for ours, raw, theirs in (
                (our_mz, mz, their_mz),
                (our_intensity, intensity, their_intensity),
            ):
                np.testing.assert_array_equal(ours, raw)
                np.testing.assert_array_equal(ours, theirs)
        low, high = measurement.mz_range()
        assert low == min(mz.min() for mz, *_ in expected)
        assert high == max(mz.max() for mz, *_ in expected)
        if measurement.mode == "continuous":
            block = measurement.intensity_block(np.arange(len(measurement))[::-1])
            stacked = np.stack([intensity for _, intensity, _ in expected][::-1])
            np.testing.assert_array_equal(block, stacked.astype(np.float32))


@pytest.mark.parametrize("name", FILES or ["conformance"])
def test_real_files_have_no_problems(name: str, shared_data: Callable[[str], Path]) -> None:
    shared_data("conformance")
    assert check_imzml(SHARED / name) == []


def test_header_facts_of_known_files(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("conformance")
    with open_imzml(folder / "pyimzml_tests/Example_Processed.imzML") as measurement:
        facts = (measurement.mode, measurement.is_profile, measurement.pixel_size_um)
        assert facts == ("processed", True, 100.0)
    with open_imzml(folder / "metaspace/Untreated_3_434_tiny.imzML") as measurement:
        facts = (measurement.mode, measurement.is_profile, measurement.pixel_size_um)
        assert facts == ("processed", False, None)
    with open_imzml(folder / "pym2aia/test.imzML") as measurement:
        # Its accession says centroid, its name says profile.
        facts = (measurement.mode, measurement.is_profile, measurement.pixel_size_um)
        assert facts == ("continuous", None, 20.0)
