"""Which runs are looked at: kept in the address, so that a view can be sent to a colleague."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import streamlit as st

from app.data import runs as data
from app.data.runs import LoggedRun
from app.parts.shown import literal, run_label
from corespot.errors import TrackingError

#: Where the choice is kept while views change; the address holds it, too.
_KEPT, _ONE, _MANY = "chosen runs", "one run", "many runs"
#: Most runs that can be told apart side by side.
MOST = 6
#: Characters of a message that repeats what an address holds.
_LONGEST = 400


def one_run() -> LoggedRun:
    """The run looked at, with a box to take another; ends the page where there is none."""
    known = _known_or_stop()
    wanted = [run_id for run_id in chosen_ids() if run_id in known]
    # Whoever follows a link to a run that is gone must not decide on another one instead.
    first = wanted[0] if wanted else None if chosen_ids() else next(iter(known))
    st.session_state[_ONE] = first
    st.selectbox(
        "Run",
        list(known),
        format_func=lambda one: run_label(known[one]),
        key=_ONE,
        on_change=_take,
        placeholder="Choose a run",
    )
    if first is None:
        st.stop()
    if first != (chosen_ids() or [""])[0]:
        choose([first])
    return known[first]


def many_runs() -> list[LoggedRun]:
    """The runs compared, with a box to add and remove; ends the page where there is none."""
    known = _known_or_stop()
    wanted = [run_id for run_id in chosen_ids() if run_id in known][:MOST]
    st.session_state[_MANY] = wanted
    st.multiselect(
        "Runs",
        list(known),
        format_func=lambda one: run_label(known[one]),
        key=_MANY,
        on_change=_take_many,
        max_selections=MOST,
        placeholder="Two to six runs",
    )
    return [known[run_id] for run_id in wanted]


def chosen_ids() -> list[str]:
    """Identifiers of the chosen runs: those of the address, else those chosen before."""
    address = st.query_params.get("run")
    if address is not None:
        return list(dict.fromkeys(part for part in address.split(",") if part))
    return list(st.session_state.get(_KEPT, []))


def choose(run_ids: Sequence[str]) -> None:
    """Choose runs, in the address and for the views to come."""
    st.session_state[_KEPT] = list(run_ids)
    if run_ids:
        st.query_params["run"] = ",".join(run_ids)
    else:
        st.query_params.pop("run", None)


def _known_or_stop() -> dict[str, LoggedRun]:
    """Runs that can be chosen; tells what the address asks for and is not there."""
    known = {run.run_id: run for run in data.runs()}
    if not known:
        empty_project()
        st.stop()
    missing = [run_id for run_id in chosen_ids() if run_id not in known]
    if len(missing) > MOST:
        st.warning(f"The address names {len(missing)} runs that are not in the list.")
    for run_id in missing[:MOST]:
        try:
            run = data.run_of(run_id)
        except TrackingError as error:
            st.warning(literal(textwrap.shorten(str(error), _LONGEST)))
            continue
        if run.deleted:
            st.warning(f"Run {literal(run.name)} was deleted; it is shown while its files last.")
        known[run_id] = run
    return known


def empty_project() -> None:
    """Say what to run where there is nothing yet."""
    st.info("There is no run yet. In the project's folder:", icon=":material/info:")
    st.code("make run", language="sh")
    st.write("trains, explains and audits every task and model of `params.yaml`; then look again.")


def _take() -> None:
    choose([st.session_state[_ONE]])


def _take_many() -> None:
    choose(st.session_state[_MANY])
