"""Decision: the verdict, what was decided so far, a form to decide, and the gate for champion."""

from __future__ import annotations

import streamlit as st

from app.data import decisions as data
from app.parts import chosen
from app.parts.report_button import report_button
from app.parts.shown import drawn, literal, told
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
    _say()
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
        reviewer = st.text_input(
            "Reviewer", st.session_state.get(_REVIEWER, ""), max_chars=LONGEST_NAME
        )
        word = st.radio(
            "Decision",
            list(_WORDS),
            index=None,
            format_func=lambda one: (
                f"{_WORDS[one]} (refused)" if one == "approve" and objections else _WORDS[one]
            ),
            horizontal=True,
        )
        comment = st.text_area("Comment", max_chars=LONGEST_COMMENT, height=120)
        sent = st.form_submit_button("Record the decision", type="primary")
    st.caption(
        "Everybody who opens this run sees it. It cannot be changed, only followed by another."
    )
    # What lay before the reviewer was drawn before this click; from now on it is what is drawn now.
    now = (run_id, evidence.audit_sha256)
    of, seen = st.session_state.get(_SEEN, now)
    st.session_state[_SEEN] = now
    if not sent:
        return
    st.session_state[_REVIEWER] = reviewer
    if word is None:
        st.error("Choose a decision.", icon=":material/error:")
        return
    made = data.decide(run_id, word, reviewer, comment, seen if of == run_id else now[1])
    st.session_state[_TIMES] = st.session_state.get(_TIMES, 0) + 1
    _say_later(run_id, _decided(made))


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
        if st.button("Promote to champion …", disabled=not gate.passed, key="ask to promote"):
            st.session_state[_ASKED] = run_id
            st.rerun()
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
        by = st.text_input(
            "Promoted by", st.session_state.get(_REVIEWER, ""), max_chars=LONGEST_NAME
        )
        with st.container(horizontal=True):
            yes = st.button("Make it champion", type="primary", key="promote")
            no = st.button("Cancel", key="do not promote")
    if no:
        st.session_state.pop(_ASKED, None)
        st.rerun()
    if yes:
        made = data.promote(evidence.run.run_id, by)
        st.session_state.pop(_ASKED, None)
        _say_later(evidence.run.run_id, "" if made.version else _CHANGED)


def _to_evidence(evidence: Evidence, label: str) -> None:
    st.page_link(
        "views/confounding.py",
        label=label,
        icon=":material/flag:",
        query_params={"run": evidence.run.run_id},
    )


def _decided(made: Decided) -> str:
    return "; ".join([f"{_WORDS[made.decision.word]}: recorded", *made.told]) + "."


def _say_later(run_id: str, text: str) -> None:
    """Draw the page anew, with everything as it is now, and then say this."""
    if text:
        st.session_state[_SAID] = (run_id, text)
    chosen.choose([run_id])
    st.rerun()


def _say() -> None:
    said = st.session_state.pop(_SAID, None)
    if said is not None and said[0] in chosen.chosen_ids():
        st.info(literal(said[1]), icon=":material/check:")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    main()
