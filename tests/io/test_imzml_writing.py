"""What is written is read back exactly, by this program and by pyimzml; or nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from corespot import open_imzml
from corespot.io import imzml_template
from corespot.io.imzml import check_imzml, write_imzml, write_processed_imzml

SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
INTENSITIES = st.floats(-(2.0**100), 2.0**100, width=32)
MASSES = st.floats(0, 1e5)


def grid(n: int) -> np.ndarray:
    return np.stack([np.arange(n) % 5 + 1, np.arange(n) // 5 + 1, np.ones(n, int)], axis=1)


@SETTINGS
@given(data=st.data())
def test_continuous_round_trip(data: st.DataObject, tmp_path: Path) -> None:
    n, n_bins = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 8))
    mz = np.sort(data.draw(hnp.arrays(np.float64, n_bins, elements=MASSES)))
    values = data.draw(hnp.arrays(np.float32, (n, n_bins), elements=INTENSITIES))
    cut = data.draw(st.integers(0, n))
    path = tmp_path / "w.imzML"
    write_imzml(path, coordinates=grid(n), blocks=[values[:cut], values[cut:]], mz=mz)
    with open_imzml(path) as measurement:
        assert measurement.mode == "continuous"
        np.testing.assert_array_equal(measurement.coordinates, grid(n))
        np.testing.assert_array_equal(measurement.mz, mz)
        np.testing.assert_array_equal(measurement.intensity_block(range(n)), values)
        for i in range(n):
            np.testing.assert_array_equal(measurement.spectrum(i)[1], values[i])
    assert check_imzml(path) == []


@SETTINGS
@given(data=st.data())
def test_processed_round_trip(data: st.DataObject, tmp_path: Path) -> None:
    lengths = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=6))
    made = [
        (
            np.sort(data.draw(hnp.arrays(np.float64, n, elements=MASSES))),
            data.draw(hnp.arrays(np.float32, n, elements=INTENSITIES)),
        )
        for n in lengths
    ]
    path = tmp_path / "w.imzML"
    write_processed_imzml(path, coordinates=grid(len(made)), spectra=iter(made))
    with open_imzml(path) as measurement:
        assert measurement.mode == "processed" and measurement.is_profile is False
        for i, (mz, intensity) in enumerate(made):
            ours = measurement.spectrum(i)
            np.testing.assert_array_equal(ours[0], mz)
            np.testing.assert_array_equal(ours[1], intensity)
    assert check_imzml(path) == []


def blocks(n: int = 6, n_bins: int = 4) -> np.ndarray:
    return np.arange(n * n_bins, dtype=np.float32).reshape(n, n_bins)


def write(path: Path, **changes: Any) -> None:
    given: dict[str, Any] = {
        "coordinates": grid(6), "blocks": [blocks()], "mz": np.arange(4) + 700.0, **changes,
    }  # fmt: skip
    write_imzml(path, **given)


def test_pyimzml_reads_what_is_written(tmp_path: Path) -> None:
    from pyimzml.ImzMLParser import ImzMLParser

    write(tmp_path / "w.imzML")
    with ImzMLParser(str(tmp_path / "w.imzML")) as parser:
        assert parser.coordinates == [tuple(c) for c in grid(6).tolist()]
        assert parser.spectrum_mode == "profile" and parser.polarity == "positive"
        assert parser.imzmldict["pixel size x"] == 150
        for i in range(6):
            mz, intensity = parser.getspectrum(i)
            np.testing.assert_array_equal(mz, np.arange(4) + 700.0)
            np.testing.assert_array_equal(intensity, blocks()[i])


def test_header_facts(tmp_path: Path) -> None:
    path = tmp_path / "w.imzML"
    write(path, profile=False, pixel_size_um=50.0, coordinates=grid(6)[:, :2])
    with open_imzml(path) as measurement:
        assert (measurement.is_profile, measurement.pixel_size_um) == (False, 50.0)
        assert measurement.coordinates[:, 2].tolist() == [1] * 6


def test_same_spectra_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.imzML")
    write(tmp_path / "b.imzML", blocks=iter([blocks()[:1], blocks()[1:]]))
    write(tmp_path / "c.imzML", blocks=[blocks() + 1])
    for suffix in (".imzML", ".ibd"):
        a, b, c = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "abc")
        assert a == b != c
        assert (tmp_path / "a.ibd").read_bytes()[:16] != (tmp_path / "c.ibd").read_bytes()[:16]


WRONG: dict[str, dict[str, Any]] = {
    "2 spectra for 6": {"blocks": [blocks(2)]},
    "more spectra": {"blocks": [blocks(), blocks(1)]},
    "5 bins": {"blocks": [blocks(6, 5)]},
    "intensities must be finite": {"blocks": [np.full((6, 4), np.nan)]},
    "finite in float32": {"blocks": [np.full((6, 4), 1e300)]},
    "ascending": {"mz": np.array([3.0, 2, 1, 0])},
    "not negative": {"mz": np.array([-1.0, 2, 3, 4])},
    "vector": {"mz": np.ones((2, 2))},
    "same coordinates": {"coordinates": np.ones((6, 3), int)},
    "integers": {"coordinates": grid(6) + 0.5},
    "at least one": {"coordinates": grid(0), "blocks": []},
    "pixel_size_um": {"pixel_size_um": 0.0},
}


@pytest.mark.parametrize("message", WRONG)
def test_unsound_input_is_refused_and_leaves_the_old_pair(message: str, tmp_path: Path) -> None:
    path = tmp_path / "w.imzML"
    write(path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=message):
        write(path, **WRONG[message])
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Iterator[np.ndarray]:
        yield blocks(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "w.imzML", blocks=interrupted())
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_xml_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(imzml_template, "spectrum", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "w.imzML")
    assert list(tmp_path.iterdir()) == []


def test_processed_input_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "w.imzML"
    for message, made in {
        "spectrum 1: 3 m/z values": [(np.arange(2), np.arange(2)), (np.arange(3), np.arange(2))],
        "more spectra": [(np.arange(2), np.arange(2))] * 3,
        "1 spectra for 2": [(np.arange(2), np.arange(2))],
        "spectrum 0: m/z values": [(np.array([np.nan]), np.ones(1))],
    }.items():
        with pytest.raises(ValueError, match=message):
            write_processed_imzml(path, coordinates=grid(2), spectra=made)
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match=r"ends in \.imzML"):
        write(tmp_path / "w.xml")
