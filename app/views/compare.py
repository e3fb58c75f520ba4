"""Two to six runs side by side: verdicts, paired differences, folds, sensitivity, settings."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.data import comparison as paired_data
from app.data import runs as data
from app.data.runs import LoggedRun
from app.parts import chosen, compared_profiles, compared_tables, shown
from app.parts.report_button import report_button
from corespot.errors import CorespotError
from corespot.evaluate.paired import PAIRED_METRICS
from corespot.report.compared_verdicts import ComparedVerdict, VerdictList
from corespot.report.comparison_figures import difference_plot
from corespot.report.fold_figures import fold_boxes
from corespot.report.theme import colours_of
from corespot.report.verdict_badge import FLAGGED
from corespot.review import paired_tables
from corespot.review.compared_runs import cautions, labels_of
from corespot.review.comparison import METRIC_NAMES, PAIRED_SAID
from corespot.review.lineage import data_differences, parameter_differences
from corespot.review.run_table import run_table

SHARE = (
    "Artifact share: how much of the distance between the classes is carried by off-peak signal, "
    "gain, calibration or resolution. It counts against a model where label and TMA are tied."
)
FLAGGED_SAID = (
    "A flagged model may owe its accuracy to how the spectra were measured: a higher figure below "
    "does not make it the better one."
)
HEADLINES = (
    "Of each run: median over folds, or over repeats where there are several, as in the overview. "
    "Differences: pooled over folds, with their 95 % interval over patients, as above."
)


def main() -> None:
    """Show the view."""
    st.title("Compare")
    runs = chosen.many_runs()
    if len(runs) < 2:
        st.info(
            "Choose two to six runs, here or in the overview.", icon=":material/compare_arrows:"
        )
        return
    labels = labels_of(runs)
    colours = colours_of(labels)
    _verdicts(runs, labels, colours)
    report_button(runs)
    found = cautions(runs)
    if found:
        st.warning("  \n".join(shown.literal(one) for one in found), icon=":material/warning:")
    for heading, section in (
        ("Differences", _differences),
        ("Folds", _folds),
        ("Sensitivity", compared_profiles.section),
        ("What differs", _settings),
    ):
        st.subheader(heading)
        with shown.told():
            section(runs, labels, colours)


def _verdicts(runs: list[LoggedRun], labels: list[str], colours: dict[str, str]) -> None:
    table = run_table(runs)
    rows = [
        ComparedVerdict(
            label=label,
            colour=colours[label],
            verdict=str(row["verdict"]),
            artifact_share=float(row["artifact_share"]),
            sentence=run.tags.get("audit.sentence", ""),
            remarks=compared_tables.remarks(run),
        )
        for run, label, row in zip(runs, labels, table.to_dict("records"), strict=True)
    ]
    shown.drawn(VerdictList(rows))
    said = SHARE
    if table["verdict"].isin(FLAGGED).any():
        said = f"{FLAGGED_SAID} {said}"
    st.caption(shown.literal(said))


@shown.own_part
def _differences(runs: list[LoggedRun], labels: list[str], colours: dict[str, str]) -> None:
    with st.container(horizontal=True):
        place = st.selectbox(
            "Reference", range(len(runs)), format_func=lambda at: labels[at], width=320
        )
        metric = st.selectbox(
            "Metric", PAIRED_METRICS, format_func=lambda one: METRIC_NAMES[one], width=220
        )
    reference, pairs = runs[place], {}
    for run, label in zip(runs, labels, strict=True):
        if run is reference:
            continue
        try:
            pairs[label] = paired_data.paired(reference, run)
        except CorespotError as error:
            text = f"{label} and {labels[place]} were not paired: {error}."
            st.warning(shown.literal(text), icon=":material/link_off:")
    for sentence in paired_tables.sentences(pairs):
        st.caption(shown.literal(sentence))
    if pairs:
        both = pd.concat(
            [paired_tables.differences(pair, label, metric) for label, pair in pairs.items()],
            ignore_index=True,
        )
        shown.figure(
            difference_plot(both, colours, metric=METRIC_NAMES[metric], reference=labels[place]),
            "differences",
        )
        shown.table(paired_tables.worded(both), f"differences {metric}", whole=both)
        st.caption(shown.literal(PAIRED_SAID))
    st.markdown("**All metrics**")
    every = compared_tables.headlines(runs, labels, pairs, labels[place][0])
    three = st.column_config.NumberColumn(format="%.3f")
    shown.table(every, "metrics", column_config=dict.fromkeys(labels, three))
    st.caption(shown.literal(HEADLINES))


def _folds(runs: list[LoggedRun], labels: list[str], colours: dict[str, str]) -> None:
    tables, n_classes = [], {}
    for run, label in zip(runs, labels, strict=True):
        with shown.told():
            table = data.table(run, "fold_metrics")
            tables.append(compared_tables.fold_accuracies(table, run, label))
            n_classes[run.task] = compared_tables.n_classes(run)
    if tables:
        both = pd.concat(tables, ignore_index=True)
        shown.figure(fold_boxes(both, n_classes=n_classes, colours=colours), "folds")
        with st.expander("Every fold"):
            shown.table(both.rename(columns={"model": "run"}), "folds")


def _settings(runs: list[LoggedRun], labels: list[str], colours: dict[str, str]) -> None:
    del colours
    origin = data_differences(runs)
    if origin.empty:
        st.write("All runs read the same raw data, spectra, folds and m/z axis.")
    else:
        st.write("Versions of the data that differ:")
        shown.table(compared_tables.relabelled(origin, labels), "data versions")
    settings = parameter_differences(runs)
    if settings.empty:
        st.write("All logged parameters are the same.")
    else:
        st.write("Parameters that differ (a dash: the run has none of this name):")
        shown.table(compared_tables.relabelled(settings, labels), "parameters")


if __name__ == "__main__":
    main()
