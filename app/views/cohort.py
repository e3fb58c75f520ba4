"""Data: what was measured, how good it is, how it is split, and which version runs have read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from app.data import cohort as data
from app.parts import cohort_folds, cohort_spectrum, shown
from app.parts.shown import literal, told
from corespot.axis import MzAxis
from corespot.report.cohort_tables import class_counts, skipped_lines, tma_table
from corespot.report.design_parts import associations
from corespot.report.fold_layout import in_order
from corespot.report.quality_figures import label_heatmap, mean_spectra, quality_by_tma

#: TMAs whose mean spectra are drawn one above the other at first, and points of each.
_FIRST, _POINTS = 12, 1500


def main() -> None:
    """Show the view."""
    st.title("Data")
    st.caption(
        "The project's data as they are now. Runs may have read another version: see Versions."
    )
    if not data.settings_are_valid():
        st.warning(
            "`params.yaml` is missing or not valid: `corespot validate` says why. What stages left "
            "is shown all the same.",
            icon=":material/warning:",
        )
    part = st.segmented_control(
        "Part", list(PARTS), default=next(iter(PARTS)), label_visibility="collapsed", required=True
    )
    _part(part or next(iter(PARTS)))


@shown.own_part
def _part(name: str) -> None:
    PARTS[name]()


def _cohort() -> None:
    """How much there is, TMA by TMA, and what was left out."""
    found = data.summary()
    with st.container(horizontal=True, gap="large"):
        for label, key in (
            ("TMAs", "n_tmas"),
            ("Patients", "n_patients"),
            ("Cores", "n_cores"),
            ("Spots", "n_spots"),
        ):
            st.metric(label, f"{int(found.get(key) or 0):,}", width="content")
    low, high = found.get("mz_range") or (float("nan"), float("nan"))
    kind = ", ".join(str(found[key]) for key in ("mode", "spectrum_type") if found.get(key))
    st.caption(literal(f"Measured from m/z {low:.1f} to {high:.1f}; {kind}."))
    shown.table(tma_table(found), "tmas", height="content")
    st.subheader("What was skipped, and why")
    with told():
        for line in skipped_lines(found, data.store().meta):
            st.markdown(f"- {literal(line)}")
    for task, counts in (found.get("tasks") or {}).items():
        st.subheader(f"Task {literal(task)}")
        where = ", ".join(f"{name} = {value}" for name, value in counts["where"].items())
        st.caption(
            literal(
                f"Classes are the values of {counts['label']}{f', where {where}' if where else ''}."
            )
        )
        shown.table(class_counts(counts), f"classes-{task}")


def _quality() -> None:
    """Quality of the spectra, TMA by TMA."""
    shown.figure(
        quality_by_tma(data.quality("spots"), data.quality("tmas")),
        "quality",
        alt="Total ion count, noise, empty bins and mass shift of each TMA",
    )
    st.caption(
        "Nothing of this is fed back into training. A TMA that stands apart here may be told apart "
        "by a model, too."
    )
    with st.expander("Figures of each TMA"):
        shown.table(data.quality("tmas"), "quality-tmas")


def _means() -> None:
    """Mean spectrum of each TMA."""
    means = data.quality("mean_spectra")
    names = in_order(means["tma"].unique())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.radio("Spectra", ["preprocessed", "raw"], horizontal=True)
        taken = st.multiselect("TMAs", names, default=names[:_FIRST])
    if not taken:
        st.info("Choose a TMA.", icon=":material/info:")
        return
    of = {name: means[means["tma"].astype(str) == name] for name in taken}
    axis = MzAxis(of[taken[0]]["mz"].to_numpy(np.float64))
    mz_low, mz_high = float(axis.mz[0]), float(axis.mz[-1])
    low, high = st.slider("m/z shown", mz_low, mz_high, (mz_low, mz_high), format="%.0f")
    column = "preprocessed_mean" if which == "preprocessed" else "raw_mean"
    shown.figure(
        mean_spectra(
            {name: table[column].to_numpy(np.float64) for name, table in of.items()},
            axis,
            title=f"Mean {which} spectrum of each TMA",
            mz_range=(low, max(high, low + 1)),
            n_points=_POINTS,
        ),
        "means",
    )


def _classes() -> None:
    """Label against TMA, and what else goes with the label."""
    task = _task()
    if task is None:
        return
    design = data.design(task)
    counts = pd.DataFrame(design["tmas"]).reindex(design["classes"])
    counts = counts[in_order(counts.columns)].fillna(0).astype(int)
    counts.index.name = "class"
    v, unit = design["V"], design["unit"]
    said = "not applicable" if v is None else f"{v:.2f}"
    st.metric(f"Association of label and TMA (V, over {design['n_units']} {unit}s)", said)
    st.caption(
        "Bias-corrected Cramér's V: 0 where every TMA holds the classes in equal parts, 1 where "
        "the TMA tells the class. Above 0.3 a model may tell measurements apart instead of tissue."
    )
    shown.figure(
        label_heatmap(counts, title=f"{unit.capitalize()}s of each class on each TMA"),
        "label-by-tma",
    )
    shown.table(counts.reset_index(), f"label-by-tma-{task}")
    if design["unidentified"]:
        st.subheader("What cannot be told apart")
        for text in design["unidentified"]:
            st.markdown(f"- {literal(text)}")
    if design["repairs"]:
        st.subheader("What would repair it")
        for text in design["repairs"]:
            st.markdown(f"- {literal(text)}")
    other = associations(design)
    if len(other):
        st.subheader("What else goes with the label")
        shown.table(other, f"associations-{task}")


def _folds() -> None:
    task = _task()
    if task is not None:
        cohort_folds.show(task)


def _versions() -> None:
    """Hashes of the data now, and how many runs have read the same."""
    found = data.versions()
    shown.table(found.table(), "versions")
    dirty = {"true": "with uncommitted changes", "false": "nothing uncommitted"}
    state = dirty.get(found.git["git_dirty"], "")
    st.text(f"git commit  {found.git['git_commit']}  {f'({state})' if state else ''}".rstrip())
    stale = found.n_runs - found.same["store"]
    if found.n_runs and found.hashes["store"] != "unknown" and stale:
        st.warning(
            f"{stale} of {found.n_runs} runs read other spectra than the project holds now. Their "
            "ion images and mean spectra cannot be drawn, and their figures are not comparable.",
            icon=":material/difference:",
        )
    st.subheader("Folds of each task")
    rows = [{"task": task, "fingerprint now": text} for task, text in found.folds.items()]
    shown.table(pd.DataFrame(rows, columns=["task", "fingerprint now"]), "fingerprints")


def _task() -> str | None:
    """The task looked at."""
    names = data.tasks()
    if not names:
        st.info(
            "There is no task yet: name one in `params.yaml`, then `dvc repro`.",
            icon=":material/info:",
        )
        return None
    task: str = st.selectbox("Task", names)
    return task


#: Parts of the page, in their order.
PARTS: dict[str, Callable[[], None]] = {
    "Cohort": _cohort,
    "Quality": _quality,
    "Mean spectra": _means,
    "Classes and TMAs": _classes,
    "Folds": _folds,
    "Preprocessing": cohort_spectrum.show,
    "Versions": _versions,
}


if __name__ == "__main__":
    main()
