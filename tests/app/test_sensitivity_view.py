"""The sensitivity view: windows, search, ion images, and words where something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_projects import Launch, run_ids
from run_copies import own_files, set_tag
from streamlit.testing.v1 import AppTest

from corespot.io.artifacts import read_arrays, write_arrays

pytestmark = pytest.mark.slow


def figures(test: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]


def captions(test: AppTest) -> str:
    return "\n".join(caption.value for caption in test.caption)


def press(test: AppTest, label: str) -> AppTest:
    return next(button for button in test.button if label in button.label).click().run()


def x_range(test: AppTest) -> list[float]:
    return figures(test)[0]["layout"]["xaxis"]["range"]


def test_the_address_holds_the_window_and_buttons_change_it(
    small_project: Path, launched: Launch
) -> None:
    run = run_ids(small_project)["LP roc_lda"]
    test = launched(small_project, "sensitivity", [run], mz="1100-1110")
    assert not test.exception and not test.error
    assert x_range(test) == [1100.0, 1110.0]
    assert "full resolution" in captions(test)
    press(test, "Right")
    assert test.query_params["mz"] == "1105-1115"
    press(test, "Zoom out")
    assert test.query_params["mz"] == "1095-1125" and x_range(test) == [1095.0, 1125.0]
    next(box for box in test.number_input if box.label == "From m/z").set_value(1090.0).run()
    assert test.query_params["mz"] == "1090-1125"
    press(test, "Whole")
    assert "mz" not in test.query_params and not test.exception


def test_only_the_window_is_sent(small_project: Path, launched: Launch) -> None:
    run = run_ids(small_project)["LP roc_lda"]
    whole = launched(small_project, "sensitivity", [run])
    near = launched(small_project, "sensitivity", [run], mz="1100-1110")
    sizes = [len(test.get("plotly_chart")[0].proto.spec) for test in (whole, near)]
    assert sizes[0] < 400_000 and sizes[1] < 40_000


def test_a_search_zooms_lists_and_shows_the_ion_image(
    small_project: Path, launched: Launch
) -> None:
    run = run_ids(small_project)["LP roc_lda"]
    test = launched(small_project, "sensitivity", [run])
    assert len(figures(test)) == 1
    next(box for box in test.number_input if box.label == "m/z").set_value(1406.6)
    press(test, "Find")
    assert not test.exception and not test.error
    assert test.query_params["ion"] == "1406.6"
    low, high = x_range(test)
    assert low < 1406.6 < high and high - low < 20
    assert "bins within m/z 1406.6" in captions(test)
    found = next(frame.value for frame in test.dataframe if "offset ppm" in frame.value)
    assert (found["offset Da"].abs() <= 0.3).all()
    markers = [frame.value for frame in test.dataframe if "tolerance" in frame.value]
    assert "CK7" in markers[0]["marker"].tolist()
    assert len(figures(test)) == 2


def _react() -> None:
    """What the page does when the figure, or the table of windows, tells of a selection."""
    import pandas as pd
    import streamlit as st

    from app.parts.mz_window import take_selection
    from app.views.sensitivity import _go_to_row
    from corespot.axis import MzAxis

    axis = MzAxis.equidistant(800.0, 3000.0, 2201)
    if st.session_state.get("table"):
        _go_to_row("table", pd.DataFrame({"m/z": [900.0, 1500.5]}), axis)
    else:
        take_selection("figure", axis)()


@pytest.mark.parametrize(
    ("key", "selection", "address"),
    [
        ("table", {"rows": [1]}, {"mz": "1498-1506", "ion": "1500.5"}),
        ("table", {"rows": []}, {}),
        ("table", {"rows": [7]}, {}),
        ("figure", {"box": [{"x": [1110.0, 1100.0]}], "points": []}, {"mz": "1100-1110"}),
        ("figure", {"box": [], "points": [{"x": 1105.25}]}, {"ion": "1105.25"}),
        ("figure", {"box": [{"x": [1100.0, 1100.0]}]}, {}),
        ("figure", {}, {}),
    ],
)
def test_a_selection_goes_into_the_address(key: str, selection: dict, address: dict) -> None:
    test = AppTest.from_function(_react)
    test.session_state[key] = {"selection": selection}
    test.run()
    assert not test.exception
    assert dict(test.query_params) == address


def test_folds_are_drawn_when_asked_for(small_project: Path, launched: Launch) -> None:
    run = run_ids(small_project)["LP roc_lda"]
    test = launched(small_project, "sensitivity", [run], mz="1100-1110")
    assert "single folds" not in {trace.get("name") for trace in figures(test)[0]["data"]}
    next(toggle for toggle in test.toggle if "folds" in toggle.label).set_value(True).run()
    names = [trace.get("name") for trace in figures(test)[0]["data"]]
    assert names.count("single folds") == 4 and "± SD over folds" in names


@pytest.mark.parametrize("address", ["<script>", "9-8-7", "1e9-2e9", "0-0"])
def test_a_strange_address_is_no_error(small_project: Path, launched: Launch, address: str) -> None:
    run = run_ids(small_project)["LP roc_lda"]
    test = launched(small_project, "sensitivity", [run], mz=address, ion=address)
    assert not test.exception and not test.error and len(figures(test)) == 1


def test_hostile_classes_and_markers_stay_text(
    own_project: Path, launched: Launch, tmp_path: Path
) -> None:
    run = run_ids(own_project)["LP roc_lda"]
    files = own_files(own_project, run, tmp_path)
    path = files / "sensitivity" / "sensitivity.npz"
    names = np.array(['<b>"x"</b>', "[a](javascript:b)"])
    write_arrays(path, {**read_arrays(path), "classes": names})
    windows = pd.read_csv(path.with_name("windows.csv"))
    windows["class"] = np.where(windows["class"] == windows["class"][0], names[0], names[1])
    windows["marker"] = "<script>alert(1)</script>"
    windows.to_csv(path.with_name("windows.csv"), index=False)
    test = launched(own_project, "sensitivity", [run], mz="1100-1110")
    assert not test.exception
    sent = test.get("plotly_chart")[0].proto.spec.replace("\\u003c", "<").replace("\\u003e", ">")
    assert "<b>" not in sent and "&lt;b&gt;" in sent
    assert not any("<script>" in text.value for text in [*test.markdown, *test.caption])


def test_a_run_without_an_audit_says_why_there_is_no_shading(
    own_project: Path, launched: Launch
) -> None:
    run = run_ids(own_project)["LP roc_lda"]
    set_tag(own_project, run, "audit.verdict", None)
    test = launched(own_project, "sensitivity", [run], mz="1100-1110")
    assert not test.exception and not test.error
    assert "known after the audit" in captions(test)
    assert "outside peaks" not in {trace.get("name") for trace in figures(test)[0]["data"]}


def test_missing_and_damaged_files_are_told(
    own_project: Path, launched: Launch, tmp_path: Path
) -> None:
    run = run_ids(own_project)["LP roc_lda"]
    files = own_files(own_project, run, tmp_path)
    (files / "sensitivity" / "windows.csv").unlink()
    (files / "sensitivity" / "folds.npz").write_bytes(b"PK\x03\x04 no archive")
    test = launched(own_project, "sensitivity", [run], mz="1100-1110")
    assert not test.exception and not test.error
    assert "windows.csv" in captions(test).replace("\\", "")
    next(toggle for toggle in test.toggle if "folds" in toggle.label).set_value(True).run()
    assert not test.exception and "npz archive" in captions(test)
    whole = (files / "sensitivity" / "sensitivity.npz").read_bytes()
    (files / "sensitivity" / "sensitivity.npz").write_bytes(whole[: len(whole) // 2])
    test = launched(own_project, "sensitivity", [run])
    assert not test.exception and "not a plain npz" in test.error[0].value
    (files / "sensitivity" / "sensitivity.npz").unlink()
    test = launched(own_project, "sensitivity", [run])
    assert not test.exception and "dvc repro" in test.error[0].value.replace("\\", "")


def test_an_unknown_model_and_another_store(own_project: Path, launched: Launch) -> None:
    run = run_ids(own_project)["LP roc_lda"]
    set_tag(own_project, run, "model", "<b>nobody knows</b>")
    set_tag(own_project, run, "dvc.store", "0" * 32)
    test = launched(own_project, "sensitivity", [run], mz="1100-1110", ion="1105")
    assert not test.exception
    assert len(figures(test)) == 1 and "spectra store" in test.error[0].value
