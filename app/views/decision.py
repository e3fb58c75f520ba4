"""Decision: the verdict, what was decided so far, a form to decide, and the gate for champion."""

from __future__ import annotations

import streamlit as st

from app.data import decisions as data
from app.parts import chosen
from app.parts.report_button import report_button
from app.parts.shown import drawn, literal, told
from corespot.errors import CorespotError
from corespot.report.audit_card import VerdictCard
from corespot.review.checks import REASON_RULE, needs_reason
from corespot.review.decide import Decided
from corespot.review.decision import LONGEST_COMMENT, LONGEST_NAME, DecisionWord
from corespot.review.evidence import Evidence, Unknown
from corespot.review.gate import approval_objections, champion_gate
from corespot.review.gate_shown import GateList, HistoryList

#: Kept while a tab is open: the reviewer, what is to be said, what awaits a second click.
_REVIEWER, _SAID, _ASKED, _TIMES = "reviewer", "said", "asked to promote", "times decided"
#: Kept as well: the run and the digest of its audit as this tab has shown it last.
_SEEN = "audit shown"
_WORDS: dict[DecisionWord, str] = {
    "approve": "Approve",
    "reject": "Reject",
    "needs_work": "Needs work",
}
#: Said where a click came too late; what is shown of a promotion that was made says so itself.
_CHANGED = "Not promoted: something has changed in the meantime, see the checks."


def main() -> None:
    """Show the view."""
    st.title("Decision")
    run_id = chosen.one_run().run_id
    evidence = data.evidence(run_id)
    with told():
        _verdict(evidence)
    deciding, history = st.columns(2, gap="large")
    with deciding, told():
        _form(evidence)
    with history, told():
        _history(evidence)
    with told():
        _promotion(evidence)


def _verdict(evidence: Evidence) -> None:
    audit = evidence.audit
    if isinstance(audit, Unknown):
        st.warning(f"No verdict: {literal(audit.why)}", icon=":material/help:")
    elif audit.view is not None:
        drawn(VerdictCard(audit.view))
    with st.container(horizontal=True, vertical_alignment="center"):
        _to_evidence(evidence, "See the evidence for this verdict")
        report_button([evidence.run])


def _form(evidence: Evidence) -> None:
    st.subheader("Decide", anchor=False)
    _tell(evidence.run.run_id)
    objections = approval_objections(evidence)
    if objections:
        with st.container(border=True):
            st.markdown("**This run cannot be approved.**")
            for one in objections:
                st.markdown(literal(f"{_capital(one.found)}: {one.remedy}.".replace("`", "")))
            _to_evidence(evidence, "See why, in the confounding view")
    elif needs_reason(evidence):
        st.info(f"To approve it, write {REASON_RULE}.", icon=":material/edit_note:")
    run_id = evidence.run.run_id
    # A new number gives empty boxes after a decision, while one that was refused stays as written.
    turn = f"{run_id}-{st.session_state.get(_TIMES, 0)}"
    with st.form(f"decide-{turn}", border=True):
        st.text_input(
            "Reviewer",
            st.session_state.get(_REVIEWER, ""),
            max_chars=LONGEST_NAME,
            key=f"reviewer-{turn}",
        )
        st.radio(
            "Decision",
            list(_WORDS),
            index=None,
            format_func=lambda one: (
                f"{_WORDS[one]} (refused)" if one == "approve" and objections else _WORDS[one]
            ),
            horizontal=True,
            key=f"word-{turn}",
        )
        st.text_area("Comment", max_chars=LONGEST_COMMENT, height=120, key=f"comment-{turn}")
        st.form_submit_button(
            "Record the decision", type="primary", on_click=_record, args=(run_id, turn)
        )
    st.caption(
        "Everybody who opens this run sees it. It cannot be changed, only followed by another."
    )
    # What lies before the reviewer from now on, until the next click.
    st.session_state[_SEEN] = (run_id, evidence.audit_sha256)


def _record(run_id: str, turn: str) -> None:
    """Record what the form holds, before the page is drawn anew."""
    reviewer, word, comment = (
        st.session_state[f"{name}-{turn}"] for name in ("reviewer", "word", "comment")
    )
    st.session_state[_REVIEWER] = reviewer
    if word is None:
        _say(run_id, "Choose a decision.", refused=True)
        return
    of, seen = st.session_state.get(_SEEN, (None, None))
    if of != run_id:
        _say(run_id, "Not recorded: look at this run again, and send it once more.", refused=True)
        return
    try:
        made = data.decide(run_id, word, reviewer, comment, seen)
    except CorespotError as error:
        _say(run_id, str(error), refused=True)
        return
    st.session_state[_TIMES] = st.session_state.get(_TIMES, 0) + 1
    _say(run_id, _decided(made))


def _history(evidence: Evidence) -> None:
    st.subheader("Decisions so far", anchor=False)
    if evidence.history.entries:
        drawn(HistoryList(evidence))
    else:
        st.caption("Nobody has decided on this run.")


def _promotion(evidence: Evidence) -> None:
    st.subheader("Champion", anchor=False)
    st.caption(
        "The champion is the version in use. Only a run that passes every check can become it, "
        "here and on the command line."
    )
    run_id, gate = evidence.run.run_id, champion_gate(evidence)
    drawn(GateList(gate))
    if "champion" in evidence.aliases and not gate.passed:
        st.error(
            "This run is champion although it does not pass: the alias was set past the gate, or "
            "something has changed since. Reject or Needs work takes the alias away.",
            icon=":material/gpp_bad:",
        )
    elif "champion" in evidence.aliases:
        st.success(f"{literal(evidence.version)} is champion.", icon=":material/verified:")
    elif st.session_state.get(_ASKED) != run_id or not gate.passed:
        if st.session_state.pop(_ASKED, None) == run_id:
            st.warning(_CHANGED, icon=":material/sync_problem:")
        st.button(
            "Promote to champion …",
            disabled=not gate.passed,
            key="ask to promote",
            on_click=_ask,
            args=(run_id,),
        )
    else:
        _confirm(evidence)
    st.caption("The same on the command line:")
    st.code(f"corespot promote {run_id}", language="sh")


def _confirm(evidence: Evidence) -> None:
    """The second step: name, yes or no."""
    with st.container(border=True):
        st.markdown(
            f"Make {literal(evidence.version)} champion? Whoever loads the champion of "
            f"{literal(getattr(evidence.version, 'name', ''))} gets it from then on."
        )
        st.text_input(
            "Promoted by",
            st.session_state.get(_REVIEWER, ""),
            max_chars=LONGEST_NAME,
            key="promoted by",
        )
        with st.container(horizontal=True):
            st.button(
                "Make it champion",
                type="primary",
                key="promote",
                on_click=_promote,
                args=(evidence.run.run_id,),
            )
            st.button("Cancel", key="do not promote", on_click=_ask, args=(None,))


def _ask(run_id: str | None) -> None:
    st.session_state[_ASKED] = run_id


def _promote(run_id: str) -> None:
    try:
        made = data.promote(run_id, st.session_state["promoted by"])
    except CorespotError as error:
        _say(run_id, str(error), refused=True)
        return
    _ask(None)
    if not made.version:
        _say(run_id, _CHANGED)


def _to_evidence(evidence: Evidence, label: str) -> None:
    st.page_link(
        "views/confounding.py",
        label=label,
        icon=":material/flag:",
        query_params={"run": evidence.run.run_id},
    )


def _decided(made: Decided) -> str:
    return "; ".join([f"{_WORDS[made.decision.word]}: recorded", *made.told]) + "."


def _say(run_id: str, text: str, *, refused: bool = False) -> None:
    """Keep what is to be said of a click where the page is drawn anew, for this run."""
    st.session_state[_SAID] = (run_id, text, refused)


def _tell(run_id: str) -> None:
    of, text, refused = st.session_state.pop(_SAID, (None, "", False))
    if of != run_id:
        return
    if refused:
        st.error(literal(text), icon=":material/error:")
    else:
        st.info(literal(text), icon=":material/check:")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    main()
