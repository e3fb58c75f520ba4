"""The view of the tissue: what it shows of a real run, and of what is broken or hostile."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from app_projects import Launch, run_ids
from streamlit.testing.v1 import AppTest

from corespot.review.project import Project

pytestmark = pytest.mark.slow

HOSTILE = ("../../x", "<script>alert(1)</script>", "**b** [a](http://x) $y$", 'a "q" \U0001f9ea')


def with_own_files(project: Path, run_id: str) -> Path:
    """Artifacts of a run, copied into the project, to be broken."""
    database = sqlite3.connect(project / "mlruns" / "mlflow.db")
    with database:
        (uri,) = database.execute(
            "SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run_id,)
        ).fetchone()
        files = project / "own" / run_id
        shutil.copytree(uri.removeprefix("file://"), files)
        database.execute(
            "UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (str(files), run_id)
        )
    database.close()
    return files


def box(test: AppTest, label: str):  # type: ignore[no-untyped-def]
    return next(one for one in test.selectbox if one.label == label)


def texts(test: AppTest) -> str:
    parts = [*test.markdown, *test.caption, *test.error, *test.subheader, *test.info]
    return re.sub(r"\\(.)", r"\1", "\n".join(str(one.value) for one in parts))


def opened(launched: Launch, project: Path, name: str = "LP roc_lda") -> tuple[AppTest, str]:
    run_id = run_ids(project)[name]
    test = launched(project, "tissue", [run_id])
    assert not test.exception
    return test, run_id


def test_maps_cores_and_tables_of_a_real_run(small_project: Path, launched: Launch) -> None:
    test, _ = opened(launched, small_project)
    assert not test.error and "spots of 132 cores on 12 TMAs" in texts(test)
    assert len(test.dataframe[0].value) == 132
    for what in ("Truth", "Probability", "Right or wrong", "Ion image"):
        box(test, "Map").set_value(what)
        test.run()
        assert not test.exception and not test.error
    box(test, "TMA").set_value("TMA03")
    box(test, "Beside it").set_value("Truth")
    test.run()
    assert not test.exception and not test.error
    box(test, "Core").set_value(first_core(test, "TMA03"))
    test.run()
    assert not test.exception and not test.error
    assert test.subheader[0].value.startswith("Core TMA03")
    votes = test.dataframe[0].value
    assert votes["votes"].sum() > 0 and votes["share of spots"].sum() == pytest.approx(1)


def first_core(test: AppTest, tma: str) -> int:
    """Number of the first core of a TMA: cores are numbered over all TMAs."""
    cores = next(one.value for one in test.dataframe if "by_majority" in one.value)
    assert set(cores["tma"]) == {tma}
    return int(cores.index[0])


@pytest.mark.parametrize("part", ["Spots", "Single spots", "Tumour fraction", "What looks alike"])
def test_more_of_the_run_is_drawn_when_asked(
    small_project: Path, launched: Launch, part: str
) -> None:
    test, run_id = opened(launched, small_project, "ADSQ roc_lda")
    test.session_state[f"more-{run_id}"] = part
    test.run()
    assert not test.exception and not test.error
    if part == "Spots":
        assert len(test.dataframe[0].value) == 833


def test_a_click_chooses_a_core_and_the_box_can_choose_another(
    small_project: Path, launched: Launch
) -> None:
    test, run_id = opened(launched, small_project)
    click = {"selection": {"points": [{"customdata": [7]}], "box": [], "lasso": []}}
    for _ in range(2):  # clicked again, the figure and with it the click stay as they are
        test.session_state[f"map-{run_id}"] = click
        test.run()
    assert not test.exception
    assert box(test, "Core").value == 7
    first = test.subheader[0].value
    box(test, "Core").set_value(9)
    test.session_state[f"map-{run_id}"] = click
    test.run()
    assert box(test, "Core").value == 9 and test.subheader[0].value != first
    box(test, "TMA").set_value("TMA12")
    test.run()
    assert box(test, "Core").value is None and not test.subheader


def test_a_click_leaves_the_map_as_it_is_drawn_and_a_choice_in_the_box_frames(
    small_project: Path, launched: Launch
) -> None:
    test, run_id = opened(launched, small_project)

    def drawn() -> str:
        return str(test.get("plotly_chart")[0].proto.spec)

    untouched = drawn()
    click = {"selection": {"points": [{"customdata": 7}], "box": [], "lasso": []}}
    test.session_state[f"map-{run_id}"] = click
    test.run()
    assert box(test, "Core").value == 7 and drawn() == untouched
    box(test, "Core").set_value(9)
    test.run()
    framed = drawn()
    assert framed != untouched and '"selectedpoints":[' in framed
    # Another map is drawn with the frame round the core that was clicked before.
    test.session_state[f"map-{run_id}"] = click
    test.run()
    assert drawn() == framed
    box(test, "Map").set_value("Truth")
    test.run()
    assert '"selectedpoints":[' in drawn() and drawn() != framed


@pytest.mark.parametrize("lacking", ["spots", "predictions"])
def test_a_missing_table_is_told(own_project: Path, launched: Launch, lacking: str) -> None:
    files = with_own_files(own_project, run_ids(own_project)["LP roc_lda"])
    (files / "tables" / f"{lacking}.parquet").unlink()
    test, _ = opened(launched, own_project)
    assert f"tables/{lacking}.parquet" in texts(test) and "dvc repro" in texts(test)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"PAR1 no"),
        lambda path: pd.read_parquet(path).drop(columns="core").to_parquet(path),
        lambda path: pd.read_parquet(path)[:0].to_parquet(path),
    ],
    ids=["garbled", "without cores", "empty"],
)
def test_a_damaged_spot_table_is_told(
    own_project: Path, launched: Launch, damage: Callable[[Path], None]
) -> None:
    files = with_own_files(own_project, run_ids(own_project)["LP roc_lda"])
    damage(files / "tables" / "spots.parquet")
    test, _ = opened(launched, own_project)
    assert test.error


def test_with_another_store_all_but_spectra_is_shown(own_project: Path, launched: Launch) -> None:
    lock, now = own_project / "dvc.lock", Project(own_project).data_hash()
    assert now in lock.read_text()
    lock.write_text(lock.read_text().replace(now, "f" * 32 + ".dir"))
    test, _ = opened(launched, own_project)
    assert not test.error
    box(test, "Map").set_value("Ion image")
    box(test, "Core").set_value(0)
    test.run()
    assert not test.exception
    assert len(test.error) == 2 and "this run read the spectra store" in texts(test)
    assert test.subheader[0].value.startswith("Core ") and len(test.dataframe) >= 2


def test_hostile_names_are_text(own_project: Path, launched: Launch) -> None:
    files = with_own_files(own_project, run_ids(own_project)["LP roc_lda"])
    path = files / "tables" / "spots.parquet"
    table = pd.read_parquet(path)
    names = {core: HOSTILE[at % 4] + str(at) for at, core in enumerate(table["core"].unique())}
    table["core"] = table["core"].map(names)
    table["patient"] = table["patient"].map(lambda name: HOSTILE[1] + name)
    table["tma"] = table["tma"].map(lambda name: HOSTILE[2] + name)
    table.to_parquet(path)
    test, _ = opened(launched, own_project)
    assert not test.error
    for number in range(4):
        box(test, "Core").set_value(number)
        test.run()
        assert not test.exception and not test.error
        for one in (*test.subheader, *test.markdown, *test.caption):
            assert not re.search(r"(?<!\\)<script|(?<!\\)\]\(http|\*\*b\*\*", one.value)


def test_the_truth_of_spots_stands_beside_what_is_predicted(
    own_project: Path, launched: Launch
) -> None:
    files = with_own_files(own_project, run_ids(own_project)["LP roc_lda"])
    path = files / "tables" / "spots.parquet"
    table = pd.read_parquet(path)
    table["truth"] = table["class"].where(table.index >= 400, "")
    wrong = pd.read_parquet(files / "tables" / "predictions.parquet").groupby("row").mean()
    called = (wrong["prob_lung"] >= 0.5).map({True: "lung", False: "pancreas"})
    known = table.set_index("row")["truth"].loc[called.index]
    share = (known == called)[known != ""].mean()
    table.to_parquet(path)
    test, _ = opened(launched, own_project)
    assert not test.error
    assert box(test, "Beside it").value == "Truth"
    assert "Label of the core" in box(test, "Map").options
    assert f"{share:.1%} of the spots" in texts(test)


def test_a_run_without_some_files_shows_the_rest(own_project: Path, launched: Launch) -> None:
    files = with_own_files(own_project, run_ids(own_project)["LP roc_lda"])
    (files / "metrics.json").write_text("{")
    shutil.rmtree(files / "sensitivity")
    (files / "tables" / "cores.parquet").unlink()
    test, _ = opened(launched, own_project)
    assert not test.error
    assert "Tumour fraction" not in box(test, "Map").options
    box(test, "Map").set_value("Ion image")
    test.run()
    assert not test.exception and not test.error
