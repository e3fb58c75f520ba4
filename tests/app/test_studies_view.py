"""Studies: read while they are written, and told in words where there is nothing to read."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest
from app_projects import Launch, run_ids
from streamlit.testing.v1 import AppTest

from corespot.errors import TuneError
from corespot.tune.read_studies import JOURNAL, current_and_former, see_studies

FOLD = "ADSQ roc_lda repeat0-fold0"


def project_in(tmp_path: Path, small: Path) -> Path:
    """A project with the same runs whose studies may be written to."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    for one in (small / "data").iterdir():
        if one.name != "studies":
            (root / "data" / one.name).symlink_to(one)
    for name in ("params.yaml", "dvc.yaml", "dvc.lock"):
        shutil.copy(small / name, root / name)
    (root / "mlruns").symlink_to(small / "mlruns")
    (root / "data" / "studies").mkdir()
    shutil.copy(small / "data" / "studies" / JOURNAL, journal_of(root))
    return root


def journal_of(root: Path) -> Path:
    return root / "data" / "studies" / JOURNAL


def shown(test: AppTest) -> str:
    kinds = (test.info, test.warning, test.error, test.caption, test.markdown, test.code)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def metrics(test: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in test.metric}


def record(op: int, **content: object) -> bytes:
    """A record of the journal, as another process would write it."""
    return json.dumps({"op_code": op, "worker_id": "w", **content}).encode() + b"\n"


@pytest.mark.slow
def test_a_study_shows_its_trials_and_gains(small_project: Path, launched: Launch) -> None:
    test = launched(small_project, "studies", [run_ids(small_project)["ADSQ roc_lda"]])
    assert not test.exception and not test.error
    outcome = json.loads((small_project / "data/tune/ADSQ/roc_lda/tuned.json").read_text())
    first = outcome["folds"][0]
    found = metrics(test)
    assert found["Finished trials"].startswith(f"{first['trials']} of {outcome['trials']}")
    assert found["Best setting"] == f"{first['best_value']:.3f}".removeprefix("0")
    gains, trials = (one.value for one in test.dataframe)
    assert len(gains) == len(outcome["folds"])
    assert trials["value"].iloc[0] == pytest.approx(first["best_value"])
    assert set(trials["state"]) <= {"complete", "pruned", "pruned early", "failed"}
    assert len(test.get("plotly_chart")) == 1
    assert "corespot tune ADSQ roc_lda" in shown(test) and "make studies" in shown(test)


@pytest.mark.slow
def test_another_outer_fold_can_be_chosen(small_project: Path, launched: Launch) -> None:
    test = launched(small_project, "studies")
    box = next(one for one in test.selectbox if one.label == "Outer fold")
    names = [one.name for one in see_studies(None, small_project / "data" / "studies")]
    box.set_value(next(name for name in names if "fold1" in name)).run()
    assert not test.exception
    outcome = json.loads((small_project / "data/tune/ADSQ/roc_lda/tuned.json").read_text())
    value = outcome["folds"][1]["best_value"]
    assert metrics(test)["Best setting"] == f"{value:.3f}".removeprefix("0")


@pytest.mark.slow
def test_a_tuning_in_progress_is_shown_and_not_touched(
    small_project: Path, tmp_path: Path, launched: Launch
) -> None:
    root = project_in(tmp_path, small_project)
    seen = next(one for one in see_studies(None, root / "data/studies") if FOLD in one.name)
    number, trials = (
        seen.number,
        sum(len(s.trials()) for s in see_studies(None, root / "data/studies")),
    )
    journal = journal_of(root)
    with journal.open("ab") as stream:
        stream.write(record(4, study_id=number, datetime_start="2026-01-01T00:00:00"))
        stream.write(record(8, trial_id=trials, user_attr={"seen": time.time()}))
        stream.write(b'{"op_code":4,"worker_id":"w","stu')  # another process is still writing
    before, listed = journal.read_bytes(), sorted(journal.parent.iterdir())
    test = launched(root, "studies")
    assert not test.exception and not test.error
    assert metrics(test)["Running"] == "1" and "Tuning is going on" in shown(test)
    assert journal.read_bytes() == before and sorted(journal.parent.iterdir()) == listed
    with journal.open("ab") as stream:  # what was half written arrives, and is seen at once
        stream.write(b'dy_id":%d,"datetime_start":"2026-01-01T00:00:00"}\n' % number)
    test.run()
    assert not test.exception and "no sign of life" in shown(test)


def test_an_absent_journal_is_not_made(tmp_path: Path, launched: Launch) -> None:
    (tmp_path / "params.yaml").write_text("cohort: data/raw/x\n")
    test = launched(tmp_path, "studies")
    assert not test.exception and "make run" in shown(test)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Nothing was tuned"),
        (b'{"op_code": 0\n{}\n', "line 1 is damaged"),
        (b"\xff\xfe\x00 no journal\n", "line 1 is damaged"),
        (b"[1, 2]\n", "line 1 is damaged"),
        (b'{"op_code": 6, "trial_id": 99, "state": 1}\n', "damaged"),
    ],
)
def test_an_empty_or_damaged_journal_is_told(
    tmp_path: Path, launched: Launch, content: bytes, said: str
) -> None:
    path = journal_of(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    test = launched(tmp_path, "studies")
    assert not test.exception and said in shown(test).replace("\\", "")
    assert path.read_bytes() == content


def test_former_settings_stand_behind_current_ones_and_names_are_text(
    tmp_path: Path, launched: Launch
) -> None:
    hostile = "T<b>*x*"
    path = journal_of(tmp_path)
    path.parent.mkdir(parents=True)
    lines = b""
    for number, digest in enumerate(("11111111", "22222222")):
        lines += record(0, study_name=f"{hostile} m repeat0-fold0 {digest}", directions=[2])
        about = {"task": hostile, "model": "m", "nested": True, "outer_fold": [0, 0]}
        for name, value in about.items():
            lines += record(2, study_id=number, user_attr={name: value})
        started = f"2026-01-0{2 - number}T00:00:00"
        lines += record(4, study_id=number, datetime_start=started)
    path.write_bytes(lines)
    current, former = current_and_former(see_studies(None, path.parent))
    assert [one.name[-8:] for one in (*current, *former)] == ["11111111", "22222222"]
    test = launched(tmp_path, "studies")
    assert not test.exception
    box = next(one for one in test.selectbox if one.label == "Outer fold")
    assert box.options == ["repeat 0, fold 0", "repeat 0, fold 0, former settings (22222222)"]
    assert "'T<b>*x*'" in shown(test)  # quoted for a shell
    box.set_value(former[0].name).run()
    assert not test.exception and "other settings" in shown(test)


def test_looking_cannot_write(tmp_path: Path) -> None:
    path = journal_of(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(record(0, study_name="a", directions=[2]))
    (study,) = see_studies(None, path.parent)
    with pytest.raises(TuneError, match="only looked at"):
        study.study.ask()
    with pytest.raises(TuneError, match="no study yet"):
        see_studies(f"sqlite:///{tmp_path}/none.db", path.parent)
    assert not (tmp_path / "none.db").exists()
    assert len(path.read_bytes().splitlines()) == 1
