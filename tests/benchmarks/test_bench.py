"""`make bench`: one table, marks against the record, and no script that stops the others."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from benchmarks.__main__ import in_words, main
from benchmarks.recorded import judged, key_of, merged, read_recorded, record
from benchmarks.scripts import Outcome, find_scripts, run_script

from corespot.errors import StoreError

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
from benchmarks.side_by_side import Row, run


def rows(quick: bool) -> list[Row]:
    assert quick
    print("words of a library")
    return [Row("counting", "fingers", {peer_s}, 1.0, "a note")]


if __name__ == "__main__":
    run(rows, "Counting.")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder ``benchmarks`` with two scripts that offer rows, and two files that do not."""
    folder = tmp_path / "benchmarks"
    (folder / "made" / "deep").mkdir(parents=True)
    (folder / "made" / "fast.py").write_text(SCRIPT.format(peer_s=4.0))
    (folder / "made" / "deep" / "slow.py").write_text(SCRIPT.format(peer_s=2.0))
    (folder / "made" / "parts.py").write_text("def rows_of(quick): ...\n")
    (folder / "made" / "twoway.py").write_text("def rows(spots, bins): ...\n")
    return folder


def outcome(ratio: float, *, work: str = "counting", script: str = "made/fast") -> Outcome:
    row = {"work": work, "peer": "fingers", "peer_s": ratio, "ours_s": 1.0, "ratio": ratio}
    return Outcome(script, [{**row, "note": ""}], "this machine", {"python": "3.11"})


def recorded(ratio: float, **other: Any) -> dict[tuple[str, str, str], dict[str, Any]]:
    records = merged({}, [outcome(ratio, **other)], date="2026-11-28")
    return {key_of(one): one for one in records}


def test_the_machinery_itself_offers_no_rows() -> None:
    scripts = find_scripts(ROOT / "benchmarks")
    assert all("/" in script for script in scripts), scripts


def test_scripts_are_found_by_what_they_offer(folder: Path) -> None:
    assert find_scripts(folder) == ["made/deep/slow", "made/fast"]
    (folder / "made" / "choice.py").write_text("def rows(quick, folder=None): ...\n")
    assert "made/choice" in find_scripts(folder)


def test_one_table_and_a_record_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--record"], folder=folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "work"
    assert [line.split()[2:] for line in lines[1:]] == [
        ["2", "1", "2.00", "new"],
        ["4", "1", "4.00", "new"],
    ]
    records = json.loads((folder / "recorded.json").read_text())
    assert [(one["script"], one["ratio"]) for one in records] == [
        ("made/deep/slow", 2.0),
        ("made/fast", 4.0),
    ]
    assert records[0]["versions"]["python"] and records[0]["machine"] and records[0]["date"]

    assert main([], folder=folder) == 0
    assert "new" not in capsys.readouterr().out


def test_a_slower_ratio_is_red_on_a_terminal_and_no_failure(folder: Path) -> None:
    text = in_words([outcome(3.0)], recorded(4.0), red=True)
    (row,) = [line for line in text.splitlines() if line.startswith("\033[31m")]
    assert row.endswith("slower\033[0m") and "3.00" in row and "4.00" in row
    assert "slower: more than 15 % below" in text
    assert "\033" not in in_words([outcome(3.0)], recorded(4.0), red=False)

    (folder / "made" / "fast.py").write_text(SCRIPT.format(peer_s=40.0))
    main(["fast", "--record"], folder=folder)
    (folder / "made" / "fast.py").write_text(SCRIPT.format(peer_s=4.0))
    assert main(["fast"], folder=folder) == 0


@pytest.mark.parametrize(("ratio", "mark"), [(4.0, ""), (3.41, ""), (3.39, "slower"), (40.0, "")])
def test_fifteen_per_cent_are_noise(ratio: float, mark: str) -> None:
    (known,) = recorded(4.0).values()
    assert judged(ratio, known, "this machine") == mark
    if mark:
        assert judged(ratio, known, "another") == "slower, but recorded on another machine"
    assert judged(ratio, None, "this machine") == "new"


def test_a_record_keeps_what_was_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "recorded.json"
    record(path, [outcome(4.0), outcome(9.0, work="sorting"), outcome(2.0, script="other/one")])
    record(path, [outcome(5.0), Outcome("other/one", failed="exit code 1: gone")])
    ratios = {(key[0], key[1]): one["ratio"] for key, one in read_recorded(path).items()}
    assert ratios == {
        ("made/fast", "counting"): 5.0,
        ("made/fast", "sorting"): 9.0,
        ("other/one", "counting"): 2.0,
    }
    assert [file.name for file in tmp_path.iterdir()] == ["recorded.json"]


def test_a_missing_record_is_none_and_a_broken_one_is_told(tmp_path: Path) -> None:
    assert read_recorded(tmp_path / "recorded.json") == {}
    for broken in ("{", '{"a": 1}', '[{"script": "x"}]', "3"):
        (tmp_path / "recorded.json").write_text(broken)
        with pytest.raises(StoreError, match="restore it with git"):
            read_recorded(tmp_path / "recorded.json")


def test_a_failing_script_is_told_and_the_others_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "made" / "bad.py").write_text("def rows(quick):\n    raise ValueError('no peer')\n")
    (folder / "made" / "half.py").write_text("def rows(quick):\n    return [\n")
    assert main(["--record"], folder=folder) == 1
    shown = capsys.readouterr().out
    assert "made/bad failed: exit code 1: ValueError: no peer" in shown
    assert "made/half failed: exit code 1: SyntaxError" in shown
    assert "4.00" in shown and "2.00" in shown
    assert len(read_recorded(folder / "recorded.json")) == 2


def test_a_script_that_takes_too_long_is_ended_with_what_it_started(folder: Path) -> None:
    left = folder.parent / "pid"
    (folder / "made" / "long.py").write_text(
        "import pathlib, subprocess, time\n"
        "def rows(quick):\n"
        "    child = subprocess.Popen(['sleep', '60'])\n"
        f"    pathlib.Path({str(left)!r}).write_text(str(child.pid))\n"
        "    time.sleep(60)\n"
    )
    started = time.perf_counter()
    found = run_script("made/long", root=folder.parent, limit_s=4)
    assert found.failed == "not done within 4 s" and not found.rows
    assert time.perf_counter() - started < 30
    pid = int(left.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_no_script_of_that_name_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nothing"], folder=folder)
    assert ended.value.code == 2
    assert "known: made/deep/slow, made/fast" in capsys.readouterr().err
