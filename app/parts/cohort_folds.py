"""Folds of a task: which TMA is tested where, and that nothing is on both sides."""

from __future__ import annotations

import streamlit as st

from app.data import cohort as data
from app.parts import shown
from app.parts.shown import literal
from corespot.report.fold_layout import UNITS, fold_layout, fold_table, n_split


def show(task: str) -> None:
    """Show the folds of a task."""
    folds, members = data.folds(task)
    split = {unit: n_split(members, unit) for unit in UNITS}
    words = [f"{word}s" for unit, word in UNITS.items() if not split[unit]]
    broken = {word: split[unit] for unit, word in UNITS.items() if split[unit]}
    if words:
        st.success(
            f"Never both trained on and tested on: {', '.join(words)}.", icon=":material/check:"
        )
    for word, count in broken.items():
        st.warning(
            f"{count} {word}{'s are' if count > 1 else ' is'} in the test parts of several folds: "
            f"a model is tested on a {word} that it was trained on.",
            icon=":material/call_split:",
        )
    repeat = 0
    if folds.repeats > 1:
        repeat = st.selectbox(
            "Repeat", range(folds.repeats), format_func=lambda one: f"repeat {one}"
        )
    shown.figure(
        fold_layout(members, repeat, grouping=folds.label),
        "folds",
        alt="Number of tested spots of each TMA in each fold",
    )
    shown.table(fold_table(members, repeat), f"folds-{task}-{repeat}")
    for note in folds.notes:
        st.caption(literal(note))
    st.caption(
        literal(
            f"{folds.k} folds, {folds.repeats} repeat{'s' if folds.repeats > 1 else ''}, seed "
            f"{folds.seed}; fingerprint {folds.fingerprint}"
        )
    )
