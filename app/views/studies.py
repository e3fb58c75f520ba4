"""Studies: what tuning tried, what mattered, and what it gained over the published settings."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.data import runs as all_runs
from app.data import studies as data
from app.parts import chosen, shown
from app.parts.shown import literal, told
from corespot.errors import TuneError
from corespot.report.tuning_page import adapted_note, gains_table, three_decimals, with_sign

#: Figures of a study: name in the page, and what it answers.
FIGURES = {
    "history": ("History", "Does it still get better? Later trials need not."),
    "importances": (
        "Importances",
        "Which settings matter, by the share of the variance between trials that each explains "
        "(fANOVA). With a few trials this is a hint.",
    ),
    "parallel_coordinates": ("Parallel coordinates", "Which combinations do well: darker lines."),
    "slice": ("Slices", "The value over each setting by itself."),
    "timeline": ("Timeline", "When trials ran, beside each other, and how they ended."),
}
_OPTIMISM = (
    "Values are balanced accuracies on inner folds of the training part. The best of many trials "
    "is best by chance, too: what is gained here is more than the test folds will show."
)


def main() -> None:
    """Show the view."""
    st.title("Studies")
    st.caption(
        "What tuning tried on the training part of each outer fold. Nothing here changes it."
    )
    try:
        current, former = data.studies()
    except TuneError as error:
        _nothing_yet(error)
        return
    if not current:
        _nothing_yet(TuneError("there is no study yet"))
        return
    task, model, study = _choose(current, former)
    own = [one for one in current if (one.task, one.model) == (task, model)]
    with told():
        _progress(study)
    with told():
        _gains(task, model, own)
    _figures(study)
    with told():
        _trials(study)
    _go_on(task, model)


def _choose(current: Sequence[Any], former: Sequence[Any]) -> tuple[str, str, Any]:
    """Task, model and study; those of the chosen run first, former settings last."""
    every = [*current, *former]
    tasks = list(dict.fromkeys(one.task for one in every))
    wanted = _of_the_run()
    with st.container(horizontal=True):
        at = tasks.index(wanted[0]) if wanted[0] in tasks else 0
        task = st.selectbox("Task", tasks, index=at)
        models = list(dict.fromkeys(one.model for one in every if one.task == task))
        at = models.index(wanted[1]) if wanted[1] in models else 0
        model = st.selectbox("Model", models, index=at)
        found = {one.name: one for one in every if (one.task, one.model) == (task, model)}
        names = {one.name for one in former}
        name = st.selectbox(
            "Outer fold",
            list(found),
            format_func=lambda one: (
                found[one].place + (f", former settings ({one[-8:]})" if one in names else "")
            ),
        )
    study = found[name]
    if name in names:
        st.info(
            "These trials were made with other settings, folds or spectra than those worked on "
            "last. They stay in the storage; training does not use them.",
            icon=":material/history:",
        )
    return task, model, study


def _of_the_run() -> tuple[str, str]:
    for run in all_runs.runs() if chosen.chosen_ids() else ():
        if run.run_id == chosen.chosen_ids()[0]:
            return run.task, run.model
    return "", ""


def _progress(study: Any) -> None:
    """How far the study is."""
    state, asked = data.progress(study), data.asked_trials(study.task, study.model)
    whole = f"of {asked}" if asked else None
    with st.container(horizontal=True, gap="large"):
        numbers = (
            ("Finished trials", str(state["finished"]), whole),
            ("Running", str(state["running"]), None),
            ("Pruned", str(state["pruned"]), None),
            ("Failed", str(state["failed"]), None),
            ("Published setting", three_decimals(state["published"]), None),
            ("Best setting", three_decimals(state["best"]), None),
            ("Gain", with_sign(state["gain"]), None),
        )
        for label, value, note in numbers:
            st.metric(label, f"{value} {note}" if note else value, width="content")
    about = study.about
    st.caption(
        literal(
            f"Values: {about.get('metric', 'balanced accuracy')} over "
            f"{about.get('inner_folds', '?')} inner folds, grouped by {_grouping(about)}. Pruned "
            "trials lost to the best one, fold by fold, and were stopped; they count as finished."
        )
    )
    if state["silent"]:
        st.warning(
            f"{state['silent']} running trial gave no sign of life for two minutes: its process "
            "may have been stopped. Whoever works on this study next takes it over.",
            icon=":material/pause_circle:",
        )
    elif state["running"]:
        st.info("Tuning is going on now.", icon=":material/play_circle:")
        st.button("Look again", icon=":material/refresh:")


def _grouping(about: Mapping[str, Any]) -> str:
    word = str(about.get("inner_grouping", "?"))
    return {"tma": "TMA"}.get(word, word)


def _gains(task: str, model: str, own: Sequence[Any]) -> None:
    """Tuned against published, every outer fold: as trials stand, and as training took them."""
    st.subheader("Tuned against published")
    st.caption(_OPTIMISM)
    states = [data.progress(one) for one in own]
    outcome = data.outcome(task, model)
    finished = {one.name: state["finished"] for one, state in zip(own, states, strict=True)}
    taken = {} if outcome is None else {one["study"]: one["trials"] for one in outcome["folds"]}
    if taken != finished:
        shown.table(
            pd.DataFrame(
                {
                    "outer fold": [one.place for one in own],
                    "finished": [state["finished"] for state in states],
                    "running": [state["running"] for state in states],
                    "published": [three_decimals(state["published"]) for state in states],
                    "best": [three_decimals(state["best"]) for state in states],
                    "gain": [with_sign(state["gain"]) for state in states],
                }
            ),
            f"studies-{task}-{model}",
        )
        st.info(
            "Training has not taken these trials up yet: `dvc repro` does, where `params.yaml` "
            "asks for as many.",
            icon=":material/info:",
        )
    if outcome is None:
        return
    if taken != finished:
        st.write("What the last training took:")
    shown.table(gains_table(outcome), f"gains-{task}-{model}")
    took = f"Training took the settings of this table: {outcome['note']}."
    st.caption(literal(f"{adapted_note(outcome['folds'])} {took}".strip()))


@shown.own_part
def _figures(study: Any) -> None:
    """One figure at a time."""
    st.subheader("Trials in figures")
    drawn = data.figures(study)
    if not drawn:
        st.info("There is nothing to draw yet: no trial has finished.", icon=":material/info:")
        return
    name = st.segmented_control(
        "Figure",
        list(drawn),
        default=next(iter(drawn)),
        format_func=lambda one: FIGURES[one][0],
        label_visibility="collapsed",
        required=True,
    )
    name = name or next(iter(drawn))
    st.caption(FIGURES[name][1])
    missing = [FIGURES[one][0].lower() for one in FIGURES if one not in drawn]
    shown.figure(drawn[name], f"study-{name}", alt=f"{FIGURES[name][0]} of the study")
    if missing:
        st.caption(f"Too few trials came through for: {', '.join(missing)}.")


def _trials(study: Any) -> None:
    """Every trial with its setting."""
    st.subheader("Trials")
    table = data.trials(study)
    shown.table(
        table,
        f"trials-{study.name}",
        column_config={
            "value": st.column_config.NumberColumn(format="%.4f", help="mean over inner folds"),
            "started": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
        },
    )


def _go_on(task: str, model: str) -> None:
    st.subheader("Go on")
    st.write("More trials, as many shells as you like at once; then `dvc repro` trains with them:")
    st.code(shlex.join(["corespot", "tune", task, model, "--trials", "60"]), language="sh")
    st.write("The same studies in Optuna's own dashboard:")
    st.code("make studies", language="sh")


def _nothing_yet(error: TuneError) -> None:
    """Say what to run."""
    if "no study yet" not in str(error):
        st.error(literal(error), icon=":material/error:")
        return
    st.info(
        "Nothing was tuned in this project yet. In the project's folder:", icon=":material/info:"
    )
    st.code("corespot tune TASK MODEL --trials 20", language="sh")
    st.write("or set `tune.trials` in `params.yaml`, then `make run`.")


if __name__ == "__main__":
    main()
