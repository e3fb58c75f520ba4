"""Data: what stages left is shown part by part, and what is missing is told in its place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from app_projects import Launch
from streamlit.testing.v1 import AppTest

from corespot.cohort.foldtable import FoldTable
from corespot.report.cohort_tables import skipped_lines, tma_table
from corespot.report.fold_layout import fold_layout, fold_members, fold_table, n_split

PARTS = (
    "Cohort",
    "Quality",
    "Mean spectra",
    "Classes and TMAs",
    "Folds",
    "Preprocessing",
    "Versions",
)
HOSTILE = "<script>../../x *y*"


def part(test: AppTest, name: str) -> AppTest:
    return test.segmented_control[0].set_value(name).run()


def shown(test: AppTest) -> str:
    kinds = (test.info, test.warning, test.error, test.caption, test.markdown, test.success)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


@pytest.mark.slow
def test_every_part_of_a_real_project(small_project: Path, launched: Launch) -> None:
    test = launched(small_project, "cohort")
    summary = json.loads((small_project / "data/ingest/summary.json").read_text())
    assert {one.label: one.value for one in test.metric}["Spots"] == f"{summary['n_spots']:,}"
    assert test.dataframe[0].value["spots"].sum() == summary["n_spots"]
    figures = dict.fromkeys(PARTS[1:-1], 1)
    for name in PARTS[1:]:
        part(test, name)
        assert not test.exception and not test.error, name
        assert len(test.get("plotly_chart")) == figures.get(name, 0), name
        if name == "Folds":
            assert "TMAs, patients, cores" in test.success[0].value
        if name == "Classes and TMAs":
            assert test.metric[0].value == "0.00"
            test.selectbox[0].set_value("LP").run()
            assert float(test.metric[0].value) > 0.9 and "cannot be told apart" in _heads(test)
    read = test.dataframe[0].value.set_index("data")["runs that read this version"]
    first, _, whole = read["spectra store"].partition(" of ")
    assert first == whole and int(whole) >= 4


@pytest.mark.slow
def test_the_spot_and_the_zoom_can_be_chosen(small_project: Path, launched: Launch) -> None:
    test = part(launched(small_project, "cohort"), "Preprocessing")
    file, core, _ = test.selectbox
    file.set_value(file.options[-1]).run()
    assert not test.exception
    core = test.selectbox[1]
    core.set_value(core.options[-1]).run()
    assert not test.exception and len(test.get("plotly_chart")) == 1
    test.number_input[1].set_value(1.0).run()
    assert not test.exception and "ends before" in shown(test)


@pytest.mark.slow
def test_missing_stage_outputs_spoil_their_part_alone(
    small_project: Path, tmp_path: Path, launched: Launch
) -> None:
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    for name in ("store", "ingest"):
        (root / "data" / name).symlink_to(small_project / "data" / name)
    (root / "mlruns").symlink_to(small_project / "mlruns")
    text = (small_project / "params.yaml").read_text()
    (root / "params.yaml").write_text(text.replace("models:", "modles:", 1))
    test = launched(root, "cohort")
    assert not test.exception and not test.error and "not valid" in shown(test)
    for name in ("Quality", "Mean spectra", "Classes and TMAs", "Folds"):
        part(test, name)
        assert not test.exception and len(test.error) == 1, name
    part(test, "Preprocessing")  # the raw files are not here
    assert not test.exception and not test.error
    assert "cannot be shown" in shown(test) and len(test.get("plotly_chart")) == 1
    part(test, "Versions")
    assert not test.exception and not test.error
    assert (test.dataframe[0].value["version now (DVC)"] == "unknown").all()


def test_an_empty_project_says_what_to_run(tmp_path: Path, launched: Launch) -> None:
    test = launched(tmp_path, "cohort")
    for name in PARTS:
        part(test, name)
        assert not test.exception, name
        assert shown(test)


def test_damaged_outputs_are_told(tmp_path: Path, launched: Launch) -> None:
    for name in ("ingest/summary.json", "design/design.json", "folds/T/folds.json"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        path.write_text("[1")
    (tmp_path / "data/quality").mkdir()
    pd.DataFrame({"other": [1]}).to_parquet(tmp_path / "data/quality/spots.parquet")
    (tmp_path / "params.yaml").write_text("tasks: {T: {label: x}}\ncohort: data/raw/x\n")
    (tmp_path / "dvc.lock").write_text("a: [")
    test = launched(tmp_path, "cohort")
    for name in PARTS:
        part(test, name)
        assert not test.exception and len(test.error) == 1, name


def test_what_was_skipped_is_said_with_its_reason() -> None:
    counts = {"label": HOSTILE, "in_all": {"spots": {"A": 3}}}
    summary = {"n_spots": 10, "n_background": 2, "n_empty": 1, "tasks": {"T": counts}}
    store = {"skipped": [{"step": "align", "reason": "peak lists"}], "warnings": ["hm"]}
    lines = list(skipped_lines(summary, store))
    assert [line.split()[0] for line in lines] == ["2", "1", "Task", *["Preprocessing"] * 2]
    assert "7 of 10" in lines[2] and HOSTILE in lines[2] and "peak lists" in lines[3]


def test_tmas_are_counted_in_natural_order() -> None:
    one = {"n_patients": 1, "n_cores": 2, "n_spots": 3, "n_empty": 0, "files": ["a.imzML"]}
    files = {"a.imzML": {"n_background": 5}}
    table = tma_table({"tmas": {"TMA10": one, "TMA2": one}, "files": files})
    assert table["TMA"].tolist() == ["TMA2", "TMA10"] and table["background"].tolist() == [5, 5]


def test_a_tma_in_two_folds_is_counted_and_drawn() -> None:
    spots = pd.DataFrame(
        {
            "tma": ["T1"] * 4 + ["T2"] * 4,
            "patient": [f"p{at // 2}" for at in range(8)],
            "core": [f"c{at // 2}" for at in range(8)],
        }
    )
    fold = [0, 0, 1, 1] * 2
    assignment = pd.DataFrame(
        {
            "row": range(8),
            "group": spots["patient"],
            "y": [0, 1] * 4,
            "repeat": 0,
            "fold": fold,
        }
    )
    folds = FoldTable("T", ("A", HOSTILE), "patient", 2, 1, 1, assignment)
    members = fold_members(folds, spots)
    assert n_split(members, "tma") == 2
    assert n_split(members, "patient") == 0 and n_split(members, "core") == 0
    table = fold_table(members, 0)
    assert table["spots"].tolist() == [4, 4] and table[f"spots: {HOSTILE}"].tolist() == [2, 2]
    drawn = fold_layout(members, 0, grouping=folds.label)
    assert [list(row) for row in drawn.data[0].z] == [[2, 2], [2, 2]]


@pytest.mark.slow
def test_a_raw_file_outside_of_the_cohort_is_not_read(
    small_project: Path, tmp_path: Path, launched: Launch
) -> None:
    root = tmp_path / "project"
    shutil.copytree(small_project / "data/store", root / "data/store")
    table = pd.read_parquet(root / "data/store/spots.parquet")
    table["file"] = "../../secret.imzML"
    table["core"] = HOSTILE
    table.to_parquet(root / "data/store/spots.parquet")
    (root / "data/raw/demo").mkdir(parents=True)
    (root / "secret.imzML").write_text("secret")
    (root / "params.yaml").write_text("cohort: data/raw/demo\n")
    test = part(launched(root, "cohort"), "Preprocessing")
    assert not test.exception and "is not in" in shown(test)


def _heads(test: AppTest) -> str:
    return " ".join(one.value for one in test.subheader)
