"""What may vary between sound imzML files does not change what is read."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from imzml_forge import TYPES, UUID_BYTES, Forge, cv, spectra

from corespot import open_imzml
from corespot.io.imzml import check_imzml, ibd_path_of

UM = 'unitCvRef="UO" unitAccession="UO:0000017"'


def assert_reads(path: Path, expected: list[tuple[np.ndarray, np.ndarray]]) -> None:
    with open_imzml(path) as measurement:
        assert len(measurement) == len(expected)
        for i, (mz, intensity) in enumerate(expected):
            ours = measurement.spectrum(i)
            assert ours[0].dtype == np.float64
            np.testing.assert_array_equal(ours[0], mz)
            np.testing.assert_array_equal(ours[1], intensity)
    assert check_imzml(path) == []


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "zlib"])
@pytest.mark.parametrize("groups", [True, False], ids=["groups", "no-groups"])
@pytest.mark.parametrize("continuous", [True, False], ids=["continuous", "processed"])
@pytest.mark.parametrize("kind", TYPES)
def test_types_and_layouts(
    kind: str, continuous: bool, groups: bool, packed: bool, tmp_path: Path
) -> None:
    forge = Forge(
        spectra=spectra(5, 7),
        mz_type=kind if kind != "<i1" else "<i2",
        intensity_type=kind,
        continuous=continuous,
        groups=groups,
        packed=packed,
    )
    path = forge.write(tmp_path)
    assert_reads(path, forge.spectra)
    with open_imzml(path) as measurement:
        assert measurement.spectrum(0)[1].dtype == np.dtype(kind.split()[-1])
        assert measurement.mode == ("continuous" if continuous else "processed")
        assert measurement.mz_range() == (100.0, 106.0)
        assert measurement.n_points.tolist() == [7] * 5
        if continuous:
            block = measurement.intensity_block([4, 0, 1, 2])
            assert block.dtype == np.float32
            expected = np.stack([forge.spectra[i][1] for i in (4, 0, 1, 2)])
            np.testing.assert_array_equal(block, expected)


@pytest.mark.parametrize(
    "forge",
    [
        Forge(namespace=""),
        Forge(namespace=' xmlns="http://psi.hupo.org/schema_revision/mzML_1.0.0"'),
        Forge(encoding="UTF-8"),
        Forge(encoding="UTF-16"),
        Forge(encoding="windows-1252"),
        Forge(encoding="UTF-8", edit_xml=lambda text: "\ufeff" + text),
        Forge(edit_xml=lambda text: text.partition("?>\n")[2].replace("ä", "a").replace("ß", "s")),
        Forge(edit_xml=lambda text: text.replace("\n", "\r\n")),
        Forge(edit_xml=lambda t: t.replace("<mzML", "<indexedmzML><mzML") + "</indexedmzML>"),
        Forge(edit_xml=lambda t: t.replace("Gießen", "Gie&#223;en &lt;&amp;&gt;")),
        Forge(state_encoded=False),
        Forge(checksums=()),
        Forge(checksums=("md5", "sha1", "sha256")),
        Forge(uuid=UUID_BYTES.hex()),
        Forge(uuid="urn:uuid:01234567-89ab-4def-8123-456789abcdef"),
        # A GUID as Windows lays it out.
        Forge(uuid="{67452301-ab89-ef4d-8123-456789abcdef}"),
        # Known exporters: right name beside the other float's accession.
        Forge(edit_xml=lambda t: t.replace('"MS:1000521" name="32', '"MS:1000523" name="32')),
        # An array kind nobody here needs.
        Forge(
            edit_xml=lambda t: t.replace(
                "</binaryDataArrayList>",
                "<binaryDataArray>"
                + cv("MS:1002816", "mean ion mobility array")
                + cv("MS:1002312", "MS-Numpress linear prediction compression")
                + "</binaryDataArray></binaryDataArrayList>",
            )
        ),
    ],
    ids=lambda forge: f"{forge.encoding}",
)
def test_headers_may_vary(forge: Forge, tmp_path: Path) -> None:
    if not forge.checksums or "urn" in str(forge.uuid):
        forge.groups = False
    assert_reads(forge.write(tmp_path), forge.spectra)


@pytest.mark.parametrize("name", ["m.imzml", "m.imzML", "m.IMZML", "a b.c.imzML"])
@pytest.mark.parametrize("suffix", [".ibd", ".IBD", ".Ibd"])
def test_names_may_vary(name: str, suffix: str, tmp_path: Path) -> None:
    ibd_name = Path(name).stem + suffix
    (tmp_path / "other.ibd").write_bytes(b"")
    path = Forge().write(tmp_path, name, ibd_name)
    assert ibd_path_of(path) == tmp_path / ibd_name
    assert_reads(path, Forge().spectra)


def test_the_expected_ibd_of_a_lonely_imzml() -> None:
    assert ibd_path_of("nowhere/m.imzML") == Path("nowhere/m.ibd")


def test_coordinates(tmp_path: Path) -> None:
    places = [(7, 3), (2, 9), (2, 8), (1, 1)]
    with open_imzml(Forge(coordinates=places).write(tmp_path)) as measurement:
        assert measurement.coordinates.dtype == np.int64
        assert measurement.coordinates.tolist() == [[x, y, 1] for x, y in places]
    spatial = [(1, 1, 1), (1, 1, 2), (1, 1, 3), (0, 2, 1)]
    with open_imzml(Forge(coordinates=spatial).write(tmp_path)) as measurement:
        assert measurement.coordinates.tolist() == [list(place) for place in spatial]


def test_spectra_may_be_empty_or_of_any_length(tmp_path: Path) -> None:
    lengths = [3, 0, 5, 1]
    made = [(np.arange(n) + 50.0, np.arange(n) * 2.0) for n in lengths]
    path = Forge(spectra=made, continuous=False).write(tmp_path)
    assert_reads(path, made)
    with open_imzml(path) as measurement:
        assert measurement.n_points.tolist() == lengths
        assert measurement.mz_range() == (50.0, 54.0)
    path = Forge(spectra=[(np.empty(0), np.empty(0))], continuous=False).write(tmp_path)
    with open_imzml(path) as measurement:
        assert np.isnan(measurement.mz_range()).all()


def test_a_continuous_claim_does_not_hide_different_axes(tmp_path: Path) -> None:
    made = [(mz + i, intensity) for i, (mz, intensity) in enumerate(spectra(3))]
    claim = cv("IMS:1000031", "processed"), cv("IMS:1000030", "continuous")
    forge = Forge(spectra=made, continuous=False, edit_xml=lambda text: text.replace(*claim))
    path = forge.write(tmp_path)
    assert_reads(path, made)
    with open_imzml(path) as measurement:
        assert measurement.mode == "processed"
        assert measurement.mz_range() == (100.0, 107.0)
        with pytest.raises(ValueError, match="processed"):
            measurement.intensity_block([0])
        with pytest.raises(ValueError, match="processed"):
            _ = measurement.mz


def test_shared_axis_is_read_once_and_protected(tmp_path: Path) -> None:
    with open_imzml(Forge().write(tmp_path)) as measurement:
        assert measurement.spectrum(0)[0] is measurement.spectrum(1)[0] is measurement.mz
        with pytest.raises(ValueError, match="read-only"):
            measurement.mz[0] = 1.0


def test_indices(tmp_path: Path) -> None:
    made = spectra(4)
    with open_imzml(Forge(spectra=made).write(tmp_path)) as measurement:
        np.testing.assert_array_equal(measurement.spectrum(-1)[1], made[3][1])
        np.testing.assert_array_equal(measurement.spectrum(np.int64(2))[1], made[2][1])
        for wrong in (4, -5):
            with pytest.raises(IndexError, match="0 to 3"):
                measurement.spectrum(wrong)
        for block in ([4], [-1, 0]):
            with pytest.raises(IndexError, match="0 to 3"):
                measurement.intensity_block(block)
        assert measurement.intensity_block(iter([1, 1])).tolist() == [list(made[1][1])] * 2
        assert measurement.intensity_block(np.arange(0)).shape == (0, 6)
    with pytest.raises(ValueError, match="closed"):
        measurement.spectrum(0)


def test_spectra_may_be_stored_in_any_order(tmp_path: Path) -> None:
    made = spectra(4, 5)
    offsets = [16 + 5 * 8 + 20 * i for i in (2, 0, 3, 1)]
    moved = {(i, "intensity", "offset"): offset for i, offset in enumerate(offsets)}
    with open_imzml(Forge(spectra=made, override=moved).write(tmp_path)) as measurement:
        expected = np.stack([made[i][1] for i in (2, 0, 3, 1)])
        np.testing.assert_array_equal(measurement.intensity_block(range(4)), expected)


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    made = spectra(64, 300)
    with open_imzml(Forge(spectra=made).write(tmp_path)) as measurement:
        barrier = threading.Barrier(4)

        def read(offset: int) -> bool:
            barrier.wait()
            order = np.roll(np.arange(64), offset)
            return all(np.array_equal(measurement.spectrum(i)[1], made[i][1]) for i in order)

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, range(4)))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (cv("MS:1000128", "profile spectrum"), True),
        (cv("MS:1000127", "centroid spectrum"), False),
        (cv("MS:1000127", "profile spectrum"), None),
        (cv("MS:1000127", "centroid spectrum") + cv("MS:1000128", "profile spectrum"), None),
        ("", None),
    ],
)
def test_profile_or_centroid(kind: str, expected: bool | None, tmp_path: Path) -> None:
    with open_imzml(Forge(kind=kind).write(tmp_path)) as measurement:
        assert measurement.is_profile is expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("150", UM, 150.0),
        ("0.15", UM.replace("17", "16"), 150.0),
        ("150000", UM.replace("17", "18"), 150.0),
        ("1.000000", "", None),
        ("Inf", UM, None),
        ("-5", UM, None),
        ("wide", UM, None),
    ],
)
def test_pixel_size(value: str, unit: str, expected: float | None, tmp_path: Path) -> None:
    term = cv("IMS:1000046", "pixel size (x)", value).replace("/>", f" {unit}/>")
    with open_imzml(Forge(settings=term).write(tmp_path)) as measurement:
        assert measurement.pixel_size_um == (None if expected is None else pytest.approx(expected))
