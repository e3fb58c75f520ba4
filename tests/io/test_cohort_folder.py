"""Reading tables in the shapes that real programs write, and writing folders whole or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from cohort_folders import CORES, MZ, SPOTS, make_folder

from corespot.errors import CohortError
from corespot.io.annotations import read_text_table
from corespot.io.cohort_folder import Measurement, load_cohort, write_cohort
from corespot.io.imzml import open_imzml

AS_WRITTEN = {
    "plain": SPOTS.encode(),
    "byte-order mark": b"\xef\xbb\xbf" + SPOTS.encode(),
    "windows line ends": SPOTS.replace("\n", "\r\n").encode(),
    "old mac line ends": SPOTS.replace("\n", "\r").encode(),
    "semicolons": SPOTS.replace(",", ";").encode(),
    "tabs": SPOTS.replace(",", "\t").encode(),
    "sep line": b"sep=;\r\n" + SPOTS.replace(",", ";").replace("\n", "\r\n").encode(),
    "quotes": SPOTS.replace("A.imzML", '"A.imzML"').replace("file,", '"file",').encode(),
    "spaces": SPOTS.replace(",", " , ").encode(),
    "non-breaking spaces": SPOTS.replace(",", "\u00a0,").encode(),
    "empty column at the end": SPOTS.replace("\n", ",\n").encode(),
    "blank rows": SPOTS.replace("B.imzML,1", "\n,,,,,\nB.imzML,1").encode() + b"\n\n",
    "no last line end": SPOTS.rstrip().encode(),
    "whole floats": SPOTS.replace(",1,1,", ",1.0,1.0,").encode(),
}


@pytest.mark.parametrize("kind", AS_WRITTEN)
def test_every_usual_way_to_write_a_table_is_read_alike(tmp_path: Path, kind: str) -> None:
    plain = load_cohort(make_folder(tmp_path / "plain"))
    other = load_cohort(make_folder(tmp_path / "other", spots=AS_WRITTEN[kind]))
    pd.testing.assert_frame_equal(plain.spots, other.spots)
    assert plain.n_background == other.n_background == {"A.imzML": 8, "B.imzML": 8}


def test_cells_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\nNA,None\nnan,007\n1.0,\n,null\n")
    table, problems = read_text_table(path)
    assert problems == [] and table is not None
    assert table.frame["a"].tolist() == ["NA", "nan", "1.0", ""]
    assert table.frame["b"].tolist() == ["None", "007", "", "null"]


def test_rows_are_numbered_as_an_editor_shows_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'a,b\r\n\r\n1,"two\r\nlines"\r\n,\r\n2,x\r\n')
    table, _ = read_text_table(path)
    assert table is not None
    assert list(table.frame.index) == [3, 6]


def test_a_fault_is_named_with_its_row_beneath_blank_lines_and_a_byte_order_mark(
    tmp_path: Path,
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\n\n1,K\xf6ln\n")
    _, (problem,) = read_text_table(path)
    assert problem.code == "not-utf8"
    assert problem.where == "t.csv, row 3"
    assert "0xf6" in problem.found and "'1,K'" in problem.found


def test_the_loaded_cohort_is_joined_and_ordered(tmp_path: Path) -> None:
    lines = SPOTS.splitlines()
    shuffled = "\n".join([lines[0], *reversed(lines[1:])]) + "\n"
    cohort = load_cohort(make_folder(tmp_path / "cohort", spots=shuffled))
    assert list(cohort.spots.columns) == (
        ["file", "spectrum", "x", "y", "core", "tma", "patient", "roi", "subtype", "organ", "age"]
    )
    assert cohort.spots["spectrum"].tolist() == [0, 1, 2, 3] * 2
    assert cohort.spots["tma"].tolist() == ["T1"] * 4 + ["T2"] * 4
    assert cohort.spots["subtype"].tolist() == ["AD", "AD", "SQ", "", "AD", "AD", "SQ", "SQ"]
    assert cohort.cores["core"].tolist() == ["a", "b", "c", "d"]
    assert cohort.files == ("A.imzML", "B.imzML")
    assert cohort.markers is not None and len(cohort.markers) == 3
    (tmp_path / "cohort" / "markers.csv").unlink()
    assert load_cohort(tmp_path / "cohort").markers is None


def test_loading_carries_every_problem(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "cohort", cores=CORES + "a,T1,p1,lung,61\n")
    (folder / "A.ibd").unlink()
    with pytest.raises(CohortError) as error:
        load_cohort(folder)
    assert {problem.code for problem in error.value.problems} == {"duplicate-core", "missing-ibd"}


# Writing -----------------------------------------------------------------------------------


def measurement(file: str, *, n: int = 6, seed: int = 0) -> Measurement:
    coordinates = np.array([(x, 1, 1) for x in range(1, n + 1)])
    block = np.random.default_rng(seed).random((n, MZ.size), dtype=np.float32)
    return file, coordinates, [block[:4], block[4:]], MZ


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    spots = pd.DataFrame(
        {
            "file": ["a.imzML"] * 3 + ["b.imzML"] * 3,
            "x": [1, 2, 3] * 2,
            "y": 1,
            "core": ["c1"] * 3 + ["c2"] * 3,
            "roi": [1, 0, 1] * 2,
            "tissue": ["NA", None, "tumor, solid"] * 2,
        }
    )
    cores = pd.DataFrame(
        {"core": ["c1", "c2"], "tma": ["T1", "T2"], "patient": ["p1", "p2"], "organ": ["x", "y"]}
    )
    return spots, cores


def write(folder: Path, *, overwrite: bool = False, seed: int = 0) -> None:
    spots, cores = tables()
    write_cohort(
        folder,
        spots=spots,
        cores=cores,
        measurements=[measurement("a.imzML", seed=seed), measurement("b.imzML", seed=1)],
        extras={
            "truth.json": {"markers": [1406.6]},
            "markers.csv": pd.DataFrame({"name": ["CK7"], "mz": [1406.6], "tolerance": ["9 ppm"]}),
        },
        overwrite=overwrite,
    )


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cohort"
    write(folder)
    assert sorted(path.name for path in folder.iterdir()) == (
        [
            "a.ibd",
            "a.imzML",
            "b.ibd",
            "b.imzML",
            "cores.csv",
            "markers.csv",
            "spots.csv",
            "truth.json",
        ]
    )
    cohort = load_cohort(folder)
    assert cohort.spots["tissue"].tolist() == ["NA", "", "tumor, solid"] * 2
    assert cohort.spots["roi"].tolist() == ["1", "0", "1"] * 2
    assert cohort.n_background == {"a.imzML": 3, "b.imzML": 3}
    with open_imzml(folder / "a.imzML") as written:
        expected = np.concatenate(list(measurement("a.imzML")[2]))
        assert np.array_equal(written.intensity_block(np.arange(6)), expected)
    assert list(tmp_path.joinpath("new").iterdir()) == [folder]


def test_a_loaded_cohort_can_be_written_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "one")
    one = load_cohort(tmp_path / "one")
    two = write_cohort(
        tmp_path / "two",
        spots=one.spots,
        cores=one.cores,
        measurements=[measurement("a.imzML"), measurement("b.imzML", seed=1)],
    )
    pd.testing.assert_frame_equal(one.spots, two.spots)
    pd.testing.assert_frame_equal(one.cores, two.cores)


def test_the_same_cohort_is_written_to_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_a_cohort_is_only_replaced_on_request_and_other_folders_never(tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    write(folder)
    before = (folder / "a.ibd").read_bytes()
    with pytest.raises(CohortError, match="folder-not-empty"):
        write(folder, seed=5)
    assert (folder / "a.ibd").read_bytes() == before
    write(folder, seed=5, overwrite=True)
    assert (folder / "a.ibd").read_bytes() != before
    assert list(tmp_path.iterdir()) == [folder]
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("x")
    with pytest.raises(CohortError, match="no cohort folder"):
        write(home, overwrite=True)
    assert (home / "thesis.txt").exists()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "cohort"
    write(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    spots, cores = tables()

    def failing() -> Iterator[npt.NDArray[np.float32]]:
        yield np.ones((3, MZ.size), dtype=np.float32)
        raise RuntimeError("the generator broke")

    coordinates = np.array([(x, 1, 1) for x in range(1, 7)])
    with pytest.raises(RuntimeError, match="generator broke"):
        write_cohort(
            folder,
            spots=spots,
            cores=cores,
            measurements=[("a.imzML", coordinates, failing(), MZ)],
            overwrite=True,
        )
    # A cohort that would not read back is not written either: b.imzML is missing.
    with pytest.raises(CohortError, match="missing-imzml"):
        write_cohort(
            folder, spots=spots, cores=cores, measurements=[measurement("a.imzML")], overwrite=True
        )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", ["../x.json", "sub/x.json", "..", ".hidden", "a\\b"])
def test_nothing_is_written_outside_the_folder(tmp_path: Path, name: str) -> None:
    spots, cores = tables()
    with pytest.raises(ValueError, match="bare name"):
        write_cohort(
            tmp_path / "c", spots=spots, cores=cores, measurements=[], extras={name: {"a": 1}}
        )
    assert list(tmp_path.iterdir()) == []
