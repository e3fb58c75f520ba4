"""Every refusal of `corespot cohort check`, fed with the broken input, and what it reports."""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cohort_folders import CORES, MARKERS, MZ, SPOTS, make_folder, write_measurement
from hypothesis import given
from hypothesis import strategies as st

import corespot
from corespot.cohort.tasks import Task
from corespot.errors import CohortError, Problem
from corespot.io.check import CohortReport, check_cohort
from corespot.io.cohort_folder import load_cohort
from corespot.io.imzml import write_imzml, write_processed_imzml
from corespot.io.imzml_problems import PROBLEMS

SUBTYPE = Task(label="subtype", classes=("AD", "SQ"), where={"roi": 1})
ORGAN = Task(label="organ", classes=("lung", "pancreas"))


def only(report: CohortReport, code: str) -> Problem:
    """The one problem of the report, which is of kind `code`."""
    assert [problem.code for problem in report.problems] == [code], report.text()
    problem = report.problems[0]
    assert all((problem.where, problem.found, problem.expected, problem.remedy))
    assert code in report.text()
    return problem


def check(tmp_path: Path, **tables: str | bytes) -> CohortReport:
    """Report of the standard folder with other tables; `load_cohort` must agree on refusal."""
    folder = make_folder(tmp_path / "cohort", **tables)  # type: ignore[arg-type]
    report = check_cohort(folder)
    if report.ok:
        load_cohort(folder)
    else:
        with pytest.raises(CohortError) as error:
            load_cohort(folder)
        assert {p.code for p in error.value.problems} == {p.code for p in report.problems}
    return report


def test_a_faultless_cohort_is_summarised(tmp_path: Path) -> None:
    report = check_cohort(make_folder(tmp_path / "cohort"), tasks={"ADSQ": SUBTYPE, "LP": ORGAN})
    assert report.ok and not report.problems
    summary = json.loads(json.dumps(report.as_dict(), allow_nan=False))["summary"]
    assert (summary["n_spots"], summary["n_cores"], summary["n_patients"]) == (8, 4, 4)
    assert (summary["n_tmas"], summary["n_files"], summary["n_background"]) == (2, 2, 16)
    assert summary["mz_range"] == [800.0, 900.0]
    assert (summary["mode"], summary["shared_axis"]) == ("continuous", True)
    assert summary["points_per_spectrum"] == {"min": 12, "median": 12, "max": 12}
    # Spectrum 1 of A.imzML is a spot, spectrum 9 is background and not counted.
    assert summary["n_empty"] == 1
    assert summary["tmas"]["T1"]["n_empty"] == 1 and summary["tmas"]["T2"]["n_empty"] == 0
    assert summary["zero_fraction"] == pytest.approx(1 / 8)
    assert summary["n_markers"] == 3
    adsq = summary["tasks"]["ADSQ"]
    assert adsq["spots_per_tma"] == {"T1": {"AD": 2, "SQ": 1}, "T2": {"AD": 2, "SQ": 2}}
    assert adsq["in_all"]["cores"] == {"AD": 2, "SQ": 2}
    assert summary["tasks"]["LP"]["in_all"]["patients"] == {"lung": 2, "pancreas": 2}
    text = report.text()
    assert "OK" in text and "task ADSQ: spots by subtype where roi = 1" in text
    assert ["T2", "2", "2", "4"] in [line.split() for line in text.splitlines()]


def test_without_tasks_columns_with_few_values_are_counted(tmp_path: Path) -> None:
    summary = check(tmp_path).summary
    assert set(summary["labels"]) == {"subtype", "organ", "age"}
    assert summary["labels"]["subtype"]["in_all"]["spots"] == {"AD": 4, "SQ": 3}


BROKEN: dict[str, tuple[str, dict[str, str | bytes], str]] = {
    # name: (code, tables, words that the message must hold)
    "empty file": ("empty-table", {"spots": b""}, "the file is empty"),
    "blank lines only": ("empty-table", {"spots": b"\n\n,,\n"}, "there is no row"),
    "header only": ("empty-table", {"spots": "file,x,y,core\n"}, "no row"),
    "latin-1": ("not-utf8", {"cores": CORES.replace("lung", "Köln", 1).encode("latin-1")}, "0xf6"),
    "utf-16": ("not-csv", {"cores": CORES.encode("utf-16")}, "UTF-16"),
    "excel": ("not-csv", {"spots": b"PK\x03\x04rest"}, "Excel"),
    "zero bytes": ("not-csv", {"cores": CORES.replace("p3", "p\x003")}, "row 4"),
    "open quote": ("broken-quotes", {"cores": CORES.replace("p3", '"p3')}, "row 4"),
    "short row": ("ragged-row", {"spots": SPOTS.replace("3,1,b,1,SQ", "3,1,b", 1)}, "row 4"),
    "long row": ("ragged-row", {"cores": CORES.replace("61", "61,5")}, "double quotes"),
    "duplicate column": (
        "duplicate-column",
        {"cores": CORES.replace(",age", ",organ", 1)},
        "'organ' is there 2 times",
    ),
    "unnamed column": ("unnamed-column", {"cores": CORES.replace(",organ", ",", 1)}, "column 4"),
    "missing column": ("missing-column", {"spots": SPOTS.replace("core", "kern", 1)}, "'core'"),
    "capital column": (
        "missing-column",
        {"cores": CORES.replace("tma", "TMA", 1)},
        "did you mean 'TMA'?",
    ),
    "reserved column": (
        "reserved-column",
        {"spots": SPOTS.replace("subtype", "spectrum", 1)},
        "rename",
    ),
    "column twice": (
        "column-in-both-tables",
        {"cores": CORES.replace("organ", "subtype", 1)},
        "delete 'subtype' from cores.csv",
    ),
    "tma in spots": (
        "column-in-both-tables",
        {"spots": SPOTS.replace("subtype", "tma", 1)},
        "delete 'tma' from spots.csv",
    ),
    "empty core": ("empty-id", {"spots": SPOTS.replace("2,1,a,", "2,1,,", 1)}, "row 3"),
    "empty file name": ("empty-id", {"spots": SPOTS.replace("A.imzML,2", ",2", 1)}, "row 3"),
    "empty patient": ("empty-id", {"cores": CORES.replace("p2", " ", 1)}, "row 3"),
    "line break in a name": ("odd-character", {"cores": CORES.replace("p2", '"p\n2"')}, "row 3"),
    "decimal comma": (
        "decimal-comma",
        {"spots": SPOTS.replace(",", ";").replace("2;1;a", "2,0;1;a", 1)},
        "x is '2,0', with a decimal comma",
    ),
    "fraction": ("coordinate-not-whole", {"spots": SPOTS.replace("2,1,a", "2.5,1,a")}, "'2.5'"),
    "no coordinate": ("coordinate-not-whole", {"spots": SPOTS.replace("2,1,a", ",1,a")}, "empty"),
    "huge number": (
        "coordinate-not-whole",
        {"spots": SPOTS.replace("2,1,a", "99999999999999999999,1,a")},
        "row 3",
    ),
    "infinity": ("coordinate-not-whole", {"spots": SPOTS.replace("2,1,a", "inf,1,a")}, "'inf'"),
    "spot twice": (
        "duplicate-spot",
        {"spots": SPOTS + "A.imzML,2.0,1,b,1,SQ\n"},
        "rows 3, 10",
    ),
    "core twice": ("duplicate-core", {"cores": CORES + "a,T1,p1,lung,62\n"}, "differ in age"),
    "two tmas": (
        "core-on-two-tmas",
        {"cores": CORES + "a,T2,p9,lung,61\n"},
        "core 'a' is on the TMAs 'T1' and 'T2'",
    ),
    "unknown core": (
        "unknown-core",
        {
            "spots": SPOTS.replace(",a,", ",core-O1,"),
            "cores": CORES.replace("a,T1", "core-01,T1"),
        },
        "did you mean 'core-01'?",
    ),
    "absent file": (
        "missing-imzml",
        {"spots": SPOTS.replace("B.imzML", "C.imzML")},
        "row 6 and 3 more rows",
    ),
    "other capitals": (
        "missing-imzml",
        {"spots": SPOTS.replace("B.imzML", "b.imzml")},
        "did you mean 'B.imzML'?",
    ),
    "no suffix": ("missing-imzml", {"spots": SPOTS.replace("B.imzML", "B")}, "mean 'B.imzML'?"),
    "binary file": ("not-imzml", {"spots": SPOTS.replace("B.imzML", "B.ibd")}, "ends in .imzML"),
    "parent": (
        "path-leaves-folder",
        {"spots": SPOTS.replace("B.imzML", "../B.imzML")},
        "leads out of it",
    ),
    "absolute": ("path-leaves-folder", {"spots": SPOTS.replace("B.i", "/tmp/B.i")}, "/tmp"),
    "drive": ("path-leaves-folder", {"spots": SPOTS.replace("B.i", "C:B.i")}, "C:B"),
    "backslash": ("path-leaves-folder", {"spots": SPOTS.replace("B.i", "..\\B.i")}, "leads out"),
    "subfolder": ("file-in-subfolder", {"spots": SPOTS.replace("B.i", "x/B.i")}, "'B.imzML'"),
    "not measured": (
        "spot-without-spectrum",
        {"spots": SPOTS.replace("4,1,d", "5,1,d")},
        "row 9",
    ),
    "marker without mz": ("missing-column", {"markers": "name,mass\nx,1\n"}, "'mz'"),
    "marker unit": ("bad-marker", {"markers": MARKERS.replace("ppm", "kDa")}, "'200 kDa'"),
    "marker comma": (
        "bad-marker",
        {"markers": "name;mz\nCK7;806,6\n"},
        "decimal point",
    ),
    "marker name": ("bad-marker", {"markers": MARKERS.replace("CK7", "")}, "name is empty"),
    "marker twice": ("bad-marker", {"markers": MARKERS + "CK7,806.60,\n"}, "twice"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_table_is_refused_by_name(tmp_path: Path, name: str) -> None:
    code, tables, words = BROKEN[name]
    assert words in str(only(check(tmp_path, **tables), code))


def test_everything_is_reported_at_once(tmp_path: Path) -> None:
    report = check(
        tmp_path,
        spots=SPOTS.replace("4,1,d", "9,9,d").replace("A.imzML,2,1,a", "A.imzML,x,1,zz"),
        cores=CORES + "a,T2,p9,lung,61\n",
        markers="name,mz\n,1\n",
    )
    assert {problem.code for problem in report.problems} == {
        "spot-without-spectrum",
        "coordinate-not-whole",
        "unknown-core",
        "core-on-two-tmas",
        "bad-marker",
    }
    assert report.text().startswith(f"{tmp_path / 'cohort'}: 5 problems found")


def test_faulty_measurements_are_reported_beside_faulty_tables(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "cohort", cores=CORES + "a,T1,p1,lung,61\n")
    (folder / "A.ibd").unlink()
    ibd = folder / "B.ibd"
    ibd.write_bytes(ibd.read_bytes()[:-100])
    codes = {problem.code for problem in check_cohort(folder).problems}
    assert codes >= {"missing-ibd", "truncated-ibd", "duplicate-core"}


def test_faulty_values_are_found_and_the_checksum_can_be_skipped(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "cohort")
    ibd = folder / "B.ibd"
    raw = bytearray(ibd.read_bytes())
    raw[-4:] = np.float32(np.nan).tobytes()
    ibd.write_bytes(raw)
    codes = {problem.code for problem in check_cohort(folder).problems}
    assert codes == {"checksum-mismatch", "intensity-not-finite"}
    codes = {problem.code for problem in check_cohort(folder, checksum=False).problems}
    assert codes == {"intensity-not-finite"}


def test_without_readable_spots_every_measurement_is_checked(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "cohort")
    (folder / "spots.csv").rename(folder / "Spots.CSV")
    (folder / "B.ibd").unlink()
    report = check_cohort(folder)
    assert [problem.code for problem in report.problems] == ["missing-table", "missing-ibd"]
    assert "did you mean 'Spots.CSV'?" in report.problems[0].remedy


def test_a_missing_or_empty_folder(tmp_path: Path) -> None:
    only(check_cohort(tmp_path / "nowhere"), "missing-folder")
    (tmp_path / "file").write_text("x")
    only(check_cohort(tmp_path / "file"), "missing-folder")
    (tmp_path / "empty").mkdir()
    codes = [problem.code for problem in check_cohort(tmp_path / "empty").problems]
    assert codes == ["missing-table", "missing-table", "missing-imzml"]


@pytest.mark.parametrize("name", ["A.imzML", "A.ibd", "cores.csv"])
def test_a_link_out_of_the_folder_is_refused_but_not_one_to_a_dvc_cache(
    tmp_path: Path, name: str
) -> None:
    folder = make_folder(tmp_path / "cohort")
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / name).rename(outside / name)
    (folder / name).symlink_to(outside / name)
    assert "path-leaves-folder" in {problem.code for problem in check_cohort(folder).problems}
    cached = tmp_path / "cache" / "files" / "md5" / "ab" / ("0123456789" * 3)
    cached.parent.mkdir(parents=True)
    (outside / name).rename(cached)
    (folder / name).unlink()
    (folder / name).symlink_to(cached)
    assert check_cohort(folder).ok


def test_several_sections_in_one_file_are_ambiguous(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "cohort")
    for name in ("A.imzML", "A.ibd"):
        (folder / name).unlink()
    coordinates = np.array([(x, 1, z) for x in (1, 2, 3, 4) for z in (1, 2)])
    block = np.ones((8, 3), dtype=np.float32)
    write_imzml(
        folder / "A.imzML", coordinates=coordinates, blocks=[block], mz=np.array([1.0, 2.0, 3.0])
    )
    codes = [problem.code for problem in check_cohort(folder).problems]
    assert codes == ["ambiguous-spot"] * 4


@pytest.mark.parametrize(
    ("places", "hint"),
    [
        ([(1, 4), (2, 4), (3, 4), (1, 1)], "swapped"),
        ([(0, 0), (0, 1), (1, 0), (1, 1)], "count from 0"),
        ([(5, 1), (5, 2), (5, 3), (1, 4)], "count from 1"),
        ([(9, 9), (8, 8), (7, 7), (1, 1)], "delete the row"),
    ],
)
def test_usual_mistakes_in_coordinates_are_recognised(
    tmp_path: Path, places: list[tuple[int, int]], hint: str
) -> None:
    spots = "file,x,y,core\n" + "".join(f"A.imzML,{x},{y},a\n" for x, y in places)
    folder = make_folder(tmp_path / "cohort", spots=spots)
    if hint == "count from 1":
        coordinates = np.array([(x, y, 1) for x in range(5) for y in range(4)])
        block = np.ones((20, 3), dtype=np.float32)
        for name in ("A.imzML", "A.ibd"):
            (folder / name).unlink()
        write_imzml(folder / "A.imzML", coordinates=coordinates, blocks=[block], mz=MZ[:3])
    problems = check_cohort(folder).problems
    assert {problem.code for problem in problems} == {"spot-without-spectrum"}
    assert all(hint in problem.remedy for problem in problems)


def test_many_problems_of_a_kind_are_cut_in_text_only(tmp_path: Path) -> None:
    rows = "".join(f"A.imzML,{x},77,a,1,AD\n" for x in range(1, 101))
    report = check(tmp_path, spots=SPOTS + rows)
    assert len(report.problems) == 100 == len(report.as_dict()["problems"])
    assert "… and 80 more" in report.text()
    assert "row 29" in report.text() and "row 30:" not in report.text()


@given(
    which=st.sampled_from(["spots.csv", "cores.csv", "markers.csv"]),
    at=st.integers(0, 80),
    cut=st.integers(0, 12),
    inserted=st.one_of(st.binary(max_size=6), st.text(',;"\n\r\t. -1aA\ufeff', max_size=6)),
)
def test_damaged_tables_never_raise(
    tmp_path_factory: pytest.TempPathFactory,
    which: str,
    at: int,
    cut: int,
    inserted: bytes | str,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "damaged"
    if not folder.exists():
        make_folder(folder)
    for name, text in (("spots.csv", SPOTS), ("cores.csv", CORES), ("markers.csv", MARKERS)):
        raw = text.encode()
        if name == which:
            new = inserted if isinstance(inserted, bytes) else inserted.encode()
            raw = raw[:at] + new + raw[at + cut :]
        (folder / name).write_bytes(raw)
    report = check_cohort(folder, tasks={"ADSQ": SUBTYPE}, checksum=False)
    json.dumps(report.as_dict(), allow_nan=False)
    assert report.text()


def test_odd_folder_entries_never_raise(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "cohort")
    for name in ("A.imzML", "B.ibd", "cores.csv", "spots.csv"):
        (folder / name).unlink()
    (folder / "A.imzML").mkdir()
    (folder / "B.ibd").symlink_to(folder / "B.ibd")
    (folder / "cores.csv").mkdir()
    codes = [problem.code for problem in check_cohort(folder).problems]
    assert set(codes) >= {"missing-table", "unreadable-file"}
    (folder / "spots.csv").write_text(SPOTS)
    codes = [problem.code for problem in check_cohort(folder).problems]
    assert set(codes) >= {"path-leaves-folder", "unreadable-file"}


# Tasks -------------------------------------------------------------------------------------


def task_codes(tmp_path: Path, task: Task, **tables: str) -> list[str]:
    report = check_cohort(make_folder(tmp_path / "cohort", **tables), tasks={"T": task})
    return [problem.code for problem in report.problems]


def test_a_task_with_fewer_than_two_classes_left(tmp_path: Path) -> None:
    task = Task(label="subtype", classes=("AD", "SQ"), where={"roi": 0})
    assert task_codes(tmp_path, task) == ["too-few-classes"]


def test_a_task_that_lacks_one_of_three_classes(tmp_path: Path) -> None:
    task = Task(label="subtype", classes=("AD", "SQ", "LCC"))
    assert task_codes(tmp_path, task) == ["class-without-spots"]


def test_a_task_on_an_unknown_column(tmp_path: Path) -> None:
    task = Task(label="subtipe", classes=("AD", "SQ"), where={"rio": 1})
    report = check_cohort(make_folder(tmp_path / "cohort"), tasks={"T": task})
    assert [problem.code for problem in report.problems] == ["unknown-column"] * 2
    assert "did you mean 'subtype'?" in report.problems[0].remedy


def test_a_patient_with_contradictory_labels(tmp_path: Path) -> None:
    cores = CORES.replace("p2", "p1")
    assert task_codes(tmp_path, ORGAN, cores=cores) == ["contradictory-patient-label"]
    without_task = check_cohort(tmp_path / "cohort")
    assert without_task.ok and any("refused as soon as" in note for note in without_task.notes)
    # Labels of spots may differ inside a patient, and classes of other tasks do not count.
    assert check_cohort(tmp_path / "cohort", tasks={"T": SUBTYPE}).ok


def test_an_excluded_core_contradicts_nobody(tmp_path: Path) -> None:
    cores = CORES.replace("p2", "p1").replace("66", "45")
    task = Task(label="organ", classes=("lung", "pancreas"), where={"core": ["a", "c", "d"]})
    assert task_codes(tmp_path, task, cores=cores) == []


# Notes -------------------------------------------------------------------------------------


def test_notes_tell_what_is_allowed_but_worth_knowing(tmp_path: Path) -> None:
    folder = make_folder(
        tmp_path / "cohort",
        spots=SPOTS.replace("B.imzML,1,1,c", "B.imzML,1,1,a").replace("2,1,c,1,AD", "2,1,c,1,ad"),
        cores=CORES + "e,T2,p2,lung,50\n",
    )
    write_measurement(folder / "Extra.imzML")
    notes = "\n".join(check_cohort(folder).notes)
    for words in (
        "Extra.imzML: in the folder",
        "cores without spots: e",
        "cores on several files (allowed): a",
        "files on several TMAs (allowed): B.imzML",
        "column 'subtype' holds 'AD' and 'ad'",
    ):
        assert words in notes
    assert "patients on several" not in notes


def test_a_nested_task_is_noted(tmp_path: Path) -> None:
    cores = CORES.replace("b,T1,p2,pancreas", "b,T1,p2,lung").replace(
        "c,T2,p3,lung", "c,T2,p3,pancreas"
    )
    report = check_cohort(make_folder(tmp_path / "cohort", cores=cores), tasks={"LP": ORGAN})
    assert report.ok
    assert any(note.startswith("task LP: no TMA holds two classes") for note in report.notes)


def test_different_axes_are_noted(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "cohort")
    coordinates = np.array([(x, 1, 1) for x in (1, 2, 3, 4)])
    for name in ("B.imzML", "B.ibd"):
        (folder / name).unlink()
    block = np.ones((4, 3), dtype=np.float32)
    write_imzml(folder / "B.imzML", coordinates=coordinates, blocks=[block], mz=np.arange(3.0) + 9)
    report = check_cohort(folder)
    assert report.ok and report.summary["shared_axis"] is False
    assert any("different m/z axes" in note for note in report.notes)
    assert report.summary["points_per_spectrum"] == {"min": 3, "median": 12, "max": 12}


def test_processed_files_in_lower_case_are_summarised(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "cohort", spots=SPOTS.replace("B.imzML", "b.imzml"))
    for name in ("B.imzML", "B.ibd"):
        (folder / name).unlink()
    coordinates = np.array([(x, 1, 1) for x in (1, 2, 3, 4)])
    spectra = [(MZ[: n + 1], np.full(n + 1, float(n), dtype=np.float32)) for n in range(4)]
    write_processed_imzml(folder / "b.imzml", coordinates=coordinates, spectra=spectra)
    report = check_cohort(folder)
    assert report.ok, report.text()
    assert report.summary["mode"] == "mixed" and report.summary["shared_axis"] is False
    assert report.summary["files"]["b.imzml"]["points_per_spectrum"] == {
        "min": 1,
        "median": 2.5,
        "max": 4,
    }
    # One empty spot on each TMA: spectrum 1 of A (12 zeros), spectrum 0 of b (1 zero).
    assert [counts["n_empty"] for counts in report.summary["tmas"].values()] == [1, 1]
    assert report.summary["zero_fraction"] == pytest.approx(13 / (4 * 12 + 10))
    assert any("others processed" in note for note in report.notes)


# Real data ---------------------------------------------------------------------------------


def test_the_bladder_tma_has_its_published_counts(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("bladder-tma")
    task = Task(label="tissue", classes=("tumor", "stroma"))
    start = time.perf_counter()
    report = check_cohort(folder, tasks={"tissue": task})
    assert time.perf_counter() - start < 20
    assert report.ok, report.text()
    summary = report.summary
    assert (summary["n_spots"], summary["n_cores"], summary["n_tmas"]) == (3152, 41, 2)
    assert summary["points_per_spectrum"]["max"] == summary["points_per_spectrum"]["min"] == 593
    assert summary["n_empty"] == 6
    assert int(100 * summary["zero_fraction"]) == 78
    cores = summary["tasks"]["tissue"]["in_all"]["cores"]
    assert cores["tumor"] + cores["stroma"] - 41 == 14
    assert np.floor(summary["mz_range"]).tolist() == [801, 2279]


# Documentation -----------------------------------------------------------------------------


def test_every_problem_code_is_documented_and_nothing_else() -> None:
    package = Path(corespot.__file__).parent
    codes = set(PROBLEMS)
    for path in [*package.glob("cohort/*.py"), *package.glob("io/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem":
                codes |= {
                    constant.value
                    for constant in ast.walk(node.args[0])
                    if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
                }
    page = Path(__file__).parents[2] / "docs" / "cohort-format.md"
    documented = re.findall(
        r"^\| `([a-z0-9]+-[a-z0-9-]+)` \|", page.read_text(encoding="utf-8"), re.M
    )
    assert len(documented) == len(set(documented))
    assert sorted(documented) == sorted(codes)
