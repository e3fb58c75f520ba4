"""Every way an imzML file can be broken is refused by its own name, with file and remedy."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from imzml_forge import Forge, cv, spectra

from corespot import open_imzml
from corespot.errors import CohortError, Problem
from corespot.io import imzml as door
from corespot.io import imzml_check
from corespot.io.imzml import check_imzml
from corespot.io.imzml_problems import MAX_LISTED, PROBLEMS

MZ, INTENSITY = spectra(1)[0]
FLOAT32 = cv("MS:1000521", "32-bit float")


def with_value(kind: str, index: int, value: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Three spectra, the second with one odd value."""
    broken = [(mz.copy(), intensity.copy()) for mz, intensity in spectra(3)]
    broken[1][0 if kind == "mz" else 1][index] = value
    return broken


def swap(old: str, new: str, count: int = -1) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new, count)

    return edit


XXE = '<!DOCTYPE mzML [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<mzML'
LAUGHS = (
    '<!DOCTYPE mzML [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>\n<mzML'
)
HUGE = 10**30

# Seen when the file is opened, so by open_imzml and check_imzml alike.
STRUCTURAL: list[tuple[str, str, Forge]] = [
    ("not-xml", "binary", Forge(edit_xml=lambda text: "\x01\x02 spectra")),
    ("not-xml", "empty", Forge(edit_xml=lambda text: "")),
    ("not-imzml", "other-root", Forge(edit_xml=lambda text: "<html><body/></html>")),
    ("not-imzml", "no-list", Forge(edit_xml=lambda text: "<mzML></mzML>")),
    ("malformed-xml", "crossed", Forge(edit_xml=swap("</scanList>", "</scanlist>"))),
    ("malformed-xml", "undeclared-entity", Forge(edit_xml=swap("Gießen", "&nbsp;"))),
    ("malformed-xml", "bytes", Forge(encoding="UTF-8", edit_xml=swap("Gie", "\udcff"))),
    ("truncated-xml", "half", Forge(edit_xml=lambda text: text[: len(text) * 2 // 3])),
    ("truncated-xml", "last-tag", Forge(edit_xml=lambda text: text.rstrip()[:-3])),
    ("xml-entities", "xxe", Forge(edit_xml=swap("<mzML", XXE, 1))),
    ("xml-entities", "billion-laughs", Forge(edit_xml=swap("<mzML", LAUGHS, 1))),
    ("xml-entities", "utf-16", Forge(encoding="UTF-16", edit_xml=swap("<mzML", LAUGHS, 1))),
    (
        "xml-entities",
        "dtd-only",
        Forge(edit_xml=swap("<mzML", '<!DOCTYPE mzML SYSTEM "http://x.invalid/a">\n<mzML', 1)),
    ),
    ("unsupported-encoding", "utf-7", Forge(edit_xml=swap('"ISO-8859-1"', '"UTF-7"'))),
    ("unsupported-encoding", "unknown", Forge(edit_xml=swap('"ISO-8859-1"', '"klingon"'))),
    ("zero-spectra", "none", Forge(spectra=[])),
    ("spectrum-count", "more", Forge(count=5)),
    ("spectrum-count", "fewer", Forge(count=3)),
    ("spectrum-count", "word", Forge(count="many")),
    ("unknown-param-group", "id", Forge(edit_xml=swap('Group id="mz"', 'Group id="other"'))),
    ("unknown-binary-type", "string", Forge(edit_xml=swap("MS:1000521", "MS:1001479"))),
    (
        "unknown-binary-type",
        "new",
        Forge(edit_xml=swap(FLOAT32, cv("MS:9", "128-bit float"))),
    ),
    (
        "unknown-binary-type",
        "missing",
        Forge(edit_xml=swap(FLOAT32, "")),
    ),
    (
        "unknown-binary-type",
        "two",
        Forge(edit_xml=swap(FLOAT32, FLOAT32 + cv("MS:1000519", "32-bit integer"))),
    ),
    (
        "unknown-compression",
        "numpress",
        Forge(
            edit_xml=swap(
                cv("MS:1000576", "no compression"),
                cv("MS:1002312", "MS-Numpress linear prediction compression"),
            )
        ),
    ),
    (
        "unknown-compression",
        "new",
        Forge(
            edit_xml=swap(
                cv("MS:1000576", "no compression"), cv("IMS:1005003", "zstd compression")
            )
        ),
    ),
    ("missing-array", "no-intensity", Forge(edit_xml=swap("MS:1000515", "MS:1000516"))),
    ("missing-array", "twice-mz", Forge(edit_xml=swap("MS:1000515", "MS:1000514"))),
    ("bad-offset", "missing", Forge(override={(1, "mz", "offset"): None})),
    ("bad-offset", "word", Forge(override={(1, "intensity", "length"): "six"})),
    ("bad-offset", "empty", Forge(override={(1, "intensity", "length"): ""})),
    ("bad-offset", "zlib-encoded", Forge(packed=True, override={(1, "mz", "encoded"): None})),
    ("missing-coordinate", "none", Forge(edit_xml=swap("IMS:1000051", "IMS:1000059"))),
    ("missing-coordinate", "word", Forge(coordinates=[(1, 1), (2, 1), ("left", 1), (4, 1)])),  # type: ignore[list-item]
    ("duplicate-coordinate", "twice", Forge(coordinates=[(1, 1), (2, 1), (1, 1), (4, 1)])),
    ("negative-offset", "offset", Forge(override={(2, "intensity", "offset"): -16})),
    ("negative-offset", "length", Forge(override={(2, "intensity", "length"): -6})),
    ("negative-offset", "encoded", Forge(override={(2, "mz", "encoded"): -48})),
    ("negative-offset", "huge", Forge(override={(2, "mz", "offset"): -HUGE})),
    ("header-overlap", "zero", Forge(override={(1, "intensity", "offset"): 0})),
    ("header-overlap", "inside", Forge(override={(1, "mz", "offset"): 15})),
    ("encoded-length", "more", Forge(override={(1, "intensity", "encoded"): 48})),
    ("encoded-length", "type", Forge(edit_xml=swap(FLOAT32, cv("MS:1000522", "64-bit integer")))),
    ("array-lengths-differ", "shorter", Forge(
        override={(1, "intensity", "length"): 5, (1, "intensity", "encoded"): 20}
    )),
    ("truncated-ibd", "one-byte", Forge(edit_ibd=lambda data: data[:-1])),
    ("truncated-ibd", "half", Forge(continuous=False, edit_ibd=lambda d: d[: len(d) // 2])),
    ("truncated-ibd", "header-only", Forge(edit_ibd=lambda data: data[:16])),
    ("truncated-ibd", "empty", Forge(edit_ibd=lambda data: b"")),
    ("truncated-ibd", "offset", Forge(override={(3, "intensity", "offset"): HUGE})),
    ("truncated-ibd", "zlib", Forge(packed=True, edit_ibd=lambda data: data[:-1])),
    (
        "bad-compressed-data",
        "bomb",
        Forge(
            packed=True,
            override={(i, k, "length"): 10**12 for i in range(4) for k in ("mz", "intensity")},
        ),
    ),
    ("uuid-mismatch", "other", Forge(edit_ibd=lambda data: b"X" + data[1:])),
    ("uuid-mismatch", "no-uuid", Forge(uuid="{measurement 7}")),
]  # fmt: skip

# Seen only when the values are looked at.
VALUES: list[tuple[str, str, Forge]] = [
    ("missing-uuid", "none", Forge(uuid=None)),
    ("checksum-mismatch", "sha1", Forge(edit_ibd=lambda data: data[:-1] + b"\x01")),
    ("checksum-mismatch", "md5", Forge(checksums=("md5",), edit_ibd=lambda d: d + b"\0")),
    ("checksum-mismatch", "sha256", Forge(checksums=("sha256",), edit_ibd=lambda d: d + b"\0")),
    ("mz-unsorted", "processed", Forge(spectra=with_value("mz", 3, 1.0), continuous=False)),
    ("mz-unsorted", "shared", Forge(spectra=[(MZ[::-1], INTENSITY)] * 2)),
    ("mz-not-finite", "nan", Forge(spectra=with_value("mz", 2, np.nan), continuous=False)),
    ("mz-not-finite", "inf", Forge(spectra=with_value("mz", 5, np.inf), continuous=False)),
    ("mz-negative", "first", Forge(spectra=with_value("mz", 0, -1.0), continuous=False)),
    ("intensity-not-finite", "nan", Forge(spectra=with_value("intensity", 2, np.nan))),
    ("intensity-not-finite", "inf", Forge(spectra=with_value("intensity", 2, -np.inf))),
    (
        "intensity-not-finite",
        "processed-zlib",
        Forge(spectra=with_value("intensity", 2, np.nan), continuous=False, packed=True),
    ),
]

# Each has a test of its own below.
APART = {
    "missing-imzml", "missing-ibd", "unreadable-file", "intensity-range", "parsers-disagree",
}  # fmt: skip


def ids(cases: list[tuple[str, str, Forge]]) -> list[str]:
    return [f"{code}-{what}" for code, what, _ in cases]


def assert_actionable(problem: Problem) -> None:
    assert problem.where.startswith(("m.imzML", "m.ibd"))
    assert problem.found and problem.expected and problem.remedy


@pytest.mark.parametrize(("code", "what", "forge"), STRUCTURAL, ids=ids(STRUCTURAL))
def test_structural_faults_are_refused(code: str, what: str, forge: Forge, tmp_path: Path) -> None:
    path = forge.write(tmp_path)
    with pytest.raises(CohortError) as refusal:
        open_imzml(path)
    for problems in (refusal.value.problems, check_imzml(path)):
        assert code in {problem.code for problem in problems}
        for problem in problems:
            assert_actionable(problem)


@pytest.mark.parametrize(("code", "what", "forge"), VALUES, ids=ids(VALUES))
def test_faults_in_values_are_reported(code: str, what: str, forge: Forge, tmp_path: Path) -> None:
    path = forge.write(tmp_path)
    problems = check_imzml(path)
    assert [p.code for p in problems if p.code != "checksum-mismatch"] == (
        [code] if code != "checksum-mismatch" else []
    )
    assert code in {problem.code for problem in problems}
    for problem in problems:
        assert_actionable(problem)


def test_every_kind_of_problem_is_tested() -> None:
    tested = {code for code, *_ in STRUCTURAL + VALUES} | APART
    assert tested == set(PROBLEMS)


def test_a_sound_forgery_is_sound(tmp_path: Path) -> None:
    assert check_imzml(Forge().write(tmp_path)) == []


def test_spectrum_and_position_are_named(tmp_path: Path) -> None:
    path = Forge(override={(2, "intensity", "offset"): -16}).write(tmp_path)
    (problem,) = check_imzml(path, checksum=False)
    assert problem.where == "m.imzML, spectrum 2 (x 3, y 1)"
    assert "offset -16" in problem.found


def test_value_is_named(tmp_path: Path) -> None:
    path = Forge(spectra=with_value("mz", 3, 1.0), continuous=False).write(tmp_path)
    (problem,) = check_imzml(path)
    assert problem.where == "m.imzML, spectrum 1 (x 2, y 1)"
    assert problem.found == "m/z value 3 is 1.0 after 102.0, one of 1"


def test_missing_imzml(tmp_path: Path) -> None:
    for problems in (check_imzml(tmp_path / "m.imzML"), refusal_of(tmp_path / "m.imzML")):
        assert [problem.code for problem in problems] == ["missing-imzml"]


def test_missing_ibd(tmp_path: Path) -> None:
    path = Forge(count=9).write(tmp_path)
    (tmp_path / "m.ibd").unlink()
    for problems in (check_imzml(path), refusal_of(path)):
        assert {problem.code for problem in problems} == {"missing-ibd", "spectrum-count"}
    path.write_text("no xml")
    assert {p.code for p in check_imzml(path)} == {"missing-ibd", "not-xml"}


def refusal_of(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(CohortError) as refusal:
        open_imzml(path)
    return refusal.value.problems


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Forge().write(tmp_path)

    def deny(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    for module in (door, imzml_check):
        monkeypatch.setattr(module, "IbdReader", deny)
    for problems in (check_imzml(path), refusal_of(path)):
        assert [(p.code, p.where) for p in problems] == [("unreadable-file", "m.ibd")]


def test_broken_zlib_streams(tmp_path: Path) -> None:
    path = Forge(packed=True, edit_ibd=lambda d: d[:-12] + bytes(12)).write(tmp_path)
    assert [p.code for p in check_imzml(path, checksum=False)] == ["bad-compressed-data"]
    with open_imzml(path) as measurement, pytest.raises(CohortError, match="bad-compressed-data"):
        measurement.spectrum(3)
    longer = {(0, k, "length"): 7 for k in ("mz", "intensity")}
    path = Forge(packed=True, continuous=False, override=longer).write(tmp_path)
    with open_imzml(path) as measurement, pytest.raises(CohortError, match="unpacks to 48 of 56"):
        measurement.spectrum(0)
    shorter = {(0, k, "length"): 5 for k in ("mz", "intensity")}
    path = Forge(packed=True, continuous=False, override=shorter).write(tmp_path)
    with open_imzml(path) as measurement, pytest.raises(CohortError, match="more than 40"):
        measurement.spectrum(0)


def test_a_zlib_stream_without_its_end_is_refused(tmp_path: Path) -> None:
    # All values are there, only the stream's own checksum is not.
    packed = len(zlib.compress(spectra()[0][1].astype("<f4").tobytes()))
    path = Forge(packed=True, override={(0, "intensity", "encoded"): packed - 2}).write(tmp_path)
    assert [problem.code for problem in check_imzml(path)] == ["bad-compressed-data"]


def test_intensities_beyond_float32(tmp_path: Path) -> None:
    big = Forge(spectra=[(MZ, INTENSITY + 1e300)], intensity_type="<f8").write(tmp_path)
    with open_imzml(big) as measurement:
        assert measurement.spectrum(0)[1].max() >= 1e300
        with pytest.raises(CohortError, match="intensity-range"):
            measurement.intensity_block([0])


def test_truncation_after_opening_is_refused(tmp_path: Path) -> None:
    path = Forge().write(tmp_path)
    with open_imzml(path) as measurement:
        data = (tmp_path / "m.ibd").read_bytes()
        (tmp_path / "m.ibd").write_bytes(data[:-4])
        assert measurement.spectrum(0)[1].size == 6
        with pytest.raises(CohortError, match="truncated-ibd"):
            measurement.spectrum(3)
        with pytest.raises(CohortError, match="truncated-ibd"):
            measurement.intensity_block(range(4))


def test_pyimzml_reads_emptiness_where_we_refuse(tmp_path: Path) -> None:
    from pyimzml.ImzMLParser import ImzMLParser

    path = Forge(edit_ibd=lambda data: data[:80]).write(tmp_path)
    with ImzMLParser(str(path)) as parser:
        assert parser.getspectrum(3)[1].size == 0
    assert {problem.code for problem in refusal_of(path)} == {"truncated-ibd"}


def test_the_checksum_can_be_skipped(tmp_path: Path) -> None:
    path = Forge(edit_ibd=lambda data: data + b"\0").write(tmp_path)
    assert [p.code for p in check_imzml(path)] == ["checksum-mismatch"]
    assert check_imzml(path, checksum=False) == []
    with open_imzml(path) as measurement:
        assert len(measurement) == 4


def test_the_values_can_be_skipped(tmp_path: Path) -> None:
    path = Forge(spectra=with_value("intensity", 2, np.nan)).write(tmp_path)
    assert check_imzml(path, values=False) == []


def test_everything_is_reported_at_once(tmp_path: Path) -> None:
    path = Forge(
        spectra=with_value("intensity", 2, np.nan),
        coordinates=[(1, 1), (2, 1), (1, 1)],
        count=7,
        override={(0, "mz", "offset"): -1},
        edit_ibd=lambda data: b"X" + data[1:],
    ).write(tmp_path)
    assert {problem.code for problem in check_imzml(path)} == {
        "intensity-not-finite",
        "duplicate-coordinate",
        "spectrum-count",
        "negative-offset",
        "uuid-mismatch",
        "checksum-mismatch",
    }


def test_frequent_problems_are_counted(tmp_path: Path) -> None:
    path = Forge(spectra=spectra(50), edit_ibd=lambda data: data[:80]).write(tmp_path)
    problems = check_imzml(path, checksum=False)
    assert len(problems) == MAX_LISTED + 1
    # The first spectrum's intensities end at byte 88.
    assert "40 further places" in problems[-1].found
    assert problems[-1].where == "m.imzML, spectrum 49 (x 2, y 17)"
    path = Forge(edit_xml=swap("IMS:1000051", "IMS:1000059"), spectra=spectra(50)).write(tmp_path)
    assert len(check_imzml(path)) == MAX_LISTED + 1


def test_a_disagreement_with_pyimzml_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyimzml import ImzMLParser as module

    class Mistaken(module.ImzMLParser):  # type: ignore[misc, name-defined]
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, **kwargs)
            self.intensityOffsets[1] += 4

    path = Forge().write(tmp_path)
    monkeypatch.setattr(module, "ImzMLParser", Mistaken)
    (problem,) = check_imzml(path)
    assert problem.code == "parsers-disagree" and "intensity offset" in problem.found


def test_a_bomb_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corespot.io import imzml_xml

    def never(*args: object) -> None:
        raise AssertionError("the parser was reached")

    monkeypatch.setattr(imzml_xml, "_walk", never)
    padding = "<!--" + " " * (5 << 20) + "-->\n"
    path = Forge(edit_xml=swap("<mzML", padding + LAUGHS, 1)).write(tmp_path)
    tracemalloc.start()
    assert [problem.code for problem in refusal_of(path)] == ["xml-entities"]
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_a_declaration_across_two_chunks_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from corespot.io import imzml_guard

    for chunk in range(7, 23):
        monkeypatch.setattr(imzml_guard, "_CHUNK", chunk)
        path = Forge(edit_xml=swap("<mzML", XXE, 1)).write(tmp_path)
        assert [problem.code for problem in refusal_of(path)] == ["xml-entities"]
