"""The sections of the report of one run; a part that is missing says why in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from corespot.errors import StoreError
from corespot.io.artifacts import read_json
from corespot.report.ablation_figures import ablation_table
from corespot.report.audit_figures import audit_figures
from corespot.report.audit_tables import leakage_table, lines_table, readings_table
from corespot.report.fold_figures import fold_boxes
from corespot.report.html import Beside, Facts, Part, Section
from corespot.report.overview_tables import patch_table, reliability_table, segmentation_table
from corespot.report.prediction_figures import confusion, reliability
from corespot.report.result_rows import LEVELS
from corespot.report.sensitivity_figures import sensitivity_spectrum, window_ranking
from corespot.report.sensitivity_view import SensitivityView
from corespot.report.tissue_figures import tissue_maps
from corespot.report.tuning_page import adapted_note, gains_table
from corespot.review.decisions_shown import decision_table
from corespot.review.lineage import lineage_rows
from corespot.review.metric_tables import READ_AS, class_table, metric_table
from corespot.review.model_card import model_card
from corespot.review.reported_run import ReportedRun, told
from corespot.review.run_record import read_markers

#: Points a curve of the report is drawn with; the review app shows every one.
N_POINTS = 4000
#: Windows that the table lists.
N_WINDOWS = 15
#: Most classes of which three confusion matrices fit beside each other.
_FEW = 3


def run_sections(one: ReportedRun) -> list[Section]:
    """All sections of the report of one run, from the model card to its lineage."""
    makers: Sequence[tuple[str, Callable[[ReportedRun], Iterator[Part]]]] = (
        ("Model card", card),
        ("Performance", performance),
        ("Folds", folds),
        ("Confusion", confusions),
        ("Calibration", calibration),
        ("Sensitivity", sensitivity),
        ("Audit for confounding", audit),
        ("Maps of the tissue", maps),
        ("Tuning", tuning),
        ("Decisions", decisions),
        ("Data lineage", lineage),
    )
    return [Section(heading, told(partial(make, one))) for heading, make in makers]


def card(one: ReportedRun) -> Iterator[Part]:
    """What somebody who was handed the model must know."""
    yield Facts(model_card(one.record.run, one.metrics, one.classes))


def performance(one: ReportedRun) -> Iterator[Part]:
    """Metrics of all levels with intervals, and what only some models have."""
    table = metric_table(one.metrics)
    if table.empty:
        raise StoreError(f"run {one.record.run.run_id} logged no metrics")
    yield READ_AS
    yield table
    gap = one.record.run.metrics.get("train_test_gap")
    if gap is not None:
        yield (
            f"Train–test gap: {gap:+.3f}. Balanced accuracy of spots on the training part less "
            "that on the test part, median over folds."
        )
    classes = class_table(one.metrics)
    if len(classes) > 2:
        yield "Each class against the rest, spot level, all folds together:"
        yield classes
    named = {one.record.run.task: {one.record.run.model: one.metrics}}
    for table in (segmentation_table(named), patch_table(named), ablation_table(named)):
        if len(table):
            yield table
    one.record.metrics()  # says why, where only the list of MLflow was there


def folds(one: ReportedRun) -> Iterator[Part]:
    """Balanced accuracy of every fold as a box plot."""
    run = one.record.run
    yield fold_boxes(fold_accuracies(one), n_classes={run.task: max(len(one.classes), 2)})


def fold_accuracies(one: ReportedRun) -> pd.DataFrame:
    """Balanced accuracy of every fold and level, with task and model, as `fold_boxes` takes it."""
    table = one.record.table("fold_metrics")
    table = table[table["metric"] == "balanced_accuracy"]
    kept = table[["repeat", "fold", "level"]].assign(balanced_accuracy=table["value"])
    return kept.assign(task=one.record.run.task, model=one.record.run.model)


def confusions(one: ReportedRun) -> Iterator[Part]:
    """Confusion matrices of spots, cores and patients."""
    metrics = one.record.metrics()
    figures = []
    for level in LEVELS:
        counts = metrics[level]["confusion"]
        figures.append(
            confusion(
                np.asarray(counts["counts"], dtype=float),
                [str(name) for name in counts["classes"]],
                title=f"{level.capitalize()} level",
                unit=f"{level}s",
            )
        )
    # Many classes need the width of the page for themselves.
    if len(one.classes) <= _FEW:
        yield Beside(figures)
    else:
        yield from figures


def calibration(one: ReportedRun) -> Iterator[Part]:
    """Whether 80 % means 80 %."""
    yield reliability(reliability_table({one.record.run.model: one.record.metrics()}))


def sensitivity(one: ReportedRun) -> Iterator[Part]:
    """Where in the spectrum the model looks, and its strongest windows."""
    record = one.record
    profile, means, windows = record.sensitivity(), record.class_means(), record.windows()
    markers = read_markers(one.project.root / "data" / "ingest" / "markers.csv")
    yield (
        f"Mean over {profile.n_folds} folds. A positive value: more intensity there moves the "
        "model towards the class. Thinned for this page without losing peaks; the review app "
        "zooms to single isotopes."
    )
    two = len(profile.classes) == 2
    for index, name in enumerate(profile.classes[:1] if two else profile.classes):
        of_class = windows[windows["class"].astype(str) == name]
        view = SensitivityView(profile, index, means, of_class, markers, "logit")
        yield sensitivity_spectrum(view, n_points=N_POINTS)
        yield window_ranking(view, n=N_WINDOWS)
        yield _window_table(of_class, profile.classes)


def _window_table(windows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The highest windows in a reader's words, the first few."""
    top = windows.sort_values("rank").head(N_WINDOWS)
    name = str(top["class"].iloc[0]) if len(top) else ""
    other = next(one for one in classes if one != name) if len(classes) == 2 else f"not {name}"
    return pd.DataFrame(
        {
            "rank": top["rank"].astype(int),
            "m/z": [f"{mz:.2f}" for mz in top["mz"]],
            "window": [f"{a:.2f}–{b:.2f}" for a, b in zip(top["low"], top["high"], strict=True)],
            "speaks for": [name if sign > 0 else other for sign in top["sign"]],
            "height": [f"{value:.4f}" for value in top["height"]],
            "SD over folds": [f"{value:.4f}" for value in top["fold_sd"]],
            "shape": top["shape"].astype(str),
            "marker": top["marker"].astype(object).where(top["marker"].notna(), "").astype(str),
        }
    )


def audit(one: ReportedRun) -> Iterator[Part]:
    """The exhibits, readings and lines behind the verdict."""
    view = one.record.audit()
    yield view.sentence
    yield from audit_figures(view).values()
    yield leakage_table(view)
    yield readings_table(view)
    yield "Lines of this model:"
    yield lines_table(view)
    if view.ways_out:
        yield "What training may try:"
        yield pd.DataFrame(view.ways_out, columns=["way out", "why"])
    yield from view.design


def maps(one: ReportedRun) -> Iterator[Part]:
    """Predicted class on the tissue."""
    yield "Every spot was predicted by models that were trained on other folds."
    yield tissue_maps(one.record.spots(), one.record.classes)


def tuning(one: ReportedRun) -> Iterator[Part]:
    """What tuning gained, if the project still holds the studies this run was trained after."""
    run = one.record.run
    found = one.metrics.get("tuning") or {}
    note = str(found.get("note") or run.tags.get("tuning", "not tuned"))
    if found.get("kind") == "none" or note == "not tuned":
        yield "Not tuned: trained with the settings of params.yaml, else the published ones."
        return
    yield f"{note[:1].upper()}{note[1:]}."
    outcome = read_json(one.project.root / "data" / "tune" / run.task / run.model / "tuned.json")
    if outcome["folds_fingerprint"] != run.tags.get("folds.fingerprint"):
        raise StoreError("the project's studies are of other folds than those of this run")
    yield (
        f"Each trial is judged by {outcome['metric']} on inner folds of the training part; sampler "
        f"{outcome['sampler']}, pruner {outcome['pruner']}. The best of many trials is best by "
        "chance, too: what it gained on inner folds is more than it gains on outer ones."
    )
    yield gains_table(outcome)
    starred = adapted_note(outcome["folds"])
    if starred:
        yield starred


def decisions(one: ReportedRun) -> Iterator[Part]:
    """What reviewers decided, the latest first."""
    table = decision_table(one.record.run)
    yield table if len(table) else "No reviewer has decided on this run yet."


def lineage(one: ReportedRun) -> Iterator[Part]:
    """Run, code and data."""
    yield Facts(lineage_rows(one.record.run))
    mitigation = one.record.mitigation()
    if mitigation is not None:
        yield "Before and after the way out of confounding:"
        yield _before_after(mitigation)


def _before_after(record: Mapping[str, Any]) -> pd.DataFrame:
    sides = {side: record[side] for side in ("before", "after")}
    rows = [
        {"": name, **{side: _cell(found.get(key)) for side, found in sides.items()}}
        for key, name in (
            ("verdict", "verdict"),
            ("cross_validated", "balanced accuracy, cross-validated"),
            ("drop", "lost on the second cohort"),
        )
    ]
    names = dict.fromkeys(name for found in sides.values() for name in found["readings"])
    rows += [
        {
            "": name.replace("_", " "),
            **{side: _cell(found["readings"].get(name)) for side, found in sides.items()},
        }
        for name in names
    ]
    return pd.DataFrame(rows)


def _cell(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:.3f}"
    return str(value or "—").replace("_", " ")
