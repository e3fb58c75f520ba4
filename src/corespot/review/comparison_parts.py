"""The sections of the report of several runs: side by side, in what they differ, verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from corespot.errors import CorespotError, StoreError
from corespot.report.drawn import Drawn
from corespot.report.fold_figures import fold_boxes
from corespot.report.html import Part, Section
from corespot.report.overview_tables import reliability_table
from corespot.report.prediction_figures import reliability
from corespot.report.verdict_badge import VERDICT_STYLES, VerdictBadge
from corespot.review.comparison_pairs import paired_differences, profiles_over_each_other
from corespot.review.lineage import data_differences, parameter_differences, short_names
from corespot.review.metric_tables import CALIBRATION, METRICS, READ_AS, metric_table
from corespot.review.reported_run import ReportedRun, told
from corespot.review.run_parts import card, decisions, fold_accuracies, lineage


class NotAudited(Drawn):
    """Stands in the place of a verdict."""

    @property
    def html(self) -> str:
        """The words."""
        return "not audited"


def comparison_sections(runs: Sequence[ReportedRun]) -> list[Section]:
    """All sections of a comparison; each run has its verdict, card, decisions and lineage."""
    names = short_names([one.record.run for one in runs])
    sections = [
        Section("Verdicts", told(lambda: _verdicts(runs, names))),
        Section("Side by side", told(lambda: _side_by_side(runs, names))),
        Section("Differences", told(lambda: paired_differences(runs, names))),
        Section("Folds", told(lambda: _folds(runs, names))),
        Section("Calibration", told(lambda: _calibration(runs, names))),
        Section("Sensitivity", told(lambda: profiles_over_each_other(runs, names))),
        Section("Data versions that differ", told(lambda: _data(runs))),
        Section("Parameters that differ", told(lambda: _parameters(runs))),
    ]
    for one, name in zip(runs, names, strict=True):
        parts: list[Part] = [one.verdict_card()]
        for make in (card, decisions, lineage):
            parts += told(partial(make, one))
        sections.append(Section(name, parts))
    return sections


def _verdicts(runs: Sequence[ReportedRun], names: Sequence[str]) -> Iterator[Part]:
    rows: list[tuple[str, Drawn, str, str]] = []
    for one, name in zip(runs, names, strict=True):
        try:
            view = one.record.audit()
        except CorespotError as error:
            rows.append((name, NotAudited(), "—", str(error)))
            continue
        share = view.readings.number("artifact_share")
        text = "—" if share is None else f"{100 * share:.0f} %"
        rows.append((name, VerdictBadge(view.verdict), text, view.sentence))
    yield pd.DataFrame(rows, columns=["run", "verdict", "artifact share", "what it rests on"])
    flagged = [
        style.text for word, style in VERDICT_STYLES.items() if word in ("confounded", "suspect")
    ]
    yield (
        f"A model that is {' or '.join(flagged)} may owe its accuracy to how the spectra were "
        "measured: a higher figure below does not make it the better one. No verdict certifies a "
        "model."
    )


def _side_by_side(runs: Sequence[ReportedRun], names: Sequence[str]) -> Iterator[Part]:
    tasks = {one.record.run.task for one in runs}
    if len(tasks) > 1:
        yield (
            f"These runs are of different tasks ({', '.join(sorted(tasks))}): their figures answer "
            "different questions and must not be ranked."
        )
    yield READ_AS
    tables = {name: metric_table(one.metrics) for one, name in zip(runs, names, strict=True)}
    if all(table.empty for table in tables.values()):
        raise StoreError("none of these runs logged metrics")
    rows: list[dict[str, str]] = []
    for level in dict.fromkeys(level for t in tables.values() if len(t) for level in t["level"]):
        said = level
        for metric in (*METRICS.values(), *CALIBRATION.values()):
            cells = {name: _cell(table, level, metric) for name, table in tables.items()}
            if set(cells.values()) != {"—"}:
                rows.append({"level": said, "metric": metric, **cells})
                said = ""
    yield pd.DataFrame(rows)


def _cell(table: pd.DataFrame, level: str, metric: str) -> str:
    if metric not in table:
        return "—"
    found = table.loc[table["level"] == level, metric]
    return str(found.iloc[0]) if len(found) else "—"


def _folds(runs: Sequence[ReportedRun], names: Sequence[str]) -> Iterator[Part]:
    tables, missing = [], []
    for one, name in zip(runs, names, strict=True):
        try:
            tables.append(fold_accuracies(one).assign(model=name))
        except CorespotError as error:
            missing.append(f"Missing: {error}.")
    if tables:
        n_classes = {one.record.run.task: max(len(one.classes), 2) for one in runs}
        yield fold_boxes(pd.concat(tables, ignore_index=True), n_classes=n_classes)
    yield from missing


def _calibration(runs: Sequence[ReportedRun], names: Sequence[str]) -> Iterator[Part]:
    found, missing = {}, []
    for one, name in zip(runs, names, strict=True):
        try:
            metrics = one.record.metrics()
            reliability_table({name: metrics})
            found[name] = metrics
        except CorespotError as error:
            missing.append(f"Missing: {error}.")
    if found:
        yield reliability(reliability_table(found))
    yield from missing


def _data(runs: Sequence[ReportedRun]) -> Iterator[Part]:
    table = data_differences([one.record.run for one in runs])
    if table.empty:
        yield "None: all runs read the same raw data, spectra, folds and m/z axis."
        return
    yield (
        "These runs did not read the same. Where spectra or folds differ, so may figures, without "
        "any of the models being better."
    )
    yield table


def _parameters(runs: Sequence[ReportedRun]) -> Iterator[Part]:
    table = parameter_differences([one.record.run for one in runs])
    yield table if len(table) else "None: all logged parameters are the same."
