"""The commands of review: what they print, and exit codes 0, 1 (refused) and 2 (bad input)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import pytest

from corespot.cli import main
from reviewed_project import Reviewed

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def corespot(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """``corespot(*arguments)`` in the project: exit code, what it printed, its errors."""
    monkeypatch.chdir(reviewed.root)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["corespot", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return run


RUN = "ADSQ/logistic"
BY = ("--reviewer", "Ann", "--comment", "control cores agree everywhere")


def test_from_review_to_champion(corespot: Command, reviewed: Reviewed) -> None:
    code, text, _ = corespot("review", "check")
    assert (code, text) == (
        0,
        "nothing to check: no model in the registry is champion or candidate\n",
    )
    code, text, _ = corespot("promote", RUN)
    assert code == 1 and text.endswith("not promoted\n")
    assert "REFUSED  approval    nobody has decided on this run; review it" in text
    code, text, _ = corespot("review", "decide", RUN, "approve", *BY)
    assert code == 0 and "demo-ADSQ version 1 is candidate" in text
    assert corespot("review", "check", RUN)[0] == 0
    code, text, _ = corespot("promote", reviewed.ids["clean"][:8], "--by", "Bob")
    assert code == 0 and text.endswith("demo-ADSQ version 1 is champion\n")
    assert corespot("review", "check")[0] == 0
    _, text, _ = corespot("review", "show", RUN)
    for words in ("verdict: no evidence", "approve, Ann", "gate for champion: passed"):
        assert words in text
    assert "demo-ADSQ version 1 is candidate and champion" in text
    reviewed.lock("other.dir")
    code, text, _ = corespot("review", "check")
    assert code == 1 and "FAILS: champion of demo-ADSQ, version 1" in text
    assert "REFUSED  data" in text


def test_an_alias_set_by_hand_fails_the_check(corespot: Command, reviewed: Reviewed) -> None:
    corespot("review", "decide", RUN, "approve", *BY)
    reviewed.client.set_registered_model_alias("demo-ADSQ", "champion", "1")
    code, text, _ = corespot("review", "check")
    assert code == 1 and "the alias was set past the gate" in text
    code, text, _ = corespot("review", "check", "--json")
    assert code == 1 and json.loads(text)[0]["passed"] is False


def test_what_is_refused_exits_with_1(corespot: Command, reviewed: Reviewed) -> None:
    for name in ("confounded", "suspect"):
        code, _, errors = corespot(
            "review", "decide", reviewed.ids[name], "approve", "--reviewer", "Ann"
        )
        assert code == 1 and errors.startswith("error: ") and "is not approved" in errors
    assert corespot("review", "check", reviewed.ids["confounded"])[0] == 1
    assert corespot("review", "check", RUN, reviewed.ids["confounded"])[0] == 1
    code, text, _ = corespot("promote", reviewed.ids["confounded"], "--json")
    found = json.loads(text)
    assert code == 1 and found["champion"] is None and not found["passed"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("promote", "nothing"), "there is no run 'nothing'"),
        (("promote", "ab"), "too short"),
        (("promote", "ADSQ/none"), "was not trained"),
        (("promote", "../../x"), "no TASK/MODEL"),
        (("promote", RUN, "--by", " "), "no name"),
        (("review", "show", "0" * 32), "there is no run"),
        (("review", "check", "nothing"), "there is no run"),
        (("review", "decide", RUN, "champion", "--reviewer", "Ann"), "is no decision"),
        (("review", "decide", RUN, "reject", "--reviewer", " "), "no name of a reviewer"),
        (("review", "decide", RUN, "reject"), "--reviewer"),
        (("review", "decide", RUN, "reject", *BY[:3], "x" * 2001), "at most 2000"),
    ],
)
def test_bad_input_exits_with_2(corespot: Command, arguments: tuple[str, ...], why: str) -> None:
    code, _, errors = corespot(*arguments)
    assert code == 2 and why in errors


def test_all_of_it_as_json(corespot: Command, reviewed: Reviewed) -> None:
    comment = '<script> "quotes" 🧪'
    code, text, _ = corespot(
        "review", "decide", RUN, "approve", "--reviewer", "Zoë", "--comment", comment, "--json"
    )
    made = json.loads(text)
    assert code == 0 and made["comment"] == comment and made["told"]
    shown = json.loads(corespot("review", "show", RUN, "--json")[1])
    assert shown["decisions"][0]["reviewer"] == "Zoë" and shown["gate"]["passed"]
    assert shown["aliases"] == ["candidate"]
    code, text, _ = corespot("promote", RUN, "--json")
    assert code == 0
    assert json.loads(text)["champion"] == {"name": "demo-ADSQ", "version": "1"}
    every = json.loads(corespot("review", "check", "--json")[1])
    assert [one["what"].split()[0] for one in every] == ["champion", "candidate"]
    assert all(one["run_id"] == reviewed.ids["clean"] and one["passed"] for one in every)
    reviewed.client.set_tag(reviewed.ids["clean"], "review.decision.x", "{")
    shown = json.loads(corespot("review", "show", RUN, "--json")[1])
    assert shown["decisions"][0]["unreadable"] == "review.decision.x"


def test_without_a_store_it_says_what_to_run(
    corespot: Command, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    for arguments in (("review", "check"), ("promote", RUN), ("review", "show", RUN)):
        code, _, errors = corespot(*arguments)
        assert code == 2 and "`make run` makes it" in errors
