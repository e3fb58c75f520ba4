"""The decision view: refuse a confounded run, approve a clean one, promote it; text stays text."""

from __future__ import annotations

from typing import Any

import pytest
from app_projects import Launch, html
from streamlit.testing.v1 import AppTest

from corespot.review.decide import decide
from corespot.review.decision import History, history_of
from corespot.tracking.reading import read_run
from reviewed_project import Reviewed

HOSTILE = '<script>alert(1)</script> **bold** [x](http://e.org) "q" 🧪\n# second line'
REASON = "control cores agree everywhere"


@pytest.fixture
def opened(launched: Launch, reviewed: Reviewed) -> Any:
    """``opened(name)``: the view of a run, as a deep link opens it."""

    def open_view(name: str) -> AppTest:
        return launched(reviewed.root, "decision", [reviewed.ids[name]])

    return open_view


def history(reviewed: Reviewed, name: str) -> History:
    return history_of(read_run(reviewed.client, reviewed.ids[name]).tags)


def said(test: AppTest) -> str:
    shown = [*test.error, *test.warning, *test.info, *test.success, *test.markdown, *test.caption]
    return "\n".join(str(one.value) for one in shown)


def send(test: AppTest, word: str | None, reviewer: str = "Ann", comment: str = "") -> AppTest:
    box(test, "Reviewer").set_value(reviewer)
    if word is not None:
        test.radio[0].set_value(word)
    test.text_area[0].set_value(comment)
    return button(test, "Record the decision").click().run()


def box(test: AppTest, label: str) -> Any:
    return next(one for one in test.text_input if one.label == label)


def button(test: AppTest, label: str) -> Any:
    return next(one for one in test.button if one.label.startswith(label))


def links(test: AppTest) -> list[str]:
    return [part.proto.label for part in test.get("page_link")]


def test_a_confounded_run_is_refused_beforehand_and_when_asked(
    opened: Any, reviewed: Reviewed
) -> None:
    test = opened("confounded")
    assert not test.exception and test.title[0].value == "Decision"
    assert "This run cannot be approved" in said(test)
    assert "a confounded model is never approved" in said(test)
    assert test.radio[0].options[0] == "Approve (refused)"
    assert "See why, in the confounding view" in links(test)
    assert 'class="verdict confounded"' in html(test)
    assert button(test, "Promote").disabled
    send(test, "approve", comment=REASON)
    assert "is not approved" in test.error[0].value
    assert not history(reviewed, "confounded").entries
    assert test.text_area[0].value == REASON  # what was written is not lost
    send(test, "reject", comment="repair the design")
    assert not test.exception and not test.error
    (made,) = history(reviewed, "confounded").decisions
    assert (made.word, made.reviewer, made.comment) == ("reject", "Ann", "repair the design")
    assert "✕ rejected" in html(test) and test.text_area[0].value == ""


def test_approve_then_promote_in_two_steps(opened: Any, reviewed: Reviewed) -> None:
    test = opened("clean")
    assert "cannot be approved" not in said(test) and "Nobody has decided" in said(test)
    assert button(test, "Promote").disabled
    send(test, "approve", comment="fine")
    assert "registered as demo\\-ADSQ version 1" in said(test)
    assert "✓ approved" in html(test) and "✕ refused" not in html(test)
    button(test, "Promote").click().run()
    assert not reviewed.client.get_registered_model("demo-ADSQ").aliases.get("champion")
    button(test, "Cancel").click().run()
    assert not any(one.label == "Make it champion" for one in test.button)
    button(test, "Promote").click().run()
    assert box(test, "Promoted by").value == "Ann"
    box(test, "Promoted by").set_value("Bob")
    button(test, "Make it champion").click().run()
    assert not test.exception and "version 1 is champion" in said(test)
    assert str(reviewed.client.get_registered_model("demo-ADSQ").aliases["champion"]) == "1"
    assert (
        '"by": "Bob"' in reviewed.client.get_model_version("demo-ADSQ", "1").tags["review.promoted"]
    )
    assert f"corespot promote {reviewed.ids['clean']}" in [one.value for one in test.code]
    send(test, "needs_work")
    assert "no longer champion" in said(test)
    assert "champion" not in reviewed.client.get_registered_model("demo-ADSQ").aliases


def test_promotion_rests_on_what_is_there_at_the_second_click(
    opened: Any, reviewed: Reviewed
) -> None:
    test = send(opened("clean"), "approve")
    button(test, "Promote").click().run()
    # Somebody else decides, and the data change, while the question stands on the screen.
    decide(reviewed.project, reviewed.ids["clean"], "reject", reviewer="Eve")
    button(test, "Make it champion").click().run()
    assert "champion" not in reviewed.client.get_registered_model("demo-ADSQ").aliases
    assert not test.exception and "Not promoted" in said(test)
    assert "The latest decision is reject (Eve" in html(test)


def test_an_audit_exchanged_while_the_form_is_open_is_looked_at_first(
    opened: Any, reviewed: Reviewed
) -> None:
    test = opened("clean")
    reviewed.audit_again("clean", "suspect")
    send(test, "approve", comment=REASON)
    assert "changed since it was shown" in test.error[0].value and not test.exception
    assert not history(reviewed, "clean").entries
    assert 'class="verdict suspect"' in html(test)  # now it lies before the reviewer
    send(test, "approve", comment=REASON)
    assert not test.error and history(reviewed, "clean").latest is not None


def test_a_champion_that_does_not_pass_is_said_to_be_none(opened: Any, reviewed: Reviewed) -> None:
    client, run_id = reviewed.client, reviewed.ids["suspect"]
    client.create_registered_model("demo-ADSQ")
    source = read_run(client, run_id).tags["model_uri"]
    client.create_model_version("demo-ADSQ", source, run_id)
    client.set_registered_model_alias("demo-ADSQ", "champion", "1")
    test = opened("suspect")
    assert not test.success and "although it does not pass" in test.error[0].value
    send(test, "reject")
    assert not client.get_registered_model("demo-ADSQ").aliases and not test.error


def test_a_reason_is_asked_for_and_missed(opened: Any, reviewed: Reviewed) -> None:
    test = opened("suspect")
    assert "a reason of at least 3 words" in said(test)
    send(test, "approve", comment="ok")
    assert "no reason is given" in test.error[0].value
    assert not history(reviewed, "suspect").entries
    send(test, "approve", comment=REASON)
    assert not test.error and len(history(reviewed, "suspect").entries) == 1


@pytest.mark.parametrize(
    ("word", "reviewer", "why"),
    [
        (None, "Ann", "Choose a decision"),
        ("reject", "  ", "no name of a reviewer"),
        ("reject", "a\u202eb", "cannot be shown"),
    ],
)
def test_what_is_not_said_as_it_must_be(
    opened: Any, reviewed: Reviewed, word: str | None, reviewer: str, why: str
) -> None:
    test = send(opened("clean"), word, reviewer)
    assert why in test.error[0].value and not test.exception
    assert not history(reviewed, "clean").entries


def test_hostile_text_is_shown_as_text(opened: Any, reviewed: Reviewed) -> None:
    client, run_id = reviewed.client, reviewed.ids["clean"]
    client.set_tag(run_id, "mlflow.runName", HOSTILE)
    client.set_tag(run_id, "review.decision.bad", HOSTILE)
    test = opened("clean")
    send(test, "reject", "<img src=x onerror=alert(1)> *A*", HOSTILE)
    assert not test.exception
    shown = html(test)
    assert "<script" not in shown and "<img" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; **bold** [x](http://e.org)" in shown
    assert "🧪\n# second line" in shown and "&lt;img src=x onerror=alert(1)&gt; *A*" in shown
    assert "cannot be read" in shown
    for one in [*test.markdown, *test.error, *test.info, *test.success, *test.caption]:
        assert "<script" not in one.value.replace("\\<script", "")
    (made,) = history(reviewed, "clean").decisions
    assert made.comment == HOSTILE


def test_the_reviewer_is_remembered_for_the_next_run(opened: Any, reviewed: Reviewed) -> None:
    test = send(opened("clean"), "reject", "Zoë")
    test.query_params["view"] = "decision"
    test.query_params["run"] = reviewed.ids["suspect"]
    test.run()
    assert box(test, "Reviewer").value == "Zoë" and "a reason of at least" in said(test)
    assert "Recorded" not in said(test)


def test_decisions_of_others_are_there_at_once(opened: Any, reviewed: Reviewed) -> None:
    test = opened("clean")
    decide(reviewed.project, reviewed.ids["clean"], "reject", reviewer="Eve")
    assert "Eve" in html(test.run())


def test_broken_audits_spoil_their_section_only(opened: Any, reviewed: Reviewed) -> None:
    file = reviewed.artifacts("clean") / "audit/audit.json"
    for text in ("{", "[]", '{"format_version": 2}'):
        file.write_text(text)
        test = opened("clean")
        assert not test.exception and "No verdict" in said(test)
        assert "This run cannot be approved" in said(test)
    file.unlink()
    reviewed.client.set_terminated(reviewed.ids["clean"], "FAILED")
    (reviewed.root / "dvc.lock").write_text("- {")
    assert html(opened("clean")).count("✕ refused") >= 4


@pytest.mark.parametrize("run_id", ["0" * 32, "a" * 10_000, "../../x"])
def test_a_link_to_a_run_that_is_gone_shows_no_other(
    launched: Launch, reviewed: Reviewed, run_id: str
) -> None:
    test = launched(reviewed.root, "decision", [run_id])
    assert not test.exception and "there is no run" in test.warning[0].value
    assert len(test.warning[0].value) < 1000 and not test.button
    test.selectbox[0].set_value(reviewed.ids["clean"]).run()
    assert not test.warning and button(test, "Record the decision")


def test_a_part_of_a_model_is_not_decided_on(launched: Launch, reviewed: Reviewed) -> None:
    reviewed.client.set_tag(reviewed.ids["clean"], "level", "fold")
    test = launched(reviewed.root, "decision", [reviewed.ids["clean"]])
    assert "is not the run of a whole model" in said(test) and not test.button


def test_many_unknown_runs_are_one_warning_and_some(launched: Launch, reviewed: Reviewed) -> None:
    test = launched(reviewed.root, "compare", [f"{one:032x}" for one in range(250)])
    assert not test.exception and len(test.warning) == 7 and "250 runs" in test.warning[0].value


def test_a_deleted_run_is_told_and_refused(opened: Any, reviewed: Reviewed) -> None:
    reviewed.client.delete_run(reviewed.ids["clean"])
    test = opened("clean")
    assert not test.exception and "The run was deleted" in said(test)


def test_after_a_decision_only_its_run_is_read_again(
    opened: Any, reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = opened("clean")

    def all_of_them(client: object) -> None:
        raise AssertionError("all runs were read")

    monkeypatch.setattr("app.data.runs.find_runs", all_of_them)
    send(test, "reject", comment="the slides were swapped")
    assert not test.exception and "✕ rejected" in html(test)
    test.run()
    assert not test.exception and "the slides were swapped" in html(test)


def test_without_a_decision_the_form_says_so(opened: Any, reviewed: Reviewed) -> None:
    test = send(opened("clean"), None, comment="kept")
    assert "Choose a decision" in test.error[0].value and test.text_area[0].value == "kept"
    assert not history(reviewed, "clean").entries
